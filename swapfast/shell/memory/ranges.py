"""Runs of addresses.

- ``Ranges``: which addresses of a program are the simulated machine's.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

__all__ = ["Ranges"]


class Ranges:
    """Runs of addresses, ascending; neighbours are one.

    Parameters
    ----------
    runs : iterable of (int, int)
        (first, one past the last), ascending and apart.
    """

    def __init__(self, runs: Iterable[tuple[int, int]] = ()) -> None:
        self._runs = list(runs)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._runs)

    def __bool__(self) -> bool:
        return bool(self._runs)

    def add(self, first: int, end: int) -> None:
        """Take a run in."""
        left = [run for run in self._runs if run[1] < first]
        right = [run for run in self._runs if run[0] > end]
        touched = self._runs[len(left) : len(self._runs) - len(right)]
        if touched:
            first, end = min(first, touched[0][0]), max(end, touched[-1][1])
        self._runs = [*left, (first, end), *right]

    def remove(self, first: int, end: int) -> None:
        """Leave a run out."""
        rest = []
        for a, b in self._runs:
            if a < first:
                rest.append((a, min(b, first)))
            if b > end:
                rest.append((max(a, end), b))
        self._runs = rest

    def within(self, first: int, end: int) -> list[tuple[int, int]]:
        """The parts that lie in a run."""
        at = max(bisect_right(self._runs, (first, first)) - 1, 0)
        found = []
        for a, b in self._runs[at:]:
            if a >= end:
                break
            if b > first:
                found.append((max(a, first), min(b, end)))
        return found
