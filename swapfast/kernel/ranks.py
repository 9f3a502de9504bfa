"""Default priorities: the order in which areas without one of their own are used.

- ``Ranks``: the next area stands one below the last; 6.18 lets areas move up when one goes off.

Source: mm/swapfile.c (_enable_swap_info, swapoff) of the two kernels.
"""

from __future__ import annotations

from bisect import bisect_left, insort

__all__ = ["Ranks"]


class Ranks:
    """Places of areas, as they were given, and those that were given up since.

    Parameters
    ----------
    least : int
        The priority of the next area.

    Attributes
    ----------
    least : int
        The priority that the next area gets.
    """

    __slots__ = ("_left", "least")

    def __init__(self, least: int) -> None:
        self.least = least
        # Places given up since all moved up, ascending below zero: areas mostly go off in the order
        # in which they came, and those places are put at the end.
        self._left: list[int] = []

    def take(self) -> int:
        """A place below all others."""
        place = self.next
        self.least -= 1
        return place

    def untake(self) -> None:
        """Give back the place that was taken last."""
        self.least += 1

    @property
    def next(self) -> int:
        """The place that `take` gives."""
        return self.least - len(self._left)

    def leave(self, place: int) -> int:
        """Give a place up; those below it move up by one. Returns how many were given up."""
        insort(self._left, -place)
        self.least += 1
        return len(self._left)

    def priority(self, place: int) -> int:
        """The priority of a place; priorities that somebody chose stay as they are."""
        if place >= 0 or not self._left:
            return place
        return place + bisect_left(self._left, -place)

    def close(self) -> None:
        """Forget what was given up: every place is its priority from now on."""
        self._left.clear()
