"""Traces too long for memory: read again, piece by piece, whenever they are replayed.

- ``StreamedTrace``: a ``Trace`` whose references stay in their file.
- ``gather(parts, hold)``: pieces in one array, unless they are more than ``hold`` references.
- ``identity(path)``: which file it is, and in which state; ``rereadable(path)``.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swapfast.traces._survey import writes_among
from swapfast.traces.trace import CHUNK, HOLD, Trace

__all__ = ["Identity", "StreamedTrace", "changed", "gather", "identity", "rereadable"]


class Identity(NamedTuple):
    """Which file, and in which state."""

    device: int
    inode: int
    size: int
    mtime_ns: int


def identity(file: str | int) -> Identity:
    """Of a path or an open file."""
    now = os.stat(file)
    return Identity(now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns)


def changed(path: str) -> ValueError:
    """What is raised if a file is not what it was."""
    return ValueError(f"{path}: was changed since it was opened as a trace")


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
    addresses : uint64 array, or a function that reads it in pieces, optional
    opened : Identity, optional
        Of the file before that first pass; as it is now by default.

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
        addresses: NDArray[np.uint64] | Callable[[], Iterator[NDArray[np.uint64]]] | None = None,
        *,
        opened: Identity | None = None,
    ) -> None:
        self._path = path
        self._opened = identity(path) if opened is None else opened
        self._read = read
        self._whole: NDArray[np.uint32] | None = None
        self._count = count
        self._writes = writes
        self.pages = pages
        self.origin = path  # the checks name the file
        self._addresses = addresses
        if not callable(addresses):
            self._check_pages()
        self._writes = self.writes
        self.origin = origin

    @property
    def addresses(self) -> NDArray[np.uint64] | None:  # type: ignore[override]
        """Virtual page number of each page; read from the file if there are too many to hold."""
        if not callable(self._addresses):
            return self._addresses
        whole = np.empty(self.pages, dtype=np.uint64)
        done = 0
        for part in self.address_chunks():
            whole[done : done + len(part)] = part
            done += len(part)
        return whole

    def address_chunks(self) -> Iterator[NDArray[np.uint64]]:
        """``addresses`` in pieces, one in memory at a time; none if they are not known."""
        if callable(self._addresses):
            self._check_unchanged()
            yield from self._addresses()
        elif self._addresses is not None:
            yield self._addresses

    @property
    def refs(self) -> NDArray[np.uint32]:
        """All references in one array: 4 bytes of memory for each.

        It is kept, so that the file is not read again; one of more than ``HOLD`` references is not.
        """
        if self._whole is not None:
            return self._whole
        whole = np.empty(self._count, dtype=np.uint32)
        done = 0
        for part in self.chunks():
            whole[done : done + len(part)] = part
            done += len(part)
        whole.flags.writeable = False
        if self._count <= HOLD:
            self._whole = whole
        return whole

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
        self._check_unchanged()
        done = 0
        for part in self._read():
            if not len(part):
                continue
            first, done = done, done + len(part)
            if done > self._count:
                break
            self._check_part(part, first)
            for i in range(0, len(part), most):
                yield part[i : i + most]
        if done != self._count:
            raise ValueError(
                f"{self._path}: has {done} references now, {self._count} when it was opened"
            )
        self._check_unchanged()

    def _check_unchanged(self) -> None:
        if identity(self._path) != self._opened:
            raise changed(self._path)

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
        origin = f"{self.origin}, first {n}"
        first = Trace(refs, self.pages, origin, self.addresses, private=True)
        first.kind, first.window = self.kind, self.window
        return first


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
        writes += writes_among(part)
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
