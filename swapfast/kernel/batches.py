"""Batches of references and bytes, with the OOM killer between their parts.

- ``touch``, ``read``, ``write``: what a program does with a mapping.
- ``run(mapping, refs)``, ``replay(trace, mapping)``: references as the core takes them.
- ``account(task, faults, majors, ns)``: what a task did.
"""

from __future__ import annotations

import errno
from bisect import bisect_right
from typing import TYPE_CHECKING, Protocol

import numpy as np

from swapfast import _core
from swapfast.core import memcg_table
from swapfast.errors import system_error
from swapfast.kernel.oom import no_page
from swapfast.kernel.state import MOST_PAGES, Mapping, Task
from swapfast.units import PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import ArrayLike, NDArray

__all__ = ["account", "read", "replay", "run", "touch", "write"]

REFERENCE_WRITE = np.uint32(0x80000000)
REPLAY_CHUNK = 1 << 22  # references between two calls of a progress function


class _References(Protocol):
    """What is asked of a trace here."""

    @property
    def pages(self) -> int: ...
    @property
    def is_private(self) -> bool: ...
    def __len__(self) -> int: ...
    def chunks(self, size: int, /) -> Iterator[NDArray[np.uint32]]: ...


def touch(
    mapping: Mapping,
    pages: ArrayLike | slice | None = None,
    write: bool | ArrayLike = False,
    *,
    tag: str | None = None,
) -> None:
    """Reference pages in order; see `Mapping.touch`."""
    run(mapping, _references(mapping, pages, write), tag=tag, checked=True)


def write(mapping: Mapping, offset: int, data: bytes | bytearray | memoryview) -> None:
    """Store bytes; see `Mapping.write`."""
    view = memoryview(data).cast("B")
    _check_range(mapping, offset, view.nbytes)
    if mapping.readonly:
        raise system_error(errno.EFAULT, f"the mapping at {mapping.addr:#x} is read only")
    _copy(mapping, offset, view, write=True)


def read(mapping: Mapping, offset: int, length: int) -> bytes:
    """Bytes of a range; see `Mapping.read`."""
    _check_range(mapping, offset, length)
    data = bytearray(length)
    _copy(mapping, offset, memoryview(data), write=False)
    return bytes(data)


