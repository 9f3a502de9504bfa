"""One checkpoint on its way to the disk; `commit` has the order of its steps.

- ``Attempt``: into the swapfile that is on.
- ``Snapshot``: into a copy of the slots, which belongs to the image alone; of an incremental one,
  of those slots that the image before it does not have.
- ``Parent``: what an incremental one builds on.
- ``put_on(backing, stamp, disk)``: what the swapfile that is on says it holds.

An incremental image is possible because slots that the last one names are pinned: a slot that both
name has not been written to in between.
"""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swapfast import _core
from swapfast.checkpoint.chain import Link, new_slots
from swapfast.checkpoint.delta import difference
from swapfast.checkpoint.disk import Disk
from swapfast.checkpoint.freeze import Frozen, facts_of
from swapfast.checkpoint.image import image_parts
from swapfast.checkpoint.pages import copy_pages
from swapfast.checkpoint.place import Parts, Place
from swapfast.checkpoint.stored import seal_of
from swapfast.core import images, slot_pins
from swapfast.errors import system_error
from swapfast.kernel.records import Kind
from swapfast.swapfile import SwapBacking
from swapfast.swapfile.files import named, read_at
from swapfast.swapfile.header import PAGE_SIZE, UUID_AT
from swapfast.swapfile.stamp import Kept, Stamp, put_stamp

__all__ = ["Attempt", "Parent", "Snapshot", "put_on"]

U32 = NDArray[np.uint32]


def put_on(backing: SwapBacking, stamp: Stamp | None, disk: Disk) -> None:
    """Write and sync a stamp into a swapfile that is on; None: it holds no checkpoint."""
    with named(backing.path):
        page = read_at(backing.fileno(), PAGE_SIZE, 0)
        disk.write(backing.fileno(), put_stamp(page, stamp, at_rest=False), 0)
    backing.sync(disk.sync_data)
    backing.stamp = stamp


@dataclass(frozen=True, slots=True)
class Parent:
    """The image that an incremental one builds on.

    Attributes
    ----------
    links : tuple of Link
        The files.
    facts, columns : dict
        What the last one stands for.
    """

    links: tuple[Link, ...]
    facts: dict[str, Any]
    columns: dict[str, Any]


class Attempt:
    """One checkpoint on its way to the disk."""

    def __init__(
        self,
        frozen: Frozen,
        place: Place,
        kind: Kind,
        identity: bytes | None,
        parent: Parent | None,
    ) -> None:
        self.frozen, self.place, self.kind, self.disk = frozen, place, kind, place.disk
        self.parent = parent
        self.backing: SwapBacking = frozen.backing
        self.before = self.backing.stamp
        slots = frozen.area.info["slots"]
        self.stamp = self.before or Stamp(slots, identity or os.urandom(16), 0)
        self.generation = max(self.stamp.generation, self.backing.last_generation) + 1
        self.page = read_at(self.backing.fileno(), PAGE_SIZE, 0)
        self.slots: U32 = np.empty(0, dtype=np.uint32)
        self.area_path = frozen.area.path
        self.seal = ""
        self.columns: tuple[dict[str, Any], dict[str, Any]] | None = None

    def image(self, checksums: bool) -> Parts:
        """The bytes of the image."""
        frozen = self.frozen
        core, area = frozen.kernel.core, frozen.area
        pte, self.slots, shadow, zero, ring, lengths = images.dump(
            core, frozen.numbers, area.number
        )
        sums = None
        if checksums:
            try:
                sums = slot_pins.sums_of(core, area.number, self.slots)
            except OSError as error:
                raise system_error(
                    errno.EIO, f"slot {error.args[0]}: cannot be read", area.path
                ) from None
            if not frozen.kernel.contents:
                sums = sums[:0]
        state, unused, partly, limbo = images.area_state(core, area.number)
        arrays: dict[str, Any] = {
            "pte": pte,
            "slot": self.slots,
            "shadow": shadow,
            "zero": zero,
            "sums": sums,
            "ring": ring,
            "ring_length": lengths,
            "unused": unused,
            "partly": partly,
            "limbo": limbo,
        }
        facts = self._facts(checksums, state)
        self._dumped(zero)
        if sums is not None and frozen.kernel.contents:
            self.columns = facts, arrays
        if self.parent is not None:
            arrays = difference(self.parent.facts, self.parent.columns, facts, arrays)
        try:
            parts = image_parts(facts, arrays)
        except ValueError as error:
            raise system_error(errno.EFBIG, str(error), self.place.given) from None
        self.seal = seal_of(parts)
        return parts

    def _dumped(self, zero: NDArray[np.uint8]) -> None:
        """Slots are known now, and which of them have no bytes."""

    def _facts(self, checksums: bool, state: dict[str, Any]) -> dict[str, Any]:
        info = self.frozen.area.info
        parent = None
        if self.parent is not None:
            last = self.parent.links[-1]
            parent = {
                "name": os.path.basename(os.path.realpath(last.path)),
                "seal": last.seal,
                "depth": len(self.parent.links),
                "copied": isinstance(self, Snapshot),
            }
        return facts_of(
            self.frozen,
            kind=self.kind,
            checksums=checksums,
            parent=parent,
            area={
                "path": self.area_path,
                "identity": self.stamp.identity.hex(),
                "generation": self.generation,
                "swap_uuid": self.page[UUID_AT : UUID_AT + 16].hex(),
                "last_page": self.backing.last_page,
                "slots": info["slots"],
                "pages": info["pages"],
                "priority": self.frozen.area.priority,
                "state": state,
            },
        )

    def store_slots(self) -> None:
        """Slots and stamp are on the disk afterwards."""
        with named(self.backing.path):
            self._put_header(self.stamp, at_rest=self.kind == "in-place")
        self.backing.sync(self.disk.sync_data)

    def _put_header(self, stamp: Stamp | None, *, at_rest: bool) -> None:
        page = put_stamp(self.page, stamp, at_rest=at_rest)
        self.disk.write(self.backing.fileno(), page, 0)

    def close(self) -> None:
        """Let go of what is open."""

    def uncertain(self) -> None:
        """The image may be there, but `commit` did not come to its end."""
        core, number = self.frozen.kernel.core, self.frozen.area.number
        slot_pins.pin(core, number, np.concatenate((slot_pins.pinned(core, number), self.slots)))
        # The stamp says that a checkpoint may be there, of a generation not older than the last.
        self.backing.stamp = self.stamp
        self.backing.last_generation = self.generation

    def give_up(self, written: U32 | None) -> None:
        """Not committed: the file is on again, and pages that may be lost are in memory again."""
        with contextlib.suppress(OSError):
            self._put_header(self.backing.stamp, at_rest=False)
        if written is not None:
            _core.pull(self.frozen.kernel.core, self.frozen.area.number, written)

    def commit(self) -> None:
        """It is on the disk: the older image's slots are free, and its copies, if it had some."""
        self.backing.stamp = replace(self.stamp, generation=self.generation)
        self.backing.last_generation = self.generation
        # Without a sync: an older stamp on the disk means the same, that the newest image counts.
        with contextlib.suppress(OSError):
            self._put_header(self.backing.stamp, at_rest=self.kind == "in-place")
        self.backing.kept = self._kept()
        self._pin()
        self.place.sweep(self.area_path)

    def _kept(self) -> Kept:
        return Kept(frozenset((self.seal,)), self.slots, self.columns)

    def _pin(self) -> None:
        kept = [k.slots for k in (self.backing.kept, self.backing.copied) if k is not None]
        # A slot may be there twice.
        slot_pins.pin(self.frozen.kernel.core, self.frozen.area.number, np.concatenate(kept))


