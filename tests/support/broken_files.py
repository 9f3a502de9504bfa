"""What can happen to a swapfile that is on.

- ``bad_sectors(backing, first, count)`` -> undo: accesses to these slots through the mapping fail,
  as on a broken disk or a full one (SIGBUS).
- ``files_end_at(size)``: a block in which writes beyond so many bytes of any file fail with EFBIG.
- ``punch(path, first, count)``: the slots lose their blocks; False: this file system cannot.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from swapfast.swapfile import SwapBacking

PAGE = 4096
_FIXED, _PUNCH_KEEP_SIZE = 0x10, 0x3
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]


def _map_at(address: int, length: int, fd: int, offset: int) -> None:
    flags = mmap.MAP_SHARED | _FIXED
    protection = mmap.PROT_READ | mmap.PROT_WRITE
    assert _libc.mmap(address, length, protection, flags, fd, offset) == address
    _libc.madvise(ctypes.c_void_p(address), ctypes.c_size_t(length), mmap.MADV_DONTFORK)


def bad_sectors(backing: SwapBacking, first: int, count: int) -> Callable[[], None]:
    count = max(0, min(count, backing.end - first))
    if count == 0:
        return lambda: None
    at, length = backing.map.address + first * PAGE, count * PAGE
    with tempfile.TemporaryFile() as nothing:
        _map_at(at, length, nothing.fileno(), 0)

    def repair() -> None:
        if not backing.closed:
            _map_at(at, length, backing.fileno(), first * PAGE)

    return repair


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def punch(path: Path, first: int, count: int) -> bool:
    fd = os.open(path, os.O_RDWR)
    try:
        return _libc.fallocate(fd, _PUNCH_KEEP_SIZE, first * PAGE, count * PAGE) == 0
    finally:
        os.close(fd)
