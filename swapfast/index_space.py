"""Runs of machine-wide indexes: who has which part of a dense array.

- ``IndexSpace(align, first)``: ``take(n)`` gives an aligned run, ``give(base, n)`` takes it back.

Runs that were given back are joined with their neighbours and used again, lowest first.
"""

from __future__ import annotations

from bisect import bisect_left

__all__ = ["IndexSpace"]


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
        self._free: list[tuple[int, int]] = []  # (base, length), disjoint, never adjacent

    def _rounded(self, n: int) -> int:
        return (n + self._align - 1) // self._align * self._align

    def take(self, n: int) -> int:
        """Base of ``n`` indexes.

        Raises
        ------
        MemoryError
            The space is used up.
        """
        n = self._rounded(n)
        for i, (base, length) in enumerate(self._free):
            if length >= n:
                if length == n:
                    del self._free[i]
                else:
                    self._free[i] = (base + n, length - n)
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
        n = self._rounded(n)
        at = bisect_left(self._free, (base, 0))
        if at < len(self._free) and self._free[at][0] == base + n:
            n += self._free.pop(at)[1]
        if at > 0 and sum(self._free[at - 1]) == base:
            at -= 1
            base, before = self._free.pop(at)
            n += before
        if base + n == self._top:
            self._top = base
        else:
            self._free.insert(at, (base, n))
