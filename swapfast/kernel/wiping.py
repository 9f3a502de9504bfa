"""Old bytes in a swapfile: left where they are, or overwritten with zeroes.

- ``check_wipe(value)``: is it one of `Wipe`, "none", "on-free" or "on-swapoff"?
- ``begin(area, wipe)``: from now on. ``finish(area)``: the area goes off.

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
from typing import get_args

from swapfast.core import area_table
from swapfast.kernel.device import SimulatedDevice
from swapfast.kernel.files import wipe_refused
from swapfast.kernel.records import Wipe
from swapfast.kernel.state import SwapArea

__all__ = ["begin", "check_wipe", "finish"]


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
    area.wipe = wipe
    if isinstance(area.backing, SimulatedDevice):
        return  # an ideal device holds no bytes
    on_free = wipe == "on-free"
    area_table.wipe_freed(
        area.namespace.kernel.core, area.number, area.backing.fileno() if on_free else -1
    )
    if on_free and area.info["inuse"]:
        _overwrite(area, everything=True)


def finish(area: SwapArea) -> None:
    """Wipe what is to be wiped when the area goes off; it is on the disk afterwards.

    Raises
    ------
    OSError
        EIO, ENOSPC, ...: old bytes are still there. Nothing else has changed: try again.
    """
    if area.wipe == "none" or isinstance(area.backing, SimulatedDevice):
        return
    _overwrite(area, everything=area.wipe == "on-swapoff")
    try:
        os.fdatasync(area.backing.fileno())
    except OSError as error:
        area.wipe = "on-swapoff"  # the system forgets what it lost: next time, write all again
        raise wipe_refused(area.path, error.errno or errno.EIO) from None


def _overwrite(area: SwapArea, *, everything: bool) -> None:
    assert not isinstance(area.backing, SimulatedDevice)
    code = area_table.wipe(
        area.namespace.kernel.core, area.number, area.backing.fileno(), everything
    )
    if code:
        raise wipe_refused(area.path, code)
