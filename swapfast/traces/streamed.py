"""Traces too long for memory: read again, piece by piece, whenever they are replayed.

- ``StreamedTrace``: a ``Trace`` whose references stay in their file.
- ``gather(parts, hold)``: pieces in one array, unless they are more than ``hold`` references.
- ``HOLD``: how many references the readers keep in memory, unless told otherwise.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from swapfast.traces.trace import CHUNK, WRITE, Trace

__all__ = ["HOLD", "StreamedTrace", "gather", "rereadable"]

HOLD = 1 << 28  # references, 1 GiB


class StreamedTrace(Trace):
    """References of a file that is read once more for each pass over them.

    Parameters
    ----------
    path : str
    read : callable
        Begins to read: an iterator of uint32 arrays.
    count, pages : int
        References and distinct pages, as a first pass has found them.
    writes : int, optional
        References that write; counted, and so all of the file checked, if not given.
    origin : str
    addresses : uint64 array, optional

    Raises
    ------
    ValueError
        Here and in each later pass: what is wrong in the file, or that it is another by now.
    """

    def __init__(
        self,
        path: str,
        read: Callable[[], Iterator[NDArray[np.uint32]]],
        count: int,
        pages: int,
        writes: int | None,
        origin: str,
        addresses: NDArray[np.uint64] | None = None,
    ) -> None:
        self._path = path
        self._identity = _identity(path)
        self._read = read
        self._count = count
        self._writes = writes
        self.pages = pages
        self.origin = path  # the checks name the file
        self.addresses = addresses
        self._check_pages()
        self._writes = self.writes
        self.origin = origin

    @property
    def refs(self) -> NDArray[np.uint32]:
        """All references in one new array: 4 bytes of memory for each."""
        return np.concatenate(list(self.chunks()))

    @property
    def is_private(self) -> bool:
        """Each piece is checked as it is read."""
        return True

    def chunks(self, most: int = CHUNK) -> Iterator[NDArray[np.uint32]]:
        """The references in order, at most ``most`` at a time, from the file.

        Raises
        ------
        OSError
            The file cannot be read.
        ValueError
            It is not what it was.
        """
        if _identity(self._path) != self._identity:
            raise ValueError(f"{self._path}: was changed since it was opened as a trace")
        done = 0
        for part in self._read():
            if not len(part):
                continue
            self._check_part(part, done)
            done += len(part)
            for i in range(0, len(part), most):
                yield part[i : i + most]
        if done != self._count:
            raise ValueError(
                f"{self._path}: has {done} references now, {self._count} when it was opened"
            )

    def __len__(self) -> int:
        return self._count

    def head(self, n: int) -> Trace:
        """The first ``n`` references, over the same pages, in memory."""
        parts, left = [], n
        for part in self.chunks():
            parts.append(part[:left])
            left -= len(parts[-1])
            if left <= 0:
                break
        refs = np.concatenate(parts)
        return Trace(refs, self.pages, f"{self.origin}, first {n}", self.addresses)


def _identity(path: str) -> tuple[int, int, int, int]:
    now = os.stat(path)
    return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns


def rereadable(path: str) -> bool:
    """Not a pipe, which has its bytes only once."""
    return stat.S_ISREG(os.stat(path).st_mode)


def gather(
    parts: Iterable[NDArray[np.uint32]], hold: float
) -> tuple[NDArray[np.uint32] | None, int, int]:
    """Pieces in one array, without holding them twice.

    Returns
    -------
    refs : uint32 array or None
        None if there are more than ``hold``.
    count, writes : int
    """
    kept: NDArray[np.uint32] | None = np.empty(0, dtype=np.uint32)
    count = writes = 0
    for part in parts:
        end = count + len(part)
        writes += int(np.count_nonzero(part & WRITE))
        if end > hold:
            kept = None
        if kept is not None:
            if end > len(kept):
                kept.resize(end + end // 4, refcheck=False)  # realloc: large blocks are not copied
            kept[count:end] = part
        count = end
    if kept is not None:
        kept.resize(count, refcheck=False)
    return kept, count, writes
