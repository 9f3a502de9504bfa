"""Are all blocks of a swapfile its own?

- `unsupported_extent(fd, size)`: a phrase about the first part of a file that cannot be swapped to.
- `shared_ranges(fd, size)`: parts of a file that it shares with a copy.
- `same_inode(first, second)`, `has_all_blocks(status, size)`: the two questions asked of a stat.

A kernel refuses a file with holes (mm/page_io.c, generic_swapfile_activate; fs/iomap/swapfile.c).
A store into a hole or into blocks shared with a copy may fail when the file system is full, and a
failing store through a mapping is not an error but the end of the process (SIGBUS).
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Iterator

_FS_IOC_FIEMAP = 0xC020660B  # include/uapi/linux/fs.h: _IOWR('f', 11, struct fiemap)
_REQUEST = struct.Struct("=QQLLLL")  # start, length, flags, mapped extents, room, reserved
_EXTENT = struct.Struct("=QQQQQLLLL")  # logical, physical, length, 2 reserved, flags, 3 reserved
_ROOM = 256  # extents asked for at a time: 14 KiB
# include/uapi/linux/fiemap.h
_LAST, _ENCODED, _INLINE, _SHARED = 0x1, 0x8, 0x200, 0x2000
_FAULTS = (
    (_SHARED, "shares its blocks with a copy (reflink)"),
    (_ENCODED, "is compressed or encrypted by the file system"),
    (_INLINE, "has no block of its own (inline data)"),
)


def same_inode(first: os.stat_result, second: os.stat_result) -> bool:
    """Both results are of one file."""
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


def has_all_blocks(status: os.stat_result, size: int) -> bool:
    """As many blocks are allocated as `size` bytes need."""
    return status.st_blocks * 512 >= size


def unsupported_extent(fd: int, size: int) -> str | None:
    """Describe the first part of the first `size` bytes of `fd` that a swap area may not have.

    Block counts alone miss a hole in a file that has blocks allocated beyond its end or for its
    own extent tree, so the file system is asked for the extents as well, where it can tell.

    Returns
    -------
    str or None
        A phrase to follow the name of the file; None when all is well.
    """
    if not has_all_blocks(os.fstat(fd), size):
        return "has holes"
    at = 0
    while at < size:
        extents = _extents(fd, at, size - at)
        if extents is None:
            return None
        if not extents:
            return f"has a hole at byte {at}"
        for logical, length, flags in extents:
            if logical > at:
                return f"has a hole at byte {at}"
            for flag, phrase in _FAULTS:
                if flags & flag:
                    return f"{phrase} at byte {logical}"
            at = logical + length
            if at >= size:
                return None
            if flags & _LAST:
                return f"has a hole at byte {at}"
    return None


def shared_ranges(fd: int, size: int) -> Iterator[tuple[int, int]]:
    """Parts of the first `size` bytes that share their blocks (reflink), as (byte, length)."""
    at = 0
    while at < size:
        extents = _extents(fd, at, size - at)
        if not extents:
            return
        for logical, length, flags in extents:
            if flags & _SHARED:
                yield logical, min(logical + length, size) - logical
            at = logical + length
            if flags & _LAST:
                return


def _extents(fd: int, start: int, length: int) -> list[tuple[int, int, int]] | None:
    """Extents of `length` bytes from `start` as (byte, length, flags); None: cannot be asked."""
    request = bytearray(_REQUEST.size + _ROOM * _EXTENT.size)
    _REQUEST.pack_into(request, 0, start, length, 0, 0, _ROOM, 0)
    try:
        fcntl.ioctl(fd, _FS_IOC_FIEMAP, request)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.ENOSYS):
            return None
        raise
    count = _REQUEST.unpack_from(request)[3]
    found = []
    for index in range(count):
        fields = _EXTENT.unpack_from(request, _REQUEST.size + index * _EXTENT.size)
        found.append((fields[0], fields[2], fields[5]))
    return found
