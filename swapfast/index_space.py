"""Machine-wide numbers: who has which part of a dense array.

- ``IndexSpace(align, first)``: ``take(n)`` gives an aligned run, ``give(base, n)`` takes it back.
- ``Numbers(first)``: the same one by one.

What was given back is used again, lowest first; runs are joined with their neighbours.
"""

from __future__ import annotations

from bisect import bisect_left
from heapq import heappop, heappush

__all__ = ["IndexSpace", "Numbers"]


class Numbers:
    """Single numbers.

    Parameters
    ----------
    first : int
        The lowest.
    """

    __slots__ = ("_free", "_top")

    def __init__(self, first: int) -> None:
        self._free: list[int] = []
        self._top = first

    def take(self) -> int:
        """The lowest number that nobody has."""
        if self._free:
            return heappop(self._free)
        self._top += 1
        return self._top - 1

    def give(self, number: int) -> None:
        """Take a number back."""
        heappush(self._free, number)


class IndexSpace:
    """First fit over free runs, sorted by base.

    Parameters
    ----------
    align : int
        Bases and lengths are multiples of it.
    first : int
        Lowest index ever given, a multiple of ``align``.
    most : int
        Indexes end below this.
    what : str
        What is numbered, for the sentence when it is used up.
    """

    def __init__(self, align: int, first: int, most: int, what: str) -> None:
        self._what = what
        self._align = align
        self._top = first
        self._most = most
        self._free: list[int] = []  # bases of free runs, ascending
        self._lengths: dict[int, int] = {}  # by base; runs are never adjacent

    def take(self, n: int) -> int:
        """Base of ``n`` indexes.

        Raises
        ------
        MemoryError
            The space is used up.
        """
        n += -n % self._align
        for i, base in enumerate(self._free):
            length = self._lengths[base]
            if length >= n:
                del self._lengths[base]
                if length == n:
                    del self._free[i]
                else:
                    self._free[i] = base + n
                    self._lengths[base + n] = length - n
                return base
        base = self._top
        if base + n > self._most:
            raise MemoryError(
                f"a machine has {self._most} {self._what} at most; {n} more do not fit"
            )
        self._top = base + n
        return base

    def give(self, base: int, n: int) -> None:
        """Take a run back."""
        n += -n % self._align
        free, lengths = self._free, self._lengths
        at = bisect_left(free, base)
        if at < len(free) and free[at] == base + n:
            n += lengths.pop(free.pop(at))
        if at > 0 and free[at - 1] + lengths[free[at - 1]] == base:
            at -= 1
            base = free[at]
            n += lengths[base]
        else:
            free.insert(at, base)
        if base + n == self._top:
            self._top = base
            lengths.pop(base, None)
            del free[at]
        else:
            lengths[base] = n
