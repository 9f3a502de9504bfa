"""Traces in an ``.npz``: ``refs`` and ``pages``, perhaps ``addresses``, ``origin``, ``kind``, ...

- ``read_npz(path)``, ``save_npz(path, trace)``; ``write_npz(file, trace)``.
- ``read_header(where, file)``: shape and type of an ``.npy`` array.

Nothing is unpickled; sizes are checked before memory is taken.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from math import prod
from tokenize import TokenError
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from swapfast.publish import publish
from swapfast.traces.format import Format
from swapfast.traces.kinds import KINDS
from swapfast.traces.streamed import StreamedTrace, identity
from swapfast.traces.trace import HOLD, MOST_PAGES, Trace, printable

__all__ = ["NPZ", "read_header", "read_npz", "save_npz", "write_npz"]

MEMBERS = ("refs", "pages", "addresses", "origin", "kind", "window")
DEFLATE_MOST = 1032  # the best ratio that deflate can reach
REF, ADDRESS = np.dtype("<u4"), np.dtype("<u8")
ORIGIN_MOST = 1000  # characters
PIECE = 1 << 22  # bytes
SMALL = 1 << 24  # bytes of addresses that are held whatever they belong to
DIRECTORY_MOST = 1 << 16  # bytes; four members need some 250
END_MOST = (1 << 16) + 98  # bytes at the end of an archive: a comment, and what is before it
FAILURES = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    UnicodeError,
)
HEADER_FAILURES = (  # NumPy has the header read by Python's own parser
    ValueError,
    KeyError,
    TypeError,
    SyntaxError,
    TokenError,
    EOFError,
    MemoryError,
    RecursionError,
)


def read_npz(path: str | os.PathLike[str], *, hold: int = HOLD) -> Trace:
    """Read a trace from an ``.npz``.

    Parameters
    ----------
    path : path
        ``refs`` (uint32, bit 31 = write) and ``pages`` (an integer); optionally ``addresses``
        (uint64), ``origin`` (text), ``kind`` (a name of ``KINDS``; "full" without it), and for the
        kind "window" the integer ``window``.
    hold : int
        References kept in memory; a trace of more is a `StreamedTrace`. Addresses that take more
        memory than so many references stay in the file until they are asked for.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        Not such a file: its name, the member, and the cause.
    """
    name = os.fspath(path)
    opened = identity(name)
    room = 4 * hold  # bytes, of all arrays together
    refs, addresses = None, None
    with _archive(name) as archive:
        members = _members(name, archive)
        pages = _pages(name, archive, members["pages"])
        label = printable(os.path.basename(name))
        if "origin" in members:
            with _opened(name, archive, members["origin"]) as member:
                label = member.text()
        kind = _kind(name, archive, members)
        window = _pages(name, archive, members["window"]) if "window" in members else 0
        with _opened(name, archive, members["refs"]) as member:
            if len(member.shape) != 1 or member.dtype != np.uint32:
                raise member.error("is uint32 of one dimension")
            count = member.size
        if not count:
            raise ValueError(f"{name}: refs.npy: no references")
        held = True
        if "addresses" in members:
            held = 8 * pages <= room and (pages <= count or 8 * pages <= SMALL)
            room -= 8 * pages
            with _opened(name, archive, members["addresses"]) as member:
                _check_addresses(member, pages)
                if held:
                    addresses = member.read().view(np.uint64)
        if held and 4 * count <= room:
            with _opened(name, archive, members["refs"]) as member:
                refs = member.read().view(np.uint32)
    trace: Trace
    if refs is None:
        trace = StreamedTrace(
            name,
            lambda: _stream(name),
            count,
            pages,
            None,
            label,
            addresses if held else lambda: _addresses(name, pages),
            opened=opened,
        )
    else:
        trace = Trace(refs, pages, f"{name}: refs.npy", addresses, private=True)
        trace.origin = label
    trace.kind, trace.window = kind, window
    return trace


def _pages(name: str, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> int:
    with _opened(name, archive, info) as member:
        if member.size != 1 or member.dtype.kind not in "iu":
            raise member.error("is one integer")
        pages = int(member.read().item())
    if not 1 <= pages <= MOST_PAGES:
        raise ValueError(f"{name}: {info.filename}: {pages} pages; a trace has 1 to {MOST_PAGES}")
    return pages


def _kind(name: str, archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]) -> str:
    if "kind" not in members:
        return "full"
    with _opened(name, archive, members["kind"]) as member:
        kind = member.text()
        if kind not in KINDS:
            raise ValueError(f"{member.where}: is {', '.join(KINDS)}, not {kind:.60}")
        return kind


def _check_addresses(member: _Member, pages: int) -> None:
    if member.shape != (pages,) or member.dtype != np.uint64:
        raise member.error(f"is uint64, one for each of {pages} pages")


def _addresses(name: str, pages: int) -> Iterator[NDArray[np.uint64]]:
    with (
        _archive(name) as archive,
        _opened(name, archive, _members(name, archive)["addresses"]) as member,
    ):
        _check_addresses(member, pages)
        for piece in member.pieces():
            yield np.frombuffer(piece, dtype=np.uint64)


def _stream(name: str) -> Iterator[NDArray[np.uint32]]:
    with (
        _archive(name) as archive,
        _opened(name, archive, _members(name, archive)["refs"]) as member,
    ):
        for piece in member.pieces():
            yield np.frombuffer(piece, dtype=np.uint32)


@contextmanager
def _archive(name: str) -> Iterator[zipfile.ZipFile]:
    try:
        _check_directory(name)
        with zipfile.ZipFile(name) as archive:
            yield archive
    except FAILURES as error:
        raise ValueError(f"{name}: not a readable .npz: {error}") from None


def _check_directory(name: str) -> None:
    """The directory of the archive, which zipfile has in memory as objects, is small."""
    with open(name, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - END_MOST))
        tail = file.read(END_MOST)
    at = tail.find(b"PK\5\6")
    while at >= 0:
        directory = struct.unpack_from("<I", tail, at + 12)[0] if at + 16 <= len(tail) else 0
        if directory == 0xFFFFFFFF and at >= 76:  # zip64: that record is before its locator
            directory = struct.unpack_from("<Q", tail, at - 76 + 40)[0]
        if directory > DIRECTORY_MOST:
            raise ValueError(
                f"{name}: byte {size - len(tail) + at}: the directory of the archive has "
                f"{directory} bytes; that of a trace has {DIRECTORY_MOST} at most"
            )
        at = tail.find(b"PK\5\6", at + 1)


def _members(name: str, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    infos = archive.infolist()
    if infos and not any(info.filename.endswith(".npy") for info in infos):
        raise ValueError(
            f"{name}: is a zip archive ({infos[0].filename!r:.60} is its first member), no .npz of "
            "a trace: unzip it first"
        )
    for info in infos:
        member = info.filename.removesuffix(".npy")
        if member not in MEMBERS or member in found:
            raise ValueError(
                f"{name}: unexpected member {info.filename!r:.60}; a trace has {', '.join(MEMBERS)}"
            )
        found[member] = info
    for member in ("refs", "pages"):
        if member not in found:
            raise ValueError(f"{name}: no array {member!r} in it")
    return found


@dataclass
class _Member:
    """An array of the archive; its header is read, its data not yet."""

    where: str
    file: IO[bytes]
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]

    @property
    def size(self) -> int:
        return prod(self.shape)

    def error(self, wanted: str) -> ValueError:
        return ValueError(f"{self.where}: {wanted}, not {self.dtype} {self.shape}")

    def pieces(self) -> Iterator[bytes]:
        """The data; whole elements, if they are no longer than 8 bytes."""
        left = self.size * self.dtype.itemsize
        while left:
            # Bytes come as the decompressor has them: fill up, so that elements stay whole.
            piece = b""
            while more := self.file.read(min(left, PIECE) - len(piece)):
                piece += more
            if len(piece) < min(left, PIECE):
                raise ValueError(f"{self.where}: ends {left - len(piece)} bytes too early")
            left -= len(piece)
            yield piece
        if self.file.read(1):  # also makes zipfile compare the checksum
            raise ValueError(f"{self.where}: goes on after its last element")

    def read(self) -> NDArray[np.generic]:
        array = np.empty(self.shape, dtype=self.dtype)
        target = array.reshape(-1).view(np.uint8).data
        done = 0
        for piece in self.pieces():
            target[done : done + len(piece)] = piece
            done += len(piece)
        return array

    def text(self) -> str:
        """One text, with nothing in it that a terminal would obey."""
        if self.size != 1 or self.dtype.kind != "U":
            raise self.error("is one text")
        if self.dtype.itemsize > 4 * ORIGIN_MOST:
            raise self.error(f"has {ORIGIN_MOST} characters at most")
        raw = self.read().astype(self.dtype.newbyteorder("<")).tobytes()
        try:
            text = raw.decode("utf-32-le").rstrip("\0")
        except UnicodeDecodeError as error:
            raise ValueError(f"{self.where}: is no text: {error}") from None
        return printable(text)


@contextmanager
def _opened(name: str, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[_Member]:
    where = f"{name}: {info.filename}"
    if info.flag_bits & 1:
        raise ValueError(f"{where}: is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{where}: compression {info.compress_type}; use stored or deflate")
    most = info.compress_size
    if info.compress_type == zipfile.ZIP_DEFLATED:
        most = DEFLATE_MOST * (info.compress_size + 64)
    if not 0 <= info.header_offset <= os.stat(name).st_size - info.compress_size:
        raise ValueError(f"{where}: lies outside the file")
    if info.file_size > most:
        raise ValueError(
            f"{where}: claims {info.file_size} bytes from {info.compress_size} compressed ones"
        )
    with archive.open(info) as file:
        shape, dtype = read_header(where, file)
        member = _Member(where, file, shape, dtype)
        claimed, left = member.size * dtype.itemsize, info.file_size - file.tell()
        if claimed != left:
            raise ValueError(f"{where}: {left} bytes of data where its header says {claimed}")
        yield member


def read_header(where: str, file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    """Shape and type of an ``.npy`` array; the file is at its data then.

    Raises
    ------
    ValueError
        It is none, or none of integers or text of at most one dimension: ``where`` and the cause.
    """
    try:
        version = npy.read_magic(file)
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
        shape, _, dtype = read(file, max_header_size=10000)
    except HEADER_FAILURES as error:
        raise ValueError(f"{where}: not an .npy array: {str(error)[:100]}") from None
    if dtype.hasobject or dtype.kind not in "iuU" or dtype.itemsize == 0:
        raise ValueError(f"{where}: dtype {dtype!s:.60}; a trace has integers and text only")
    if len(shape) > 1 or any(n < 0 for n in shape):
        raise ValueError(f"{where}: shape {shape!s:.60}; arrays of a trace have one dimension")
    return shape, dtype


def save_npz(
    path: str | os.PathLike[str], trace: Trace, *, inputs: Iterable[str | os.PathLike[str]] = ()
) -> None:
    """Write a trace as a compressed ``.npz``; an existing file is replaced at once, or not at all.

    A trace gives the same bytes whenever it is written, and is never wholly in memory for it.

    Parameters
    ----------
    path : path
        A regular file, or a name that is free.
    trace : Trace
    inputs : iterable of path, optional
        Files that must not be replaced: those that are read.

    Raises
    ------
    OSError
        The file cannot be written, see `swapfast.publish`; nothing is left of it.
    ValueError
        The file that ``trace`` is read from is not what it was.
    """
    with publish(path, inputs=inputs) as file:
        write_npz(file, trace)


def write_npz(file: IO[bytes], trace: Trace) -> None:
    """Write a trace to an open file that is seekable; otherwise as `save_npz`."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        pages = np.array([trace.pages], dtype="<i8")
        _save(archive, "pages", pages.dtype, (), [pages])
        origin = np.array([printable(trace.origin)[:ORIGIN_MOST] or "?"])
        _save(archive, "origin", origin.dtype, (), [origin])
        if trace.kind != "full":
            kind = np.array([trace.kind])
            _save(archive, "kind", kind.dtype, (), [kind])
        if trace.window:
            window = np.array([trace.window], dtype="<i8")
            _save(archive, "window", window.dtype, (), [window])
        addresses = trace.address_chunks()
        first = next(addresses, None)
        if first is not None:
            _save(archive, "addresses", ADDRESS, (trace.pages,), chain([first], addresses))
        _save(archive, "refs", REF, (len(trace),), trace.chunks())


def _created(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    info = zipfile.ZipInfo(f"{name}.npy")  # without the time of day
    info.compress_type = zipfile.ZIP_DEFLATED
    return archive.open(info, "w", force_zip64=True)


def _save(
    archive: zipfile.ZipFile,
    name: str,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    parts: Iterable[NDArray[Any]],
) -> None:
    header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    with _created(archive, name) as member:
        npy.write_array_header_1_0(member, header)
        for part in parts:
            member.write(np.ascontiguousarray(part, dtype=dtype).view(np.uint8).data)


NPZ = Format(
    "npz",
    lambda name, options: read_npz(name, hold=options.hold),
    kind="as stored",
    what="refs, pages, addresses, origin, kind, window",
    source="docs/traces.md",
)
