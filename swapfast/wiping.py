"""Old bytes in a swapfile: left where they are, or overwritten with zeroes.

- ``Wipe``: "none", "on-free" or "on-swapoff"; ``check_wipe(value)``.
- ``begin(area, wipe)``: from now on. ``finish(area)``: the area goes off.
- ``Failures``: slots that could not be wiped, told once each.

A real kernel leaves them: after swapoff, and after a new mkswap, every page that was swapped can
still be read in the file (Provos, "Encrypting virtual memory", USENIX Security 2000). "on-free"
overwrites a slot by the end of the call that freed it; "on-swapoff" overwrites all of them at once
when the area goes off, also with the last task of its namespace. Slots that a checkpoint names are
never wiped, and a swapfile that an in-place checkpoint leaves at rest is not touched any more.

What is overwritten is the file. A file system that writes elsewhere (copy on write), a snapshot of
it, or a disk with spare blocks may still have the old bytes.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Literal, get_args

from swapfast.core import area_table
from swapfast.errors import system_error
from swapfast.swapfile import SwapBacking

if TYPE_CHECKING:
    from swapfast.areas import SwapArea
    from swapfast.machine import Machine
    from swapfast.namespaces import SwapNamespace

__all__ = ["Failures", "Wipe", "begin", "check_wipe", "finish"]

Wipe = Literal["none", "on-free", "on-swapoff"]


def check_wipe(value: str) -> None:
    """Refuse another word.

    Raises
    ------
    ValueError
        It is none of ``Wipe``.
    """
    if value not in get_args(Wipe):
        known = ", ".join(repr(w) for w in get_args(Wipe))
        raise ValueError(f"wipe is one of {known}, not {value!r}")


def begin(area: SwapArea, wipe: Wipe) -> None:
    """Wipe this area from now on, or not any more.

    Raises
    ------
    ValueError
        ``wipe`` is no such word.
    OSError
        EIO, ENOSPC, ...: slots that are free already, in an area in use, could not be wiped.
    """
    check_wipe(wipe)
    area.core.check()
    area.wipe = wipe
    if not isinstance(area.backing, SwapBacking):
        return  # an ideal device holds no bytes
    on_free = wipe == "on-free"
    area_table.wipe_freed(area.core, area.number, area.backing.fileno() if on_free else -1)
    if on_free and area.info["inuse"]:
        _overwrite(area, everything=True)


def finish(area: SwapArea) -> None:
    """Wipe what is to be wiped when the area goes off; it is on the disk afterwards.

    Raises
    ------
    OSError
        EIO, ENOSPC, ...: old bytes are still there. Nothing else has changed: try again.
    """
    if area.wipe == "none" or not isinstance(area.backing, SwapBacking):
        return
    _overwrite(area, everything=area.wipe == "on-swapoff")
    try:
        os.fdatasync(area.backing.fileno())
    except OSError as error:
        area.wipe = "on-swapoff"  # the system forgets what it lost: next time, write all again
        raise _refused(area, error.errno or errno.EIO) from None


def _overwrite(area: SwapArea, *, everything: bool) -> None:
    assert isinstance(area.backing, SwapBacking)
    code = area_table.wipe(area.core, area.number, area.backing.fileno(), everything)
    if code:
        raise _refused(area, code)


def _refused(area: SwapArea, code: int) -> OSError:
    return system_error(
        code,
        f"old bytes could not be wiped: {os.strerror(code)}; they are still in the file",
        area.path,
    )


class Failures:
    """Areas of a machine with freed slots that could not be wiped when they were freed.

    Such an area takes no more pages; those that it has may be read. Its swapoff tries again.
    """

    def __init__(self) -> None:
        self._told: set[int] = set()

    def check(self, machine: Machine, namespace: SwapNamespace | None) -> None:
        """Log what is new, once.

        Raises
        ------
        OSError
            EIO, ENOSPC, ...: the first of those that are of ``namespace``.
        """
        failed = dict(area_table.wipe_failures(machine.core))
        if not failed and not self._told:
            return
        mine = None
        for area in machine.areas.values():
            if area.number in failed and area.number not in self._told:
                error = _refused(area, failed[area.number])
                machine.log.append(f"swap area {area.path}: {error.strerror}")
                if area.namespace is namespace:
                    mine = mine or error
        self._told = set(failed)
        if mine is not None:
            raise mine
