"""swapon(2) and swapoff(2).

- ``swapon(machine, task, path, flags)``, ``swapoff(machine, task, path)``: the kernel's order of
  checks; a failed call changes nothing.
- ``turn_off(machine, area, payer)``: read everything back, then forget the area.

Sources: mm/swapfile.c, sys_swapon and sys_swapoff, of 2.6.25 and 6.18; swapon(2).
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from swapfast import _core, wiping
from swapfast import flags as f
from swapfast.areas import SimulatedDevice, SwapArea
from swapfast.core import area_table, scope_table, slot_pins
from swapfast.errors import KernelPanic, TaskKilled, system_error
from swapfast.units import PAGE_SIZE

if TYPE_CHECKING:
    from swapfast.changes import Change
    from swapfast.machine import Machine
    from swapfast.namespaces import SwapNamespace
    from swapfast.swapfile import SwapBacking
    from swapfast.tasks import Task
    from swapfast.wiping import Wipe

__all__ = ["add_area", "swapoff", "swapon", "turn_off"]

MOST_SLOTS = 1 << 31  # of one area, with its header
NOT_ON = "is not an area that is on in this swap namespace"


def swapon(
    machine: Machine,
    task: Task,
    path: str | os.PathLike[str],
    flags: int,
    wipe: Wipe = "none",
) -> None:
    """Turn on a swapfile in the task's swap namespace.

    Parameters
    ----------
    machine : Machine
    task : Task
        The caller.
    path : path
        A real file with a swap header.
    flags : int
        SWAP_FLAG_PREFER | priority, 0 to 32767; discard flags are accepted (6.18 only).
    wipe : {"none", "on-free", "on-swapoff"}
        Whether old bytes in the file are overwritten, see `wiping`; no kernel has that.

    Raises
    ------
    OSError
        EINVAL: unknown flags (6.18), not a swapfile, bad header, holes; EPERM: no CAP_SYS_ADMIN,
        MAX_SWAPFILES areas are on, or a child namespace has its one area; EBUSY: the file is on,
        in whatever namespace or process; ENOENT, EACCES, ENFILE, ...: as open(2) says.
    ValueError
        ``wipe`` is no such word.
    """
    from swapfast.swapfile import SwapBacking  # half of what an import of the package would cost
    from swapfast.swapfile.files import claim

    profile = machine.profile
    wiping.check_wipe(wipe)
    if profile.modern and flags & ~f.SWAP_FLAGS_VALID:
        raise system_error(errno.EINVAL, f"unknown swapon flags {flags & ~f.SWAP_FLAGS_VALID:#x}")
    if not task.capable(f.CAP_SYS_ADMIN):
        raise system_error(errno.EPERM, "swapon needs CAP_SYS_ADMIN", path)
    if len(machine.areas) >= machine.max_swapfiles:
        raise system_error(
            errno.EPERM, f"{machine.max_swapfiles} swap areas (MAX_SWAPFILES) are on", path
        )
    if machine.rules.one_area_check == "early":
        task.swap_ns.check_one_area(machine.rules)
    else:
        claim(os.fspath(path)).close()  # it can be opened, and is not on
        task.swap_ns.check_one_area(machine.rules)
    with machine.changes.of("swapon"):
        backing = SwapBacking.open(path, profile.header)
        try:
            area = add_area(machine, task.swap_ns, backing, flags)
        except MemoryError as error:
            backing.close()
            raise system_error(errno.ENOMEM, str(error), path) from None
        except BaseException:
            backing.close()
            raise
        try:
            wiping.begin(area, wipe)
        except MemoryError as error:
            _forget(machine, area)
            raise system_error(errno.ENOMEM, str(error), path) from None


def add_area(
    machine: Machine, ns: SwapNamespace, backing: SwapBacking | SimulatedDevice, flags: int
) -> SwapArea:
    """Enter an opened file, or a simulated device, into the tables; all or nothing."""
    if backing.end > MOST_SLOTS:
        raise system_error(
            errno.EINVAL,
            f"an area has {MOST_SLOTS} slots of {PAGE_SIZE} bytes at most, not {backing.end}; "
            "make several",
            backing.path,
        )
    chosen = flags & f.SWAP_FLAG_PREFER
    priority = flags & f.SWAP_FLAG_PRIO_MASK if chosen else machine.next_rank()
    try:
        base = machine.slot_space.take(backing.end)
    except MemoryError as error:
        raise system_error(errno.ENOMEM, str(error), backing.path) from None
    array = backing.array if machine.contents and not isinstance(backing, SimulatedDevice) else None
    try:
        number = area_table.add(
            machine.core,
            base,
            backing.end,
            priority,
            ns.owner,
            bad=backing.bad_pages,
            file=array,
            clustered=machine.profile.modern,
            sums=machine.checksums and array is not None,
        )
    except BaseException:
        machine.slot_space.give(base, backing.end)
        raise
    number_in_table = machine.area_types.take(1)  # the lowest that is free
    area = SwapArea(machine.core, number_in_table, number, base, backing, priority, ns)
    machine.areas[number_in_table] = area
    machine.area_of_file[backing.identity] = area
    if not isinstance(backing, SimulatedDevice):
        machine.files[number_in_table] = backing
    ns.areas.append(area)
    ns.swapped_on += 1
    if not flags & f.SWAP_FLAG_PREFER:
        machine.least_priority -= 1
    _put_in_use(machine, area)
    return area


def _put_in_use(machine: Machine, area: SwapArea) -> None:
    # 2.6.25 puts an area before others of its priority, 6.18 behind them.
    area_table.set_writeok(machine.core, area.number, True)
    scope_table.use_area(machine.core, area.namespace.owner, area.number, machine.profile.modern)


def _take_out_of_use(machine: Machine, area: SwapArea) -> None:
    scope_table.leave_area(machine.core, area.namespace.owner, area.number)
    area_table.set_writeok(machine.core, area.number, False)


def swapoff(machine: Machine, task: Task, path: str | os.PathLike[str]) -> None:
    """Turn off an area of the task's swap namespace; every page in it is read back first.

    Raises
    ------
    OSError
        EPERM: no CAP_SYS_ADMIN; ENOENT, ...: as open(2) says; EINVAL: not an area that is on in
        this namespace; ENOMEM: memory could not hold its pages (the area stays on, whole); EINTR:
        the caller was killed meanwhile (the same); EIO, ENOSPC, ...: a page could not be read, or
        old bytes could not be wiped (the same).
    """
    if not task.capable(f.CAP_SYS_ADMIN):
        raise system_error(errno.EPERM, "swapoff needs CAP_SYS_ADMIN", path)
    area = _find(machine, task, path)
    info = area.info
    if not machine.enough_memory_for_swapoff(task, int(info["pages"])):
        raise system_error(
            errno.ENOMEM, "memory could not hold what may be swapped there; free some first", path
        )
    turn_off(machine, area, task)
    if area.orphaned:
        machine.drop_swap_namespace(area.namespace)


def _find(machine: Machine, task: Task, path: str | os.PathLike[str]) -> SwapArea:
    area = machine.area_of_file.get(os.fspath(path))  # a simulated device
    if area is None:
        try:
            status = os.stat(path)
        except OSError as error:
            code = error.errno or errno.EIO
            raise system_error(code, "cannot be opened for swapoff", path) from None
        area = machine.area_of_file.get((status.st_dev, status.st_ino))
    # The host may swap off what a namespace left on; others see their own areas.
    if area is None or not (
        area.namespace is task.swap_ns or (task.swap_ns.initial and area.orphaned)
    ):
        raise system_error(errno.EINVAL, NOT_ON, path)
    return area


def turn_off(machine: Machine, area: SwapArea, payer: Task | None) -> None:
    """Read back all its slots, then forget it.

    Parameters
    ----------
    machine : Machine
    area : SwapArea
    payer : Task or None
        The caller, the preferred victim if memory runs out. None: nobody is killed for it.

    Raises
    ------
    OSError
        ENOMEM, EINTR, or EIO: a page could not be read, or, ENOSPC, ... too, old bytes could not be
        wiped; the area is back in its place with its old priority.
    """
    machine.check_files_of(area)
    with machine.changes.of("swapoff") as change:
        _read_back(machine, area, payer, change)
        _forget(machine, area)


def _read_back(machine: Machine, area: SwapArea, payer: Task | None, change: Change) -> None:
    _take_out_of_use(machine, area)
    slot = 1
    try:
        while True:
            slot, status = _core.unuse(machine.core, area.number, slot)
            if status == machine.OK:
                break
            if status == machine.IO:
                raise machine.io_error()
            if payer is None:
                raise KernelPanic("nobody to kill")
            payer.oom_victim_first = True
            machine.oom_kill(payer, status)
        wiping.finish(area)
    except (TaskKilled, KernelPanic) as error:
        if machine.areas.get(area.type) is area:  # else it went with the last task of its namespace
            _put_in_use(machine, area)
        code = errno.EINTR if isinstance(error, TaskKilled) else errno.ENOMEM
        raise system_error(
            code, "swapoff ran out of memory; the area is on as before", area.path
        ) from None
    except BaseException:  # an interrupt too: the area is on as before
        _put_in_use(machine, area)
        change.undone()
        raise
    finally:
        if payer is not None:
            payer.oom_victim_first = False


def _forget(machine: Machine, area: SwapArea) -> None:
    scope_table.leave_area(machine.core, area.namespace.owner, area.number)
    area_table.release_file(machine.core, area.number)  # nothing is wiped any more:
    slot_pins.unpin(machine.core, area.number)  # what a checkpoint names stays in the file as it is
    area_table.remove(machine.core, area.number)
    area.backing.close()  # before the tables forget whose file is to be let go
    machine.slot_space.give(area.base, area.backing.end)
    del machine.areas[area.type]
    del machine.area_of_file[area.backing.identity]
    machine.area_types.give(area.type, 1)
    machine.forget_file(area.type)
    area.namespace.areas.remove(area)
    if area.standing < 0 and machine.profile.modern:
        # Default priorities close ranks (6.18 _enable_swap_info's counterpart in swapoff).
        machine.leave_rank(area)
