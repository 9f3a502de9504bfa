"""Pages on their way from file to file, in runs.

- ``copy_pages(disk, source, pages, fd, at, ...)``: some pages of one file to places in another.
- ``gather(chain, fd, disk, ...)``: all pages of a chain, each to its slot.
- ``unshare(path, disk, facts)``: blocks of its own for the swapfile of an image.
- ``open_data(link)``: the file with an image's pages, read-only and checked.

Blocks are shared where the file system can (reflink), and copied elsewhere; where checksums are
compared, what was read is what is written. A swapfile that shares blocks is refused by swapon, and
needs room on the disk when it is written to: a restart gives it its own again.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swapfast.checkpoint.chain import Chain, Link, judge_header
from swapfast.checkpoint.disk import Disk, opened_file
from swapfast.checkpoint.patience import breathe
from swapfast.core import slot_pins
from swapfast.errors import system_error
from swapfast.swapfile.extents import shared_ranges
from swapfast.swapfile.files import kernel_areas, named, read_at
from swapfast.swapfile.header import PAGE_SIZE

__all__ = ["copy_pages", "gather", "open_data", "runs", "unshare"]

I64 = NDArray[np.int64]
U32 = NDArray[np.uint32]
CHUNK = 1024  # pages copied at a time


def runs(*columns: I64, most: int = CHUNK) -> Iterator[slice]:
    """Slices in which each column goes up by one, of at most so many values."""
    size = columns[0].size
    breaks = np.zeros(max(size - 1, 0), dtype=bool)
    for column in columns:
        breaks |= np.diff(column) != 1
    begin = 0
    for end in (*(np.flatnonzero(breaks) + 1).tolist(), size):
        for start in range(begin, end, most):
            yield slice(start, min(start + most, end))
        begin = end


def copy_pages(
    disk: Disk,
    source: tuple[int, str],
    pages: I64,
    fd: int,
    at: I64,
    *,
    share: bool,
    sums: U32 | None = None,
) -> None:
    """Copy pages.

    Parameters
    ----------
    disk : Disk
    source : (int, str)
        Descriptor and name.
    pages, at : int64 arrays
        Page numbers in the source, and in the target.
    fd : int
        Of the target.
    share : bool
        The target may share blocks with the source; see `unshare`.
    sums : uint32 array, optional
        The checksum of each.

    Raises
    ------
    OSError
        EIO: the source ends early, or a checksum is wrong; others as the system says.
    """
    share = share and sums is None
    for part in runs(pages, at):
        breathe()
        start, to = int(pages[part.start]) * PAGE_SIZE, int(at[part.start]) * PAGE_SIZE
        size = (part.stop - part.start) * PAGE_SIZE
        if share:
            share = disk.clone(source[0], start, size, fd, to)
            if share:
                continue
        data = read_at(source[0], size, start)
        if len(data) != size:
            raise system_error(errno.EIO, f"ends at byte {start + len(data)}", source[1])
        if sums is not None:
            wrong = np.flatnonzero(slot_pins.checksums(np.frombuffer(data, np.uint8)) != sums[part])
            if wrong.size:
                page = int(pages[part][wrong[0]])
                raise system_error(errno.EIO, f"page {page}: its checksum is wrong", source[1])
        disk.write(fd, data, to)


@contextlib.contextmanager
def open_data(link: Link, name: str | None = None) -> Iterator[tuple[int, str]]:
    """The file with an image's pages, or a file in its place: descriptor and name.

    Raises
    ------
    OSError
        It cannot be read, or is no regular file.
    ValueError
        It is another one.
    """
    path = link.data if name is None else name
    with opened_file(path, os.O_RDONLY) as fd:
        judge_header(link.facts, read_at(fd, PAGE_SIZE, 0), path)
        yield fd, path


def gather(chain: Chain, fd: int, disk: Disk, *, compare: bool) -> None:
    """Write all pages of a chain to their slots in a new file; the header page is not written.

    Raises
    ------
    OSError
        As `copy_pages`; EINVAL: the oldest image's file is shorter than its area.
    ValueError
        A file of pages is another one.
    """
    slot, image = chain.image.slot.values().astype(np.int64), chain.image
    bytes_ = image.facts["area"]["slots"] * PAGE_SIZE
    for number, (link, which) in enumerate(chain.parts):
        with open_data(link) as source:
            if number == 0:
                # What an image claims is not taken from the disk before a file has it.
                status = os.fstat(source[0])
                if min(status.st_size, status.st_blocks * 512) < bytes_:
                    raise system_error(errno.EINVAL, "is shorter than its area", source[1])
                disk.allocate(fd, bytes_)
            order = which[np.argsort(slot[which], kind="stable")]
            sums = image.sums[order] if compare and image.sums is not None else None
            copy_pages(disk, source, chain.place[order], fd, slot[order], share=False, sums=sums)


def unshare(path: str, disk: Disk, facts: dict[str, Any]) -> None:
    """Write the blocks that a swapfile shares with a copy over with the same bytes.

    An image names any file that it likes: only one that is this image's swapfile is written to. Any
    other, one that is in use, or that could not be opened, is left for `SwapBacking` to refuse.

    Parameters
    ----------
    path : str
    disk : Disk
    facts : dict
        Of the image.

    Raises
    ------
    OSError
        EIO, ENOSPC, ...: as the system says.
    ValueError
        It is another file.
    """
    with contextlib.suppress(_NotOpen), _own(path) as fd:
        judge_header(facts, read_at(fd, PAGE_SIZE, 0), path)
        size = os.fstat(fd).st_size
        if size < facts["area"]["slots"] * PAGE_SIZE:
            return
        with named(path):
            shared = list(shared_ranges(fd, size))
            for start, length in shared:
                for at in range(start, start + length, CHUNK * PAGE_SIZE):
                    part = min(CHUNK * PAGE_SIZE, start + length - at)
                    disk.write(fd, read_at(fd, part, at), at)
                    breathe()
            if shared:
                disk.sync(fd)  # which gives them blocks


class _NotOpen(Exception):
    """`SwapBacking` says better why."""


@contextlib.contextmanager
def _own(path: str) -> Iterator[int]:
    """A plain file that nobody else uses, locked."""
    with contextlib.ExitStack() as stack:
        try:
            fd = stack.enter_context(opened_file(path, os.O_RDWR))
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise _NotOpen from None
        status = os.fstat(fd)
        if status.st_nlink > 1 or (status.st_dev, status.st_ino) in kernel_areas():
            raise _NotOpen
        yield fd
