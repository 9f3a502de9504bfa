"""Bytes of a file, decompressed where needed, in chunks.

- ``chunks(path, progress)``: an iterator; the compression is known by its first bytes, not by a
  suffix.
"""

from __future__ import annotations

import gzip
import lzma
import os
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

__all__ = ["Progress", "chunks"]

CHUNK = 1 << 20
ZSTD_PIECE = 1 << 10  # 32 MiB decompressed at the very most
Progress = Callable[[int, int], None]


def chunks(path: str, progress: Progress | None = None) -> Iterator[bytes]:
    """Yield the decompressed bytes of a file.

    Parameters
    ----------
    path : str
        Plain, gzip, xz or zstd (needs ``zstandard``).
    progress : callable, optional
        Called as ``progress(bytes of the file read, bytes in all)``; never for a pipe, of which
        neither is known.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        A compressed stream is cut short or damaged: file and position.
    """
    with open(path, "rb") as file:
        seekable = file.seekable()
        size = os.fstat(file.fileno()).st_size
        magic = file.peek(6)[:6]  # a pipe cannot seek
        pieces, failures = _decompressed(path, file, magic)
        while True:
            try:
                chunk = next(pieces, b"")
            except failures as error:
                at = f"byte {file.tell()}: " if seekable else ""
                raise ValueError(
                    f"{path}: {at}the compressed stream is damaged or cut short: {error}"
                ) from None
            if not chunk:
                return
            if progress is not None and seekable:
                progress(min(file.tell(), size), size)
            yield chunk


def _decompressed(
    path: str, file: BinaryIO, magic: bytes
) -> tuple[Iterator[bytes], tuple[type[Exception], ...]]:
    stream: BinaryIO | gzip.GzipFile | lzma.LZMAFile = file
    failures: tuple[type[Exception], ...] = ()
    if magic[:4] == b"\x28\xb5\x2f\xfd":
        return _zstd(path, file)
    if magic[:2] == b"\x1f\x8b":
        stream = gzip.GzipFile(fileobj=file)
        failures = (gzip.BadGzipFile, EOFError, zlib.error)
    elif magic == b"\xfd7zXZ\x00":
        stream = lzma.LZMAFile(file)  # noqa: SIM115 - the file is closed by the caller
        failures = (lzma.LZMAError, EOFError)
    return iter(lambda: stream.read(CHUNK), b""), failures


def _zstd(path: str, file: BinaryIO) -> tuple[Iterator[bytes], tuple[type[Exception], ...]]:
    try:
        import zstandard
    except ModuleNotFoundError:
        raise ValueError(
            f"{path}: is zstd: pip install 'swapfast[zstd]', or decompress it first"
        ) from None

    # zstandard's own stream_reader takes a frame that is cut short for one that has ended.
    def pieces() -> Iterator[bytes]:
        decompressor = zstandard.ZstdDecompressor()
        frame, inside = decompressor.decompressobj(), False
        out: list[bytes] = []
        length = 0
        while data := file.read(ZSTD_PIECE):
            while data:
                if not inside:
                    frame, inside = decompressor.decompressobj(), True
                out.append(frame.decompress(data))
                length += len(out[-1])
                data = b""
                if frame.eof:
                    data, inside = frame.unused_data, False
            if length >= CHUNK:
                yield b"".join(out)
                out, length = [], 0
        if inside:
            raise EOFError("it ends inside a frame")
        if length:
            yield b"".join(out)

    return pieces(), (zstandard.ZstdError, EOFError)
