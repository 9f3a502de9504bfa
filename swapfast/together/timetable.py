"""When Python has something to do in a run: averages of pressure, samples, and what was asked for.

- ``Timetable``: times in order, counted in simulated ns since boot.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

__all__ = ["Timetable"]


class Timetable:
    """What is due, and when.

    Parameters
    ----------
    begin : int
        ns at which the run began.
    period : int
        ns between two averages.
    sample : int or None
        ns between two samples.
    """

    def __init__(self, begin: int, period: int, sample: int | None) -> None:
        self._begin, self._period, self._sample = begin, period, sample
        self._average = begin + period
        self._asked: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, when: int, what: Callable[[], None]) -> None:
        """Something to do at a time; of several at the same one, the first that was asked for."""
        heapq.heappush(self._asked, (when, self._count, what))
        self._count += 1

    def stops(self, now: Callable[[], int], end: int) -> Iterator[int]:
        """Times at which something is due, up to the end, which comes last."""
        while True:
            at = min(end, self._average)
            if self._sample is not None:
                past = (now() - self._begin) // self._sample
                at = min(at, self._begin + (past + 1) * self._sample)
            if self._asked:
                at = min(at, max(self._asked[0][0], now()))
            yield at
            if at >= end:
                return

    def is_average(self, when: int) -> bool:
        """Whether the averages of pressure are due; the next ones are a period later."""
        due = when >= self._average
        self._average += self._period * due
        return due

    def is_sample(self, when: int) -> bool:
        """Whether a sample is due."""
        return self._sample is not None and (when - self._begin) % self._sample == 0

    def asked(self, when: int) -> Iterator[Callable[[], None]]:
        """What was asked for until then, in order."""
        while self._asked and self._asked[0][0] <= when:
            yield heapq.heappop(self._asked)[2]
