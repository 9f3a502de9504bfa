"""Traces that are arrays: ``.npz`` with ``refs`` and ``pages``, ``.npy``, and raw uint32.

- ``read_npz(path)``, ``save_npz(path, trace)``.
- ``read_npy(path)``, ``read_raw(path)``: memory-mapped, nothing is copied.

Nothing is unpickled; sizes are checked before memory is taken.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from math import prod
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from swapfast.traces.trace import Trace

__all__ = ["read_npy", "read_npz", "read_raw", "save_npz"]

MEMBERS = ("refs", "pages", "addresses", "origin")
DEFLATE_MOST = 1032  # the best ratio that deflate can reach
ORIGIN_MOST = 1000  # characters


def read_npz(path: str | os.PathLike[str]) -> Trace:
    """Read a trace from an ``.npz``.

    Parameters
    ----------
    path : path
        ``refs`` (uint32, bit 31 = write) and ``pages`` (an integer); optionally ``addresses``
        (uint64) and ``origin`` (text).

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        Not such a file: its name, the member, and the cause.
    """
    name = os.fspath(path)
    try:
        with zipfile.ZipFile(name) as archive:
            arrays: dict[str, NDArray[Any]] = {}
            for info in archive.infolist():
                member = info.filename.removesuffix(".npy")
                if member not in MEMBERS or member in arrays:
                    raise ValueError(
                        f"{name}: unexpected member {info.filename!r:.60}; a trace has "
                        f"{', '.join(MEMBERS)}"
                    )
                arrays[member] = _read_member(name, archive, info)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{name}: not a readable .npz: {error}") from None
    for member in ("refs", "pages"):
        if member not in arrays:
            raise ValueError(f"{name}: no array {member!r} in it")
    pages = arrays["pages"]
    if pages.size != 1 or pages.dtype.kind not in "iu":
        raise ValueError(f"{name}: 'pages' is one integer, not {pages.dtype} {pages.shape}")
    origin = arrays.get("origin")
    if origin is not None and (origin.dtype.kind != "U" or origin.size != 1):
        raise ValueError(f"{name}: 'origin' is one text, not {origin.dtype} {origin.shape}")
    label = os.path.basename(name) if origin is None else str(origin.reshape(-1)[0])
    addresses = arrays.get("addresses")
    if addresses is not None and addresses.dtype != np.uint64:
        raise ValueError(f"{name}: 'addresses' is uint64, not {addresses.dtype}")
    try:
        trace = Trace(arrays["refs"], int(pages.reshape(-1)[0]), name, addresses)
    except ValueError as error:
        raise ValueError(str(error).replace(f"{name}:", f"{name}: refs:", 1)) from None
    trace.origin = label
    return trace


def _read_member(name: str, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    where = f"{name}: {info.filename}"
    if info.flag_bits & 1:
        raise ValueError(f"{where}: is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{where}: compression {info.compress_type}; use stored or deflate")
    if info.file_size > DEFLATE_MOST * (info.compress_size + 64):
        raise ValueError(
            f"{where}: claims {info.file_size} bytes from {info.compress_size} compressed ones"
        )
    with archive.open(info) as file:
        shape, dtype = _read_header(where, file)
        size = prod(shape) * dtype.itemsize
        left = info.file_size - file.tell()
        if size != left:
            raise ValueError(f"{where}: {left} bytes of data where its header says {size}")
        array = np.empty(shape, dtype=dtype)
        target = array.reshape(-1).view(np.uint8).data
        done = 0
        while done < size:
            piece = file.read(min(size - done, 1 << 22))
            if not piece:
                raise ValueError(f"{where}: ends after {done} of {size} bytes")
            target[done : done + len(piece)] = piece
            done += len(piece)
        if file.read(1):
            raise ValueError(f"{where}: has bytes after its {size}")
    return array


def _read_header(where: str, file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    try:
        version = npy.read_magic(file)
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
        shape, fortran, dtype = read(file, max_header_size=10000)
    except (ValueError, KeyError, SyntaxError, MemoryError, EOFError, TypeError) as error:
        raise ValueError(f"{where}: not an .npy array: {str(error)[:100]}") from None
    if dtype.hasobject or dtype.kind not in "iuU":
        raise ValueError(f"{where}: dtype {dtype}; a trace has integers and text only")
    if (fortran and len(shape) > 1) or len(shape) > 1 or any(n < 0 for n in shape):
        raise ValueError(f"{where}: shape {shape}; arrays of a trace have one dimension")
    if dtype.kind == "U" and (shape not in ((), (1,)) or dtype.itemsize > 4 * ORIGIN_MOST):
        raise ValueError(f"{where}: text longer than {ORIGIN_MOST} characters")
    return shape, dtype


def save_npz(path: str | os.PathLike[str], trace: Trace) -> None:
    """Write a trace as a compressed ``.npz``; an existing file is replaced at once, or not at all.

    Raises
    ------
    OSError
        The file cannot be written; nothing is left of it.
    """
    name = os.fspath(path)
    temporary = f"{name}.{os.getpid()}.tmp"
    arrays: dict[str, Any] = {
        "refs": trace.refs,
        "pages": np.int64(trace.pages),
        "origin": np.str_(trace.origin),
    }
    if trace.addresses is not None:
        arrays["addresses"] = trace.addresses
    try:
        with open(temporary, "xb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, name)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def read_npy(path: str | os.PathLike[str]) -> Trace:
    """Map a ``.npy`` of references (uint32); errors as `read_npz`."""
    name = os.fspath(path)
    with open(name, "rb") as file:
        shape, dtype = _read_header(name, file)
        offset = file.tell()
        size = os.fstat(file.fileno()).st_size
    if dtype != np.uint32 or len(shape) != 1:
        raise ValueError(f"{name}: {dtype} {shape}; references are uint32 of one dimension")
    if size - offset != 4 * shape[0]:
        raise ValueError(f"{name}: {size - offset} bytes of data, {4 * shape[0]} announced")
    return _mapped(name, offset, shape[0])


def read_raw(path: str | os.PathLike[str]) -> Trace:
    """Map a file of little-endian uint32 references; errors as `read_npz`."""
    name = os.fspath(path)
    size = os.stat(name).st_size
    if size % 4:
        raise ValueError(f"{name}: {size} bytes are no whole number of uint32 references")
    return _mapped(name, 0, size // 4)


def _mapped(name: str, offset: int, n: int) -> Trace:
    if n == 0:
        raise ValueError(f"{name}: no references")
    refs = np.memmap(name, dtype="<u4", mode="r", offset=offset, shape=(n,))
    trace = Trace(refs, origin=name)
    trace.origin = os.path.basename(name)
    return trace
