"""A file in memory, shared with the file system, and never with a forked child.

- `FileMapping(fd, length)`: the bytes as a numpy array, `array`.
- `close()`: give the array up; the memory goes when the last view of it has gone.
- `abandon()`: for a forked child, where the memory is not there at all.

mmap.mmap is not used because it duplicates the descriptor out of reach: a forked child would hold
the file's lock through it for as long as the child lives.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import weakref

import numpy as np
from numpy.typing import NDArray

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_long,
]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

_MAP_FAILED = ctypes.c_void_p(-1).value
_PROT_NONE = 0
_MAP_NORESERVE, _MAP_FIXED_NOREPLACE = 0x4000, 0x100000  # asm-generic/mman-common.h


def _failure() -> OSError:
    code = ctypes.get_errno()
    return OSError(code, os.strerror(code))


def _unmap(address: int, length: int) -> None:
    _libc.munmap(address, length)


class FileMapping:
    """`length` bytes of a file from its beginning, readable and writable, MAP_SHARED.

    Parameters
    ----------
    fd : int
        Descriptor open for reading and writing; not kept.
    length : int
        Bytes, at least 1; the file must have them.

    Attributes
    ----------
    array : ndarray of uint8, shape (length,)
        The bytes. Empty once closed or abandoned.
    address : int
        Where they are.

    Raises
    ------
    OSError
        From mmap(2) or madvise(2), e.g. ENOMEM; ETXTBSY when the kernel swaps to the file.
    """

    def __init__(self, fd: int, length: int) -> None:
        protection = mmap.PROT_READ | mmap.PROT_WRITE
        address = _libc.mmap(None, length, protection, mmap.MAP_SHARED, fd, 0)
        if address is None or address == _MAP_FAILED:
            raise _failure()
        self.address: int = address
        self.length = length
        buffer = (ctypes.c_uint8 * length).from_address(address)
        # Every view keeps `buffer` alive, so memory cannot vanish under one.
        self._release = weakref.finalize(buffer, _unmap, address, length)
        self._release.atexit = False
        self.array: NDArray[np.uint8] = np.frombuffer(memoryview(buffer), dtype=np.uint8)
        # Slots are read and written in no order that readahead could guess.
        for advice in (mmap.MADV_DONTFORK, mmap.MADV_RANDOM):
            self.madvise(advice)

    def madvise(self, advice: int) -> None:
        """madvise(2) on the whole mapping."""
        if _libc.madvise(self.address, self.length, advice):
            raise _failure()

    def close(self) -> None:
        """Drop the array; without other views the memory is unmapped at once."""
        self.array = np.empty(0, dtype=np.uint8)

    def abandon(self) -> None:
        """In a forked child: forget the mapping, which MADV_DONTFORK kept out of it.

        The addresses are filled with inaccessible memory, so that a stale view ends in a fault
        and not in whatever the child would have got there next.
        """
        self._release.detach()
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE | _MAP_FIXED_NOREPLACE
        _libc.mmap(self.address, self.length, _PROT_NONE, flags, -1, 0)
        self.close()
