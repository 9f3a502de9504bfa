"""swapon(2) and swapoff(2): the kernel's order of checks; a failed call changes nothing.

Sources: mm/swapfile.c, sys_swapon and sys_swapoff, of 2.6.25 and 6.18; swapon(2).
"""

from __future__ import annotations

import errno
import os

from swapfast import flags as f
from swapfast.errors import system_error
from swapfast.kernel import areas, oom, scopes, wiping
from swapfast.kernel.overcommit import enough_memory
from swapfast.kernel.records import Wipe
from swapfast.kernel.state import SwapArea, Task

__all__ = ["swapoff", "swapon", "turn_off_for"]

NOT_ON = "is not an area that is on in this swap namespace"


def swapon(
    task: Task, path: str | os.PathLike[str], flags: int = 0, *, wipe: Wipe = "none"
) -> None:
    """Turn on a swapfile in the task's swap namespace; see `Task.swapon`."""
    from swapfast.swapfile import SwapBacking  # half of what an import of the package would cost
    from swapfast.swapfile.files import claim

    kernel, profile = task.kernel, task.kernel.profile
    wiping.check_wipe(wipe)
    areas.check_flags(kernel, flags)
    if flags & f.SWAP_FLAG_PRIVATE and profile.modern and not task.swap_ns.initial:
        raise system_error(
            errno.EINVAL, "the area of a child swap namespace is nobody else's anyway", path
        )
    if not task.capable(f.CAP_SYS_ADMIN):
        raise system_error(errno.EPERM, "swapon needs CAP_SYS_ADMIN", path)
    areas.check_room(kernel, os.fspath(path))
    if kernel.rules.one_area_check == "late":
        claim(os.fspath(path)).close()  # it can be opened, and is not on
    scopes.check_one_area(kernel, task.swap_ns)
    with kernel.changes.of("swapon"):
        backing = SwapBacking.open(path, profile.header)
        try:
            area = areas.add(kernel, task.swap_ns, backing, flags)
        except MemoryError as error:
            backing.close()
            raise system_error(errno.ENOMEM, str(error), path) from None
        except BaseException:
            backing.close()
            raise
        try:
            wiping.begin(area, wipe)
        except MemoryError as error:
            scopes.withdraw(kernel, area)
            areas.forget(kernel, area)
            raise system_error(errno.ENOMEM, str(error), path) from None


def swapoff(task: Task, path: str | os.PathLike[str]) -> None:
    """Read every page in an area back, and turn it off; see `Task.swapoff`."""
    if not task.capable(f.CAP_SYS_ADMIN):
        raise system_error(errno.EPERM, "swapoff needs CAP_SYS_ADMIN", path)
    area = _find(task, path)
    if not enough_memory(task, int(area.info["pages"])):
        raise system_error(
            errno.ENOMEM, "memory could not hold what may be swapped there; free some first", path
        )
    turn_off_for(task, area)
    if area.orphaned:
        scopes.drop_swap_namespace(task.kernel, area.namespace)


def turn_off_for(task: Task, area: SwapArea) -> None:
    """Read an area back for a task, the preferred victim if memory runs out."""

    def shortage(status: int) -> None:
        task.oom_victim_first = True
        oom.no_page(task.kernel, task, status)

    try:
        areas.turn_off(task.kernel, area, shortage)
    finally:
        task.oom_victim_first = False


def _find(task: Task, path: str | os.PathLike[str]) -> SwapArea:
    kernel = task.kernel
    area = kernel.area_of_file.get(os.fspath(path))  # a simulated device
    if area is None:
        try:
            status = os.stat(path)
        except OSError as error:
            code = error.errno or errno.EIO
            raise system_error(code, "cannot be opened for swapoff", path) from None
        area = kernel.area_of_file.get((status.st_dev, status.st_ino))
    # The host may swap off what a namespace left on; others see their own areas.
    if area is None or not (
        area.namespace is task.swap_ns or (task.swap_ns.initial and area.orphaned)
    ):
        raise system_error(errno.EINVAL, NOT_ON, path)
    return area
