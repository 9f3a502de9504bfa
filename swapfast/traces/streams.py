"""Bytes of a file, decompressed where needed, in chunks.

- ``chunks(path, progress)``: an iterator; the compression is known by its first bytes, not by a
  suffix.
- ``PACKINGS``: the compressions that are read; one entry each.

All members of a file are read, as the tools do that wrote it. What follows the last one is padding
that the format allows, or an error: nothing is left out in silence.
"""

from __future__ import annotations

import bz2
import lzma
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

from swapfast.traces.magics import HEAD, found

__all__ = ["PACKINGS", "Packing", "Progress", "chunks"]

CHUNK = 1 << 20
PIECE = 1 << 16  # compressed bytes in one step
ZSTD_PIECE = 1 << 10  # 32 MiB decompressed at the very most
WINDOW_MOST = 1 << 27  # bytes that a stream may look back, 128 MiB: what zstd(1) takes by itself
LZMA_MORE = 1 << 24  # bytes that its decoder needs beside the window
FRAME_HEADER = 18  # bytes of a zstd frame that say what it needs
Progress = Callable[[int, int], None]


def chunks(path: str, progress: Progress | None = None, *, text: bool = True) -> Iterator[bytes]:
    """Yield the decompressed bytes of a file.

    Parameters
    ----------
    path : str
        Plain, gzip, xz, zstd (needs ``zstandard``), bzip2 or lzma.
    progress : callable, optional
        Called as ``progress(bytes of the file read, bytes in all)``; never for a pipe, of which
        the size is not known.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        A compressed stream is cut short or damaged, or something else follows it; or the file is no
        text: file, position and cause.
    """
    with open(path, "rb") as file:
        seekable = file.seekable()
        size = os.fstat(file.fileno()).st_size
        source = _Source(file)
        packing = next((p for p in PACKINGS if p.begins(source.peek(HEAD))), None)
        pieces = source.pieces() if packing is None else _unpacked(path, source, packing)
        kept: list[bytes] = []
        length, judged = 0, not text

        def together() -> bytes:
            nonlocal length, judged
            chunk = b"".join(kept)
            kept.clear()
            length = 0
            if not judged:
                judged = True
                what = found(chunk[:HEAD])
                if what is not None:
                    where = "byte 0" if packing is None else f"byte 0 inside the {packing.name}"
                    raise ValueError(f"{path}: {where}: {what}")
            if progress is not None and seekable:
                progress(min(source.at, size), size)
            return chunk

        for piece in pieces:
            if piece:
                kept.append(piece)
                length += len(piece)
            if length >= CHUNK:
                yield together()
        if kept:
            yield together()


class _Source:
    """A file that may be a pipe: bytes that were looked at come again."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.at = 0  # of the next byte that is taken
        self._held = b""

    def peek(self, n: int) -> bytes:
        """The next ``n`` bytes, or all that are left."""
        while len(self._held) < n and (more := self.file.read(PIECE)):
            self._held += more
        return self._held[:n]

    def take(self, most: int) -> bytes:
        """Some of the next bytes; none at the end."""
        if not self._held:
            self._held = self.file.read(max(most, PIECE))
        taken, self._held = self._held[:most], self._held[most:]
        self.at += len(taken)
        return taken

    def give_back(self, data: bytes) -> None:
        """Of what was taken last: it comes again."""
        self._held = data + self._held
        self.at -= len(data)

    def pieces(self) -> Iterator[bytes]:
        """All that is left."""
        while data := self.take(CHUNK):
            yield data

    def skip(self, n: int) -> bool:
        """Pass over bytes; False if there are not as many."""
        while n and (data := self.take(min(n, PIECE))):
            n -= len(data)
        return n == 0

    def skip_zeros(self) -> int:
        """Pass over zero bytes; how many."""
        begin = self.at
        while data := self.take(PIECE):
            rest = data.lstrip(b"\0")
            if rest:
                self.give_back(rest)
                break
        return self.at - begin


class _Damaged(Exception):
    """What a decoder says of its member."""


class _Decoder(Protocol):
    """Of one member."""

    ended: bool

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What these bytes decompress to, in pieces of bounded length."""

    def rest(self) -> bytes:
        """Of what was fed last: what follows the member."""


class _Zlib:
    def __init__(self) -> None:
        self._decoder = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self.ended = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        full = True
        while (data or full) and not self.ended:
            try:
                piece = self._decoder.decompress(data, CHUNK)
            except zlib.error as error:
                raise _Damaged(str(error)) from None
            data, full = self._decoder.unconsumed_tail, len(piece) == CHUNK
            self.ended = self._decoder.eof
            yield piece

    def rest(self) -> bytes:
        return self._decoder.unused_data


class _Bounded:
    """A decoder of bz2 or lzma."""

    def __init__(self, decoder: bz2.BZ2Decompressor | lzma.LZMADecompressor) -> None:
        self._decoder = decoder
        self.ended = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        while True:
            try:
                piece = self._decoder.decompress(data, CHUNK)
            except (OSError, lzma.LZMAError) as error:  # bz2 has an OSError for it
                if "Memory usage limit" in str(error):
                    raise ValueError(
                        f"needs a window of more than {WINDOW_MOST >> 20} MiB: decompress it "
                        "first: xz -d"
                    ) from None
                raise _Damaged(str(error)) from None
            data, self.ended = b"", self._decoder.eof
            yield piece
            if self.ended or self._decoder.needs_input:
                return

    def rest(self) -> bytes:
        return self._decoder.unused_data


