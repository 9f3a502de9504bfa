"""Swap areas go on and off; the one place that writes the kernel's tables of them.

- ``add(kernel, ns, backing, flags)``: an opened file, or a simulated device; all or nothing.
- ``add_device(kernel, size, ...)``: an ideal device for a machine without contents.
- ``turn_off(kernel, area, shortage)``: read everything back, then forget the area.
- ``forget``: an area whose slots are empty.

Source: mm/swapfile.c, sys_swapon and sys_swapoff, of 2.6.25 and 6.18.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from swapfast import _core
from swapfast import flags as f
from swapfast.core import area_table, slot_pins
from swapfast.errors import KernelPanic, TaskKilled, system_error
from swapfast.kernel import scope_kinds, scopes, wiping
from swapfast.kernel.device import SimulatedDevice
from swapfast.kernel.state import Kernel, SwapArea, SwapNamespace, Task
from swapfast.units import PAGE_SIZE, parse_size

if TYPE_CHECKING:
    from swapfast.swapfile import SwapBacking

__all__ = ["add", "add_device", "check_flags", "check_room", "forget", "nobody_dies", "turn_off"]

MOST_SLOTS = 1 << 31  # of one area, with its header


def check_room(kernel: Kernel, path: str | None = None) -> None:
    """Refuse an area more than MAX_SWAPFILES.

    Raises
    ------
    OSError
        EPERM.
    """
    most = kernel.options.max_swapfiles
    if len(kernel.areas) >= most:
        raise system_error(errno.EPERM, f"{most} swap areas (MAX_SWAPFILES) are on", path)


def check_flags(kernel: Kernel, flags: int, path: str | os.PathLike[str] | None = None) -> None:
    """Refuse flags of swapon(2) that the kernel does not know; 2.6.25 takes any.

    Raises
    ------
    OSError
        EINVAL.
    """
    unknown = flags & ~(f.SWAP_FLAGS_VALID | scope_kinds.kind_of(kernel).swapon_flags)
    if kernel.profile.modern and unknown:
        hint = '; boot with swap_scope="private"' if unknown == f.SWAP_FLAG_PRIVATE else ""
        raise system_error(errno.EINVAL, f"unknown swapon flags {unknown:#x}{hint}", path)


def add_device(
    kernel: Kernel,
    size: int | str,
    *,
    priority: int | None = None,
    task: Task | None = None,
    private: bool = False,
) -> SwapArea:
    """Turn on an ideal device of ``size`` bytes: slots, no bytes.

    It is of the swap namespace of the task, or of the initial one.

    ``private``: with SWAP_FLAG_PRIVATE, for the cgroups that name it.

    Raises
    ------
    ValueError
        The machine has contents: they need a file; or the priority is not 0 to 32767.
    OSError
        EINVAL: no flag of this kernel (`check_flags`); EPERM: MAX_SWAPFILES areas are on; or as
        rule ``second_swapon`` says, in a child namespace.
    """
    kernel.check_usable()
    ns = kernel.init.swap_ns if task is None else task.swap_ns
    if kernel.contents:
        raise ValueError("a machine with contents swaps to files: use swapon")
    if priority is not None and not 0 <= priority <= f.SWAP_FLAG_PRIO_MASK:
        raise ValueError(f"priority is 0 to {f.SWAP_FLAG_PRIO_MASK}, not {priority}")
    flags = 0 if priority is None else f.SWAP_FLAG_PREFER | priority
    if private:
        flags |= f.SWAP_FLAG_PRIVATE
    check_flags(kernel, flags)
    check_room(kernel)
    scopes.check_one_area(kernel, ns)
    number = kernel.area_types.take()
    kernel.area_types.give(number)
    device = SimulatedDevice(f"/dev/simulated{number}", parse_size(size) // PAGE_SIZE - 1)
    with kernel.changes.of("swapon"):
        return add(kernel, ns, device, flags)


def add(
    kernel: Kernel, ns: SwapNamespace, backing: SwapBacking | SimulatedDevice, flags: int
) -> SwapArea:
    """Enter an opened file, or a simulated device, into the tables; all or nothing.

    Raises
    ------
    OSError
        EINVAL: too many slots; ENOMEM: the slot indexes are used up.
    """
    if backing.end > MOST_SLOTS:
        raise system_error(
            errno.EINVAL,
            f"an area has {MOST_SLOTS} slots of {PAGE_SIZE} bytes at most, not {backing.end}; "
            "make several",
            backing.path,
        )
    chosen = flags & f.SWAP_FLAG_PREFER
    private = bool(kernel.profile.modern and flags & f.SWAP_FLAG_PRIVATE)
    try:
        base = kernel.slot_space.take(backing.end)
    except MemoryError as error:
        raise system_error(errno.ENOMEM, str(error), backing.path) from None
    standing = flags & f.SWAP_FLAG_PRIO_MASK if chosen else kernel.ranks.take()
    array = backing.array if kernel.contents and not isinstance(backing, SimulatedDevice) else None
    try:
        number = area_table.add(
            kernel.core,
            base,
            backing.end,
            standing,
            _core.NOWHERE if private else ns.scope,
            bad=backing.bad_pages,
            file=array,
            clustered=kernel.profile.modern,
            sums=kernel.options.checksums and array is not None,
        )
    except BaseException:
        kernel.slot_space.give(base, backing.end)
        if not chosen:
            kernel.ranks.untake()
        raise
    type_ = kernel.area_types.take()
    area = SwapArea(type_, number, base, backing, standing, ns, private=private)
    kernel.areas[type_] = area
    kernel.area_of_file[backing.identity] = area
    kernel.files.watch(area)
    ns.areas.append(area)
    ns.swapped_on += 1
    scopes.publish(kernel, area)
    return area


def nobody_dies(status: int) -> None:
    """What happens on a shortage where no task may be killed for it.

    Raises
    ------
    KernelPanic
        Always.
    """
    raise KernelPanic("nobody to kill")


def turn_off(kernel: Kernel, area: SwapArea, shortage: Callable[[int], None]) -> None:
    """Read back all its slots, then forget it.

    Parameters
    ----------
    kernel : Kernel
    area : SwapArea
    shortage : callable
        Called with the core's status where no page was to be had; it frees memory, or raises.

    Raises
    ------
    OSError
        ENOMEM, EINTR, or EIO: a page could not be read, or, ENOSPC, ... too, old bytes could not be
        wiped; the area is back in its place with its old priority.
    """
    kernel.files.look_at(area)
    with kernel.changes.of("swapoff"):
        _read_back(kernel, area, shortage)
        forget(kernel, area)


def _read_back(kernel: Kernel, area: SwapArea, shortage: Callable[[int], None]) -> None:
    scopes.withdraw(kernel, area)
    slot = 1
    try:
        while True:
            slot, status = _core.unuse(kernel.core, area.number, slot)
            if status == _core.OK:
                break
            if status == _core.IO:
                raise kernel.files.io_error(kernel.areas.values())
            shortage(status)
        wiping.finish(area)
    except (TaskKilled, KernelPanic) as error:
        if kernel.areas.get(area.type) is area:  # else it went with the last task of its namespace
            scopes.publish(kernel, area)
        code = errno.EINTR if isinstance(error, TaskKilled) else errno.ENOMEM
        raise system_error(
            code, "swapoff ran out of memory; the area is on as before", area.path
        ) from None
    except BaseException as error:  # an interrupt too: the area is on as before
        scopes.publish(kernel, area)
        kernel.changes.undone(error)
        raise


def forget(kernel: Kernel, area: SwapArea) -> None:
    """Take an area out of every table that is withdrawn, and whose slots are empty."""
    scope_kinds.area_goes(kernel, area)
    area_table.release_file(kernel.core, area.number)  # nothing is wiped any more:
    slot_pins.unpin(kernel.core, area.number)  # what a checkpoint names stays in the file as it is
    area_table.remove(kernel.core, area.number)
    area.backing.close()  # before the tables forget whose file is to be let go
    kernel.slot_space.give(area.base, area.backing.end)
    del kernel.areas[area.type]
    del kernel.area_of_file[area.backing.identity]
    kernel.area_types.give(area.type)
    kernel.files.forget(area)
    area.namespace.areas.remove(area)
    if area.standing < 0 and kernel.profile.modern:
        # Default priorities close ranks (6.18 _enable_swap_info's counterpart in swapoff).
        left = kernel.ranks.leave(area.standing)
        if left > len(kernel.areas):
            _close_ranks(kernel)


def _close_ranks(kernel: Kernel) -> None:
    # Their order does not change by it. Done rarely: a swapoff would cost as many steps as there
    # are areas.
    areas = list(kernel.areas.values())
    for area in areas:
        area.standing = area.priority
    kernel.ranks.close()
    area_table.renumber(kernel.core, [a.number for a in areas], [a.standing for a in areas])
