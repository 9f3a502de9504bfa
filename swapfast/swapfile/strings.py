"""What a swapfile holds: its printable strings, and which of its pages are not empty.

- `strings(source)`: (offset, text) of every run of printable ASCII, as strings(1) finds them.
- `nonzero_pages(source)`: numbers of the pages with any byte but zero.

This is the last step of the recipe in the letter that proposed swap namespaces (2008): "strings"
on the second swapfile shows its signature and nothing of the first namespace's memory. Files are
read piece by piece; memory does not grow with the file, only with the longest single string.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from swapfast.inputs import open_input

Bytes: TypeAlias = NDArray[np.uint8]
Source: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | Bytes"

_PIECE = 1 << 18  # bytes read at a time: with its flags they stay in the second-level cache
_TAB, _FIRST, _COUNT = 0x09, 0x20, 0x7F - 0x20


def strings(source: Source, min_length: int = 4, *, start: int = 0) -> Iterator[tuple[int, str]]:
    """Yield the printable strings of a file or of bytes, as ``strings -a -t d`` prints them.

    Parameters
    ----------
    source : path or bytes-like
        A str or path names a file; bytes, memoryviews and uint8 arrays are the content.
    min_length : int
        Shortest string, in bytes, at least 1.
    start : int
        Byte to begin at; 4096 skips the header page of a swapfile.

    Yields
    ------
    offset : int
        Byte of the first character, from the beginning of the source.
    text : str
        Characters 0x20..0x7e and tab.

    Raises
    ------
    ValueError
        `min_length` below 1, or `start` negative.
    OSError
        The file cannot be read.
    """
    if min_length < 1:
        raise ValueError(f"min_length: {min_length} is below 1")
    if start < 0:
        raise ValueError(f"start: {start} is negative")
    return _strings(source, min_length, start)


def _strings(source: Source, min_length: int, start: int) -> Iterator[tuple[int, str]]:
    # Invariant: `pending` is the run of printable bytes that ends where the next piece begins.
    pending: list[bytes] = []
    pending_at = 0
    for at, piece in _pieces(source, start):
        if not pending and not piece.any():
            continue
        printable = ((piece - _FIRST) < _COUNT) | (piece == _TAB)
        head = 0
        if pending:
            head = _leading(printable)
            pending.append(piece[:head].tobytes())
            if head == len(piece):
                continue
            run = b"".join(pending)
            if len(run) >= min_length:
                yield pending_at, run.decode("ascii")
        tail = len(piece) - _leading(printable[::-1])
        runs = _runs(printable[head:tail], min_length)
        if runs:
            text = piece[head:tail].tobytes().decode("latin-1")  # one character a byte
            for first, last in runs:
                yield at + head + first, text[first:last]
        pending = [piece[tail:].tobytes()] if tail < len(piece) else []
        pending_at = at + tail
    run = b"".join(pending)
    if len(run) >= min_length:
        yield pending_at, run.decode("ascii")


def _leading(flags: NDArray[np.bool_]) -> int:
    """How many of the first flags are set."""
    first_clear = int(flags.argmin())
    return len(flags) if flags[first_clear] else first_clear


def _runs(flags: NDArray[np.bool_], least: int) -> list[tuple[int, int]]:
    """(first, one past the last) of the runs of at least `least` set flags.

    A flag is kept only if it begins `least` set ones. Runs that are long enough keep one or more,
    short ones none; random bytes have few left, so the costly search for edges has little to do.
    """
    kept, length = flags, 1
    while length < least and kept.size:
        step = min(length, least - length)
        kept = kept[step:] & kept[:-step] if step < kept.size else kept[:0]
        length += step
    if not kept.any():
        return []
    edges = np.flatnonzero(kept[1:] != kept[:-1]) + 1
    first = edges if not kept[0] else np.concatenate(([0], edges))
    if len(first) % 2:
        first = np.concatenate((first, [kept.size]))
    return list(zip(first[0::2].tolist(), (first[1::2] + least - 1).tolist(), strict=True))


def nonzero_pages(
    source: Source, start_page: int = 1, *, page_size: int = 4096
) -> NDArray[np.int64]:
    """Pages that hold anything but zeros.

    Parameters
    ----------
    source : path or bytes-like
        As for `strings`.
    start_page : int
        First page looked at; 1 leaves out the header of a swapfile.
    page_size : int
        Bytes a page, a power of two of 8..2**18. An incomplete last page counts as one.

    Returns
    -------
    ndarray of int64
        Page numbers from the beginning of the source, ascending.

    Raises
    ------
    ValueError
        `start_page` or `page_size` out of range.
    OSError
        The file cannot be read.
    """
    if start_page < 0:
        raise ValueError(f"start_page: {start_page} is negative")
    if not 8 <= page_size <= _PIECE or page_size & (page_size - 1):
        raise ValueError(f"page_size: {page_size} is not a power of two of 8..{_PIECE}")
    found = [np.empty(0, dtype=np.int64)]
    for at, piece in _pieces(source, start_page * page_size):
        short = -len(piece) % page_size
        whole = np.concatenate((piece, np.zeros(short, np.uint8))) if short else piece
        words = np.ascontiguousarray(whole).view(np.uint64).reshape(-1, page_size // 8)
        if words.any():
            pages = np.flatnonzero(np.bitwise_or.reduce(words, axis=1))
            found.append(pages.astype(np.int64) + at // page_size)
    return np.concatenate(found)


def _pieces(source: Source, start: int) -> Iterator[tuple[int, Bytes]]:
    """(offset, bytes) from `start` on, each but the last `_PIECE` long; valid until the next."""
    if isinstance(source, (str, os.PathLike)):
        yield from _file_pieces(source, start)
        return
    content = np.frombuffer(source, dtype=np.uint8)
    for at in range(start, len(content), _PIECE):
        yield at, content[at : at + _PIECE]


def _file_pieces(path: str | os.PathLike[str], start: int) -> Iterator[tuple[int, Bytes]]:
    buffer = np.empty(_PIECE, dtype=np.uint8)
    with open_input(path, disks=True) as file:
        file.seek(start)
        at = start
        while True:
            filled = 0
            while filled < _PIECE:
                count = file.readinto(buffer.data[filled:])
                if not count:
                    break
                filled += count
            if not filled:
                return
            yield at, buffer[:filled]
            at += filled