def run(
    mapping: Mapping,
    refs: NDArray[np.uint32],
    *,
    tag: str | None = None,
    first_number: int = 0,
    checked: bool = False,
) -> None:
    """Replay references of one mapping; bit 31 is a write, the rest the page.

    Parameters
    ----------
    mapping : Mapping
    refs : uint32 array, contiguous
    tag : str, optional
        With contents: writes stamp their pages with this text.
    first_number : int
        Number of ``refs[0]``, for the stamps.
    checked : bool
        The caller made sure that every page is inside.

    Raises
    ------
    ValueError
        A page outside the mapping.
    OSError
        EIO, ESTALE: a swapfile is gone; EFAULT: the mapping is; EIO, ENOSPC, ...: all is done,
        but a slot could not be wiped.
    TaskKilled
        The OOM killer took the task that maps it.
    """
    kernel = mapping.mm.kernel
    task = _payer(mapping)
    raw = None if tag is None else tag.encode("ascii", "replace")[:16].ljust(16)
    before = _begin(mapping)
    start, end = 0, len(refs)
    step = kernel.options.lru_drain or end or 1
    try:
        while True:
            stop = min((start // step + 1) * step, end)
            start, status = _core.touch(
                kernel.core,
                mapping.number,
                refs if stop == end else refs[:stop],
                start=start,
                tag=raw,
                first_number=first_number,
                checked=checked,
            )
            if status != _core.OK:
                no_page(kernel, task, status)
                continue
            if kernel.options.lru_drain and start % step == 0:
                memcg_table.drain(kernel.core)
            if start == end:
                break
    finally:
        _account(task, before)
    kernel.check_wiped(task.swap_ns)


def replay(
    trace: _References,
    into: Mapping,
    *,
    tag: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Replay a trace into a mapping that has at least its pages.

    Parameters
    ----------
    trace : Trace
    into : Mapping
    tag : str, optional
        With contents: each write stamps its page with this text (16 characters), the page and
        the number of the reference.
    progress : callable, optional
        Called as ``progress(references done, all)``.

    Raises
    ------
    ValueError
        The mapping is too small.
    OSError, TaskKilled
        As `run`.
    """
    if trace.pages > into.pages:
        raise ValueError(f"a trace of {trace.pages} pages into a mapping of {into.pages}")
    n, done = len(trace), 0
    for refs in trace.chunks(REPLAY_CHUNK):
        run(into, refs, tag=tag, first_number=done, checked=trace.is_private)
        done += len(refs)
        if progress is not None:
            progress(done, n)


def _check_range(mapping: Mapping, offset: int, length: int) -> None:
    if length < 0 or offset < 0:
        raise ValueError("offset and length are not negative")
    first, end = offset // PAGE_SIZE, -(-(offset + length) // PAGE_SIZE)
    at = bisect_right(mapping.ranges, (first, MOST_PAGES)) - 1
    if at < 0 or end > mapping.ranges[at][1]:
        raise system_error(
            errno.EFAULT,
            f"bytes {offset}..{offset + length} are not mapped at {mapping.addr:#x}",
        )


def _page_numbers(pages: ArrayLike | slice | None, all_pages: int) -> NDArray[np.integer]:
    if pages is None:
        pages = slice(None)
    if isinstance(pages, slice):
        return np.arange(*pages.indices(all_pages), dtype=np.int64)
    numbers = np.asarray(pages)
    if numbers.size and numbers.dtype.kind not in "iu":
        raise ValueError(f"page numbers are integers, not {numbers.dtype}")
    return numbers.ravel()


def _references(
    mapping: Mapping, pages: ArrayLike | slice | None, write: bool | ArrayLike
) -> NDArray[np.uint32]:
    numbers = _page_numbers(pages, mapping.pages)
    if numbers.size:
        low, high = int(numbers.min()), int(numbers.max())
        if low < 0 or high >= mapping.pages:
            worst = low if low < 0 else high
            raise ValueError(f"page {worst} of a mapping of {mapping.pages} pages")
        if len(mapping.ranges) != 1 or mapping.ranges[0] != (0, mapping.pages):
            _check_holes(mapping, numbers)
    refs = numbers.astype(np.uint32)
    writes = np.asarray(write, dtype=bool)
    if writes.ndim and writes.size != refs.size:
        raise ValueError(f"{writes.size} write flags for {refs.size} references")
    if mapping.readonly and writes.any():
        raise system_error(errno.EFAULT, f"the mapping at {mapping.addr:#x} is read only")
    if writes.ndim:
        refs[writes.ravel()] |= REFERENCE_WRITE
    elif writes:
        refs |= REFERENCE_WRITE
    return refs


def _check_holes(mapping: Mapping, numbers: NDArray[np.integer]) -> None:
    mapped = np.zeros(mapping.pages, dtype=bool)
    for first, end in mapping.ranges:
        mapped[first:end] = True
    lost = numbers[~mapped[numbers]]
    if lost.size:
        raise system_error(errno.EFAULT, f"page {int(lost[0])} was unmapped")


def _copy(mapping: Mapping, offset: int, data: memoryview, *, write: bool) -> None:
    kernel = mapping.mm.kernel
    if not kernel.contents:
        raise system_error(errno.EINVAL, "this machine has no contents; make it with contents=True")
    task = _payer(mapping)
    before = _begin(mapping)
    move = _core.copy_in if write else _core.copy_out
    done = 0
    try:
        while done < len(data):
            step, status = move(kernel.core, mapping.number, offset + done, data[done:])
            done += step
            if status != _core.OK:
                no_page(kernel, task, status)
    finally:
        _account(task, before)
    kernel.check_wiped(task.swap_ns)


def _payer(mapping: Mapping) -> Task:
    if not mapping.mm.users:
        raise system_error(errno.ESRCH, "the process that mapped this memory is gone")
    if not mapping.ranges:
        raise system_error(errno.EFAULT, f"nothing is mapped at {mapping.addr:#x} any more")
    return min(mapping.mm.users, key=lambda t: t.pid)


def _begin(mapping: Mapping) -> tuple[int, int, int]:
    kernel = mapping.mm.kernel
    kernel.files.look(mapping.mm.swap_ns.areas)
    return *kernel.core.faults(), kernel.core.now


def _account(task: Task, before: tuple[int, int, int]) -> None:
    core = task.kernel.core
    faults, majors = core.faults()
    account(task, faults - before[0], majors - before[1], core.now - before[2])


def account(task: Task, faults: int, majors: int, ns: int) -> None:
    """What a task did: faults, the major ones among them, and processor time."""
    group = task.kernel.groups.rows[task.mm.group]
    task.maj_flt += majors
    task.min_flt += faults - majors
    group.pgfault += faults
    group.pgmajfault += majors
    task.utime_ns += ns