class Snapshot(Attempt):
    """The slots are copied; the file they came from is not touched.

    The copy is named ``IMAGE.<identity>.swap``, or ``.pages`` if it is of some slots only: another
    name each time, so that the older image has its own until it is replaced. Copies that no image
    names are removed then.
    """

    def __init__(
        self,
        frozen: Frozen,
        place: Place,
        kind: Kind,
        identity: bytes | None,
        parent: Parent | None,
    ) -> None:
        super().__init__(frozen, place, kind, identity, parent)
        slots = self.stamp.slots
        self.goes_on = kind == "incremental"
        self.kind = "snapshot" if parent is None else kind
        self.stamp = Stamp(slots, identity or os.urandom(16), 0)
        self.generation = 1
        end = "swap" if parent is None else "pages"
        self.area_path = f"{place.path}.{self.stamp.identity.hex()}.{end}"
        self.copy = -1

    def _dumped(self, zero: NDArray[np.uint8]) -> None:
        if self.parent is None:
            self.pages = np.sort(self.slots).astype(np.int64)
            self.at, self.length = self.pages, self.stamp.slots
        else:
            self.pages = new_slots(self.parent.columns["slot"], self.slots, zero)
            self.at, self.length = np.arange(1, self.pages.size + 1), self.pages.size + 1

    def store_slots(self) -> None:
        """The copy is on the disk afterwards, at rest; its name is so with the image's."""
        disk, source = self.disk, (self.backing.fileno(), self.backing.path)
        self.copy = fd = disk.create(self.area_path)
        with named(self.area_path):
            disk.allocate(fd, self.length * PAGE_SIZE)
            disk.write(fd, put_stamp(self.page, self.stamp, at_rest=True), 0)
            copy_pages(disk, source, self.pages, fd, self.at, share=True)
            disk.sync(fd)
        self.close()

    def close(self) -> None:
        """Let go of what is open."""
        fd, self.copy = self.copy, -1
        if fd >= 0:
            self.disk.close(fd)

    def uncertain(self) -> None:
        """Nothing builds on the new image: its slots may not be pinned."""
        copied = self.backing.copied
        if copied is not None and self.seal in copied.seals:
            self.backing.copied = None

    def give_up(self, written: U32 | None) -> None:
        """The copy goes, unless the image that names it may be there."""
        if not self.place.committing:
            with contextlib.suppress(OSError):
                self.disk.remove(self.area_path)

    def commit(self) -> None:
        """Copies of older images of this name go; slots that the next one builds on are pinned."""
        if self.goes_on:
            self.backing.copied = self._kept()
            self._give_up_parent()
            self._pin()
        self.place.sweep(self.area_path)

    def _give_up_parent(self) -> None:
        """The checkpoint that the job was restarted from is in the chain: it need not be here too.

        Unless the job runs on the very file that the chain has it in.
        """
        kept, parent = self.backing.kept, self.parent
        if kept is None or parent is None or parent.links[-1].seal not in kept.seals:
            return
        if self.backing.path in [os.path.realpath(link.data) for link in parent.links]:
            return
        with contextlib.suppress(OSError):
            put_on(self.backing, None, self.disk)
            self.backing.kept = None
