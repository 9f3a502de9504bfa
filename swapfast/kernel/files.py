"""The files under swap areas: which are lost, and which could not be wiped.

- ``Files``: looks at them a few at a time; says what is wrong with one, and with a slot.
- ``wipe_refused``: old bytes could not be overwritten.

A file that was replaced or cut short while it is on is lost: tasks that later need a page of it get
EIO or ESTALE.
"""

from __future__ import annotations

import errno
import os
from collections import OrderedDict
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from swapfast import _core
from swapfast.core import area_table
from swapfast.errors import system_error
from swapfast.kernel.device import SimulatedDevice

if TYPE_CHECKING:
    from swapfast._core import Core
    from swapfast.swapfile import SwapBacking

__all__ = ["FILES_AT_ONCE", "Files", "wipe_refused"]

FILES_AT_ONCE = 8  # files that a batch looks at


class _Area(Protocol):
    """What is asked of an area here."""

    @property
    def type(self) -> int: ...
    @property
    def number(self) -> int: ...
    @property
    def path(self) -> str: ...
    @property
    def backing(self) -> SwapBacking | SimulatedDevice: ...
    @property
    def namespace(self) -> object: ...


A = TypeVar("A", bound=_Area)


class Files(Generic[A]):
    """The swapfiles of one kernel.

    Parameters
    ----------
    core : Core
    log : list of str
        The console.

    Attributes
    ----------
    watched : dict of int to area
        Areas that have a file, by type, in order of the last look, the oldest first.
    """

    def __init__(self, core: Core, log: list[str]) -> None:
        self._core = core
        self._log = log
        self.watched: OrderedDict[int, A] = OrderedDict()
        self._lost: dict[int, OSError] = {}  # by type: the file is not what it was, and why
        self._unseen: dict[int, OSError] = {}  # the file could not be looked at just now
        self._unwiped: set[int] = set()  # numbers of areas whose failure was told

    def watch(self, area: A) -> None:
        """An area is on."""
        if not isinstance(area.backing, SimulatedDevice):
            self.watched[area.type] = area

    def forget(self, area: A) -> None:
        """An area is off."""
        self.watched.pop(area.type, None)
        self._lost.pop(area.type, None)
        self._unseen.pop(area.type, None)

    def look(self, areas: Collection[A]) -> None:
        """Mark areas as lost whose file was replaced or cut short.

        Looked at are the files of a namespace that has a few, and of all others a few at a time.

        Parameters
        ----------
        areas : collection of area
            Those of the namespace that is about to run.
        """
        if not self.watched:
            return
        if len(areas) <= FILES_AT_ONCE:
            for area in areas:
                self.look_at(area)
        for _ in range(min(len(self.watched), FILES_AT_ONCE)):
            self.look_at(next(iter(self.watched.values())))

    def look_at(self, area: A) -> None:
        """The same for one area alone."""
        if area.type not in self.watched:
            return
        self.watched.move_to_end(area.type)
        if area.type in self._lost:
            return
        self._unseen.pop(area.type, None)
        assert not isinstance(area.backing, SimulatedDevice)
        try:
            fault = area.backing.fault()
        except OSError as error:
            # Not conclusive: the next look tells. Reads through the mapping are guarded anyway.
            self._unseen[area.type] = error
            return
        if fault is not None:
            self._lost[area.type] = fault
            area_table.lost(self._core, area.number)
            self._log.append(f"swap area {area.path}: {fault.strerror}")

    def check(self, area: A) -> None:
        """Raise what a look found out about an area, or why it could not."""
        lost = self._lost.get(area.type) or self._unseen.get(area.type)
        if lost is not None:
            raise system_error(lost.errno or errno.EIO, lost.strerror or "is lost", area.path)

    def check_lost(self, namespace: object) -> None:
        """Raise for the first lost area of a namespace."""
        for number in self._lost:
            if self.watched[number].namespace is namespace:
                self.check(self.watched[number])

    def io_error(self, areas: Iterable[A]) -> OSError:
        """What to raise for the slot that could not be read or written back."""
        number, slot, cause = area_table.bad_slot(self._core)
        area = next(a for a in areas if a.number == number)
        lost = self._lost.get(area.type)
        why = _core.BAD_SLOTS[cause] if lost is None else lost.strerror
        code = errno.EIO if lost is None else lost.errno or errno.EIO
        return system_error(code, f"slot {slot}: {why}", area.path)

    def check_wiped(self, areas: Iterable[A], namespace: object) -> None:
        """Log once each area with freed slots that could not be wiped when they were freed.

        Such an area takes no more pages; those that it has may be read. Its swapoff tries again.

        Parameters
        ----------
        areas : iterable of area
            All that are on.
        namespace : SwapNamespace or None
            Of the task that called.

        Raises
        ------
        OSError
            EIO, ENOSPC, ...: the first of those that are of ``namespace``.
        """
        failures = area_table.wipe_failures(self._core)
        if not failures and not self._unwiped:
            return
        failed = dict(failures)
        mine = None
        for area in areas:
            if area.number in failed and area.number not in self._unwiped:
                error = wipe_refused(area.path, failed[area.number])
                self._log.append(f"swap area {area.path}: {error.strerror}")
                if area.namespace is namespace:
                    mine = mine or error
        self._unwiped = set(failed)
        if mine is not None:
            raise mine


def wipe_refused(path: str, code: int) -> OSError:
    """What to raise for old bytes that are still in a file."""
    return system_error(
        code,
        f"old bytes could not be wiped: {os.strerror(code)}; they are still in the file",
        path,
    )