class _Zstd:
    def __init__(self, frame: Any, failure: type[Exception]) -> None:
        self._frame = frame
        self._failure = failure
        self.ended = False
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        for at in range(0, len(data), ZSTD_PIECE):
            try:
                piece = self._frame.decompress(data[at : at + ZSTD_PIECE])
            except self._failure as error:
                raise _Damaged(str(error)) from None
            if self._frame.eof:
                self.ended = True
                self._rest = self._frame.unused_data + data[at + ZSTD_PIECE :]
            yield piece
            if self.ended:
                return

    def rest(self) -> bytes:
        return self._rest


@dataclass(frozen=True, slots=True)
class Packing:
    """A compression that is read.

    Attributes
    ----------
    name : str
    begins : callable
        Whether bytes begin a member.
    begin : callable
        The decoder of a member; None if it was one without content, and was passed over. Raises
        ValueError if the member needs what is not there.
    padding : int
        Zero bytes that may follow a member, in multiples of this; 0 for none.
    between : bool
        Whether another member may follow the padding.
    many : bool
        Whether there may be more than one member.
    """

    name: str
    begins: Callable[[bytes], bool]
    begin: Callable[[_Source], _Decoder | None]
    padding: int = 0
    between: bool = False
    many: bool = True


def _begin_xz(source: _Source, form: int = lzma.FORMAT_XZ) -> _Decoder:
    return _Bounded(lzma.LZMADecompressor(form, memlimit=WINDOW_MOST + LZMA_MORE))


def _begin_lzma(source: _Source) -> _Decoder:
    return _begin_xz(source, lzma.FORMAT_ALONE)


def _is_lzma(head: bytes) -> bool:
    """There is no magic; the header is judged as xz(1) does."""
    if len(head) < 13 or head[0] >= 225 or head[0] % 9 + head[0] // 9 % 5 > 4:
        return False  # lc + lp of more than 4 are decoded by nobody
    window, size = struct.unpack_from("<IQ", head, 1)
    top = 1 << max(window.bit_length() - 1, 0)
    usual = window >= 4096 and window in (top, top | top >> 1, 0xFFFFFFFF)
    return usual and (size == 0xFFFFFFFFFFFFFFFF or size < 1 << 38)


def _is_zstd(head: bytes) -> bool:
    return head[:4] == b"\x28\xb5\x2f\xfd" or _is_skippable(head)


def _is_skippable(head: bytes) -> bool:
    return head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F


def _begin_zstd(source: _Source) -> _Decoder | None:
    if _is_skippable(source.peek(4)):  # RFC 8878, 3.1.2
        head = source.take(8)
        if len(head) < 8 or not source.skip(struct.unpack_from("<I", head, 4)[0]):
            raise _Damaged("it ends inside a skippable frame")
        return None
    try:
        import zstandard
    except ModuleNotFoundError:
        raise ValueError(
            "is zstd: install the Python package zstandard, or decompress it first: zstd -d"
        ) from None
    try:
        needs = zstandard.get_frame_parameters(source.peek(FRAME_HEADER))
    except zstandard.ZstdError:
        raise _Damaged("the header of a frame is no such header") from None
    if needs.window_size > WINDOW_MOST:
        bits = (needs.window_size - 1).bit_length()
        raise ValueError(
            f"needs a window of {needs.window_size >> 20} MiB, and {WINDOW_MOST >> 20} are taken: "
            f"decompress it first: zstd -d --long={bits}"
        )
    if needs.dict_id:
        raise ValueError(
            f"needs the dictionary {needs.dict_id}: decompress it first: zstd -d -D DICTIONARY"
        )
    decoder = zstandard.ZstdDecompressor(max_window_size=WINDOW_MOST)
    return _Zstd(decoder.decompressobj(), zstandard.ZstdError)


PACKINGS = (
    Packing("gzip", lambda head: head[:3] == b"\x1f\x8b\x08", lambda source: _Zlib(), padding=1),
    Packing("xz", lambda head: head[:6] == b"\xfd7zXZ\0", _begin_xz, padding=4, between=True),
    Packing("zstd", _is_zstd, _begin_zstd),
    Packing(
        "bzip2",
        lambda head: head[:3] == b"BZh" and head[4:10] in (b"1AY&SY", b"\x17rE8P\x90"),
        lambda source: _Bounded(bz2.BZ2Decompressor()),
    ),
    Packing("lzma", _is_lzma, _begin_lzma, many=False),
)


def _unpacked(path: str, source: _Source, packing: Packing) -> Iterator[bytes]:
    """All members, one after the other."""
    number = 0
    while number == 0 or _follows(path, source, packing, number):
        number += 1
        start = source.at
        try:
            decoder = packing.begin(source)
            while decoder is not None and not decoder.ended:
                data = source.take(PIECE)
                if not data:
                    raise _Damaged(f"it ends inside member {number}, which begins at byte {start}")
                yield from decoder.feed(data)
            if decoder is not None:
                source.give_back(decoder.rest())
        except _Damaged as error:
            raise ValueError(
                f"{path}: byte {source.at}: the compressed stream is damaged or cut short: {error}"
            ) from None
        except ValueError as error:
            raise ValueError(f"{path}: byte {start}: {error}") from None


def _follows(path: str, source: _Source, packing: Packing, number: int) -> bool:
    """Whether another member follows; False at the end."""
    begin = source.at
    zeros = source.skip_zeros() if packing.padding and source.peek(1) == b"\0" else 0
    if zeros and zeros % packing.padding:
        raise ValueError(
            f"{path}: byte {begin}: {zeros} zero bytes after member {number} of the {packing.name} "
            f"stream; padding comes in multiples of {packing.padding}"
        )
    head = source.peek(HEAD)
    if not head:
        return False
    if packing.many and packing.begins(head) and (not zeros or packing.between):
        return True
    raise ValueError(
        f"{path}: byte {source.at}: what follows member {number} of the {packing.name} stream "
        f"is no {'other one' if packing.many else 'part of it'}: {head[:8].hex(' ')}"
    )
