"""Calls that change mappings: how they are let through, and what they have done.

- ``admitted(call)``: the call as it is to be made, or an errno.
- ``done(space, call, result, keeper)``: it was made.

Memory of a kind that cannot be taken away is refused, hints are left out: the kernel itself must
not bring pages in or give them back unseen.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from swapfast.shell.memory import _tracee
from swapfast.shell.memory.fence import BRK, CLONE, MADVISE, MMAP, MREMAP, MUNMAP
from swapfast.shell.memory.keeper import Keeper
from swapfast.shell.memory.space import Call, Space
from swapfast.units import PAGE_SIZE

__all__ = ["DONE", "admitted", "copies", "done", "register", "waits"]

MAP_PRIVATE, MAP_TYPE, MAP_FIXED, MAP_ANONYMOUS = 0x02, 0x0F, 0x10, 0x20
MAP_GROWSDOWN, MAP_LOCKED, MAP_POPULATE, MAP_HUGETLB = 0x100, 0x2000, 0x8000, 0x40000
NOT_SIMULATED = MAP_GROWSDOWN | MAP_HUGETLB
HINTS = MAP_LOCKED | MAP_POPULATE
MREMAP_MAYMOVE, MREMAP_FIXED, MREMAP_DONTUNMAP = 1, 2, 4
CLONE_VM, CLONE_UNTRACED = 0x100, 0x800000

DONTNEED, FREE, DONTNEED_LOCKED = 4, 8, 24
POPULATE = (22, 23)
# NORMAL to WILLNEED, DONTNEED, NOHUGEPAGE, DONTDUMP, DODUMP, COLD, PAGEOUT, POPULATE_*
HARMLESS = (0, 1, 2, 3, 4, 14, 15, 16, 17, 20, 21, 22, 23, 24)


def admitted(call: Call) -> Call | int:
    """How a call is to be made; an errno: not at all."""
    number, a = call
    if number == MMAP:
        return number, (*a[:3], a[3] & ~HINTS, *a[4:])
    if number == MADVISE and a[2] == FREE:  # the kernel may give such pages back at any time
        return number, (a[0], a[1], DONTNEED, *a[3:])
    if number == MADVISE and a[2] & 0xFFFFFFFF not in HARMLESS:
        return errno.EINVAL
    if number == MREMAP and a[3] & MREMAP_DONTUNMAP:
        return errno.EINVAL
    if number == CLONE:
        return number, (a[0] & ~CLONE_UNTRACED, *a[1:])
    return call


def copies(call: Call) -> bool:
    """Whether it is a fork(2) or clone(2) that copies the address space."""
    return call[0] != CLONE or not call[1][0] & CLONE_VM


def waits(call: Call) -> bool:
    """Whether it does not end while nobody reads the userfaultfd."""
    return call[0] == MREMAP or (call[0] == MADVISE and call[1][2] in POPULATE)


def register(space: Space, first: int, end: int) -> None:
    """Faults of a range come here from now on.

    Raises
    ------
    OSError
        It is no memory of this kind.
    """
    _tracee.register(space.uffd, first, end - first)
    space.ranges.add(first, end)


def done(space: Space, call: Call, result: int, keeper: Keeper) -> None:
    """A call has returned: who keeps the pages follows.

    Raises
    ------
    OSError
        New memory cannot be watched.
    """
    what = DONE.get(call[0])
    if what is not None:
        what(space, call[1], result, keeper)


def _mapped(space: Space, a: tuple[int, ...], result: int, keeper: Keeper) -> None:
    if _failed(result):
        return
    end = result + _up(a[1])
    if a[3] & MAP_FIXED:
        _forget(space, result, end, keeper)
        space.ranges.remove(result, end)
    anonymous = a[3] & (MAP_TYPE | MAP_ANONYMOUS) == MAP_PRIVATE | MAP_ANONYMOUS
    if anonymous and not a[3] & NOT_SIMULATED:
        register(space, result, end)


def _unmapped(space: Space, a: tuple[int, ...], result: int, keeper: Keeper) -> None:
    if result == 0:
        first, end = a[0], a[0] + _up(a[1])
        _forget(space, first, end, keeper)
        space.ranges.remove(first, end)


def _broken(space: Space, a: tuple[int, ...], result: int, keeper: Keeper) -> None:
    before, now = _up(space.brk), _up(result)
    space.brk = result
    if now > before:
        register(space, before, now)
    elif now < before:
        _forget(space, now, before, keeper)
        space.ranges.remove(now, before)


def _advised(space: Space, a: tuple[int, ...], result: int, keeper: Keeper) -> None:
    # ENOMEM: there are holes, and what lies between them was given back.
    if a[2] in (DONTNEED, DONTNEED_LOCKED) and result in (0, -errno.ENOMEM):
        _forget(space, a[0], a[0] + _up(a[1]), keeper)


def _remapped(space: Space, a: tuple[int, ...], result: int, keeper: Keeper) -> None:
    if _failed(result) or a[1] == 0:
        return
    old, before, after = a[0], _up(a[1]), _up(a[2])
    runs = space.ranges.within(old, old + before)
    if result != old:
        if a[3] & MREMAP_FIXED:
            _forget(space, result, result + after, keeper)
            space.ranges.remove(result, result + after)
        space.ranges.remove(old, old + before)
        for first, end in runs:
            end = min(end, old + after)
            if first < end:
                there = result + first - old
                register(space, there, there + end - first)
                _tracee.protect(space.uffd, there, end - first)
                keeper.move(space, first, there, end - first)
        _forget(space, old, old + before, keeper)
    elif after < before:
        _forget(space, old + after, old + before, keeper)
        space.ranges.remove(old + after, old + before)
    if after > before and runs and runs[-1][1] == old + before:
        register(space, result + before, result + after)


def _forget(space: Space, first: int, end: int, keeper: Keeper) -> None:
    for a, b in space.ranges.within(first, end):
        keeper.forget(space, a, b - a)


def _failed(result: int) -> bool:
    return -4096 < result < 0


def _up(size: int) -> int:
    return size + -size % PAGE_SIZE


DONE: dict[int, Callable[[Space, tuple[int, ...], int, Keeper], None]] = {
    MMAP: _mapped,
    MUNMAP: _unmapped,
    BRK: _broken,
    MREMAP: _remapped,
    MADVISE: _advised,
}
