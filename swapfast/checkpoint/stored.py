"""Arrays in one file: an ``.npz`` whose every byte is determined by them.

- ``pack(arrays)``: the parts of the file, in order.
- ``read(path, known)``: the arrays and the seal; nothing is taken that ``pack`` would not have
  written.
- ``seal_of(parts)``: what tells a file from every other one.

numpy.load reads such a file. Members are stored, never compressed, in the order given, without
gaps, comments or times; the framing of a file that is read is compared with the framing that its
arrays would get, so that no bit of it can be wrong unnoticed. The bytes of a member are covered by
the zip format's CRC-32. Sizes are compared with the file's before memory is taken.

The seal is the SHA-256 of the first member's data and of the directory, which has the CRC-32 of
every member: a name for the whole file that costs nothing to make.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import struct
import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swapfast.checkpoint.disk import opened
from swapfast.checkpoint.patience import breathe, held_back
from swapfast.errors import system_error
from swapfast.swapfile.files import named

__all__ = ["Arrays", "pack", "read", "seal_of"]

Arrays = Mapping[str, NDArray[Any]]

# APPNOTE.TXT 4.3.7, 4.3.12, 4.3.16; no zip64, so that a file has less than 4 GiB.
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_VERSION, _MIDNIGHT, _FIRST_DAY = 20, 0, 0x21  # 1980-01-01
_TYPES: dict[str, np.dtype[Any]] = {"|u1": np.dtype(np.uint8), "<u4": np.dtype("<u4")}
_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '(\|u1|<u4)', 'fortran_order': False, "
    rb"'shape': \((0|[1-9][0-9]{0,11}),\), \} *\n",
    re.DOTALL,
)
_HEADER_BYTES = 128
MOST_MEMBERS = 32
MOST_BYTES = (1 << 32) - 1


def _npy_header(array: NDArray[Any]) -> bytes:
    """numpy.lib.format, version 1.0, padded to 128 bytes."""
    descr = "|u1" if array.dtype == np.uint8 else "<u4"
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({array.size},), }}"
    room = _HEADER_BYTES - 10
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", room) + text.ljust(room - 1).encode() + b"\n"


def _local(name: bytes, crc: int, size: int) -> bytes:
    return (
        _LOCAL.pack(
            b"PK\x03\x04",
            _VERSION,
            0,
            0,
            _MIDNIGHT,
            _FIRST_DAY,
            crc,
            size,
            size,
            len(name),
            0,
        )
        + name
    )


def _central(name: bytes, crc: int, size: int, at: int) -> bytes:
    version = 3 << 8 | _VERSION  # made on Unix
    return (
        _CENTRAL.pack(
            b"PK\x01\x02",
            version,
            _VERSION,
            0,
            0,
            _MIDNIGHT,
            _FIRST_DAY,
            crc,
            size,
            size,
            len(name),
            0,
            0,
            0,
            0,
            0o600 << 16,
            at,
        )
        + name
    )


def _end(members: int, size: int, at: int) -> bytes:
    return _END.pack(b"PK\x05\x06", 0, 0, members, members, size, at, 0)


def pack(arrays: Arrays) -> list[bytes | memoryview]:
    """The bytes of a file with these arrays (uint8 or uint32, one dimension).

    Raises
    ------
    ValueError
        Another dtype, or 4 GiB and more.
    """
    parts: list[bytes | memoryview] = []
    directory = b""
    at = 0
    for name, array in arrays.items():
        if array.dtype not in _TYPES.values() or array.ndim != 1:
            raise ValueError(f"{name}: {array.dtype} {array.shape}; uint8 or uint32 in a row")
        member = f"{name}.npy".encode("ascii")
        header = _npy_header(array)
        data = memoryview(np.ascontiguousarray(array).view(np.uint8).data)
        size = len(header) + len(data)
        crc = zlib.crc32(data, zlib.crc32(header))
        if at + size + (1 << 20) > MOST_BYTES:
            raise ValueError("a checkpoint's metadata are less than 4 GiB; checkpoint less memory")
        local = _local(member, crc, size)
        directory += _central(member, crc, size, at)
        parts += [local, header, data]
        at += len(local) + size
    parts += [directory, _end(len(arrays), len(directory), at)]
    return parts


def seal_of(parts: Sequence[bytes | memoryview]) -> str:
    """The seal of a file that `pack` made: 64 hexadecimal digits."""
    return _seal(parts[2], parts[-2])


def _seal(first: bytes | memoryview, directory: bytes | memoryview) -> str:
    return hashlib.sha256(b"".join((first, directory))).hexdigest()


class _Reader:
    """One file, read with pread into memory of its own."""

    def __init__(self, name: str, fd: int) -> None:
        self.name = name
        self.fd = fd
        self.size = os.fstat(fd).st_size

    def fail(self, where: str, why: str) -> ValueError:
        return ValueError(f"{self.name}: {where}: {why}")

    def bytes(self, where: str, at: int, size: int) -> bytearray:
        if at < 0 or size < 0 or at + size > self.size:
            raise self.fail(where, f"{size} bytes at byte {at} of a file of {self.size}")
        data = bytearray(size)
        view = memoryview(data)
        while view:
            breathe()
            done = os.preadv(self.fd, [view[: 1 << 24]], at)
            if done == 0:
                raise self.fail(where, f"the file ends at byte {at}")
            view, at = view[done:], at + done
        return data


def read(
    path: str | os.PathLike[str], known: Collection[str], *, follow: bool = True
) -> tuple[dict[str, NDArray[Any]], str]:
    """Read arrays that `pack` wrote.

    Parameters
    ----------
    path : path
    known : collection of str
        The names that a file may hold.
    follow : bool
        Take a symbolic link for the file.

    Returns
    -------
    dict
        The arrays.
    str
        The seal.

    Raises
    ------
    OSError
        It cannot be read, or is no regular file.
    ValueError
        It is not such a file: its name, the member, the cause.
    """
    name = os.fspath(path)
    links = 0 if follow else os.O_NOFOLLOW
    # Opening a device may already have an effect.
    if follow and not stat.S_ISREG(os.stat(name).st_mode):
        raise system_error(errno.EINVAL, "is not a regular file", name)
    with held_back(), opened(name, os.O_RDONLY | links) as fd, named(name):
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise system_error(errno.EINVAL, "is not a regular file", name)
        return _read(_Reader(name, fd), known)


def _read(file: _Reader, known: Collection[str]) -> tuple[dict[str, NDArray[Any]], str]:
    if file.size > MOST_BYTES:
        raise file.fail("size", f"{file.size} bytes; metadata are less than 4 GiB")
    if file.size < _END.size:
        raise file.fail("end", f"{file.size} bytes; too short for a checkpoint's metadata")
    end = bytes(file.bytes("end", file.size - _END.size, _END.size))
    magic, _, _, _, members, size, start, _ = _END.unpack(end)
    if magic != b"PK\x05\x06":
        raise file.fail("end", "no zip directory ends there; truncated, or not a checkpoint")
    if not 1 <= members <= MOST_MEMBERS or size > 1 << 16:
        raise file.fail("end", f"{members} members in a directory of {size} bytes")
    if end != _end(members, size, start) or start + size + _END.size != file.size:
        raise file.fail("end", "does not describe this file")
    directory = bytes(file.bytes("directory", start, size))
    arrays: dict[str, NDArray[Any]] = {}
    used = at = 0
    for _ in range(members):
        if used + _CENTRAL.size > size:
            raise file.fail("directory", "ends in the middle of an entry")
        fields = _CENTRAL.unpack_from(directory, used)
        crc, stored, length = fields[7], fields[9], fields[10]
        member = directory[used + _CENTRAL.size : used + _CENTRAL.size + length]
        entry = _central(member, crc, stored, at)
        if directory[used : used + len(entry)] != entry:
            raise file.fail("directory", f"entry at byte {start + used} is not as it should be")
        used += len(entry)
        label = member.decode("ascii", "replace")
        short = label.removesuffix(".npy")
        if short == label or short not in known or short in arrays:
            raise file.fail(label[:40], "is not a member of a checkpoint, or is there twice")
        local = _local(member, crc, stored)
        if bytes(file.bytes(label, at, len(local))) != local:
            raise file.fail(label, f"the entry at byte {at} is not that of the directory")
        at += len(local)
        arrays[short] = _read_array(file, label, at, stored, crc)
        at += stored
    if used != size or at != start:
        raise file.fail("directory", "leaves bytes of the file out")
    first = next(iter(arrays.values()))
    return arrays, _seal(memoryview(first.view(np.uint8).data), directory)


def _read_array(file: _Reader, label: str, at: int, size: int, crc: int) -> NDArray[Any]:
    if size < _HEADER_BYTES:
        raise file.fail(label, f"{size} bytes; too short for an array")
    header = bytes(file.bytes(label, at, _HEADER_BYTES))
    found = _HEADER.fullmatch(header)
    if found is None:
        raise file.fail(label, f"no array header of a checkpoint at byte {at}")
    dtype = _TYPES[found[1].decode()]
    count = int(found[2])
    if count * dtype.itemsize != size - _HEADER_BYTES:
        raise file.fail(label, f"{size - _HEADER_BYTES} bytes of data, {count} {dtype} announced")
    data = file.bytes(label, at + _HEADER_BYTES, size - _HEADER_BYTES)
    if zlib.crc32(data, zlib.crc32(header)) != crc:
        raise file.fail(label, "its CRC-32 is wrong; the file is damaged")
    array: NDArray[Any] = np.frombuffer(data, dtype=dtype)
    if header != _npy_header(array):
        raise file.fail(label, f"the array header at byte {at} is not as it should be")
    return array
