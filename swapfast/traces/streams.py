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
from typing import IO, Any

__all__ = ["Progress", "chunks"]

CHUNK = 1 << 20
Progress = Callable[[int, int], None]


def chunks(path: str, progress: Progress | None = None) -> Iterator[bytes]:
    """Yield the decompressed bytes of a file.

    Parameters
    ----------
    path : str
        Plain, gzip, xz or zstd (needs ``zstandard``).
    progress : callable, optional
        Called as ``progress(bytes of the file read, bytes in all)``.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        A compressed stream is cut short or damaged: file and position.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        magic = file.peek(6)[:6]  # a pipe cannot seek
        stream, failures = _decompressor(path, file, magic)
        with stream:
            while True:
                try:
                    chunk = stream.read(CHUNK)
                except failures as error:
                    at = f"byte {file.tell()}: " if file.seekable() else ""
                    raise ValueError(
                        f"{path}: {at}the compressed stream is damaged or cut short: {error}"
                    ) from None
                if not chunk:
                    return
                if progress is not None:
                    progress(min(file.tell(), size), size)
                yield chunk


def _decompressor(
    path: str, file: IO[bytes], magic: bytes
) -> tuple[IO[bytes] | Any, tuple[type[Exception], ...]]:
    if magic[:2] == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=file), (gzip.BadGzipFile, EOFError, zlib.error)
    if magic == b"\xfd7zXZ\x00":
        return lzma.LZMAFile(file), (lzma.LZMAError, EOFError)
    if magic[:4] == b"\x28\xb5\x2f\xfd":
        try:
            import zstandard
        except ModuleNotFoundError:
            raise ValueError(
                f"{path}: is zstd: pip install 'swapfast[zstd]', or decompress it first"
            ) from None
        reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        return reader, (zstandard.ZstdError,)
    return file, ()
