"""Pressure of the cgroups of a run.

- ``Stalls``: totals and averages of each, whether processors are shared or not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

import numpy as np

from swapfast.core import memcg_table, world
from swapfast.together.pressure import PERIOD, Pressure, of_own_cpus, pressures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from swapfast.core.world import World
    from swapfast.kernel.groups import Groups

__all__ = ["Stalls"]

_COLUMNS = {name: i for i, name in enumerate(world.PROGRAM_COLUMNS)}
_FIRST_TIME = _COLUMNS[world.TIME_CLASSES[0]]


class _Member(Protocol):
    number: int
    memcg: int


class Stalls:
    """What tasks of cgroups lost.

    Parameters
    ----------
    of : World
    groups : Groups
    own_cpus : bool
        Every program has a processor of its own: totals are taken from the classes of time.
    """

    def __init__(self, of: World, groups: Groups, own_cpus: bool) -> None:
        self._world, self._groups, self._own_cpus = of, groups, own_cpus
        self._collected = np.zeros((0, len(world.TIME_CLASSES)))

    def pressure(
        self, number: int, rows: NDArray[np.uint64], members: Iterable[_Member]
    ) -> dict[str, Pressure]:
        """Of one cgroup and all below it, by resource.

        Parameters
        ----------
        number : int
            The cgroup's.
        rows : uint64 array, shape (actors, columns)
            As ``World.programs`` gives them.
        members : iterable
            Programs.
        """
        self._collect(rows, members)
        return pressures(*self._world.pressure(number))

    def average(self, rows: NDArray[np.uint64], members: Iterable[_Member]) -> None:
        """One step of the running averages."""
        self._collect(rows, members)
        self._world.average_pressure(PERIOD)

    def _collect(self, rows: NDArray[np.uint64], members: Iterable[_Member]) -> None:
        if not self._own_cpus:
            return  # the core has kept them
        times = rows[:, _FIRST_TIME:].astype(np.float64)
        # A sleep is booked when it begins; what lies ahead belongs to the next look.
        now = float(self._world.now)
        ahead = np.where(rows[:, _COLUMNS["alive"]], rows[:, 0].astype(np.float64) - now, 0)
        waits = rows[:, _COLUMNS["waits"]].astype(np.intp)
        times[np.arange(len(times)), waits] -= np.clip(ahead, 0, None)
        # What lies ahead may have been of another class than the one it is taken from, which has
        # then had less than it was told to have had: that waits, and nothing ever runs back.
        before = np.zeros_like(times)
        before[: len(self._collected)] = self._collected
        times = np.maximum(times, before)
        passed = times - before
        self._collected = times
        numbers: dict[int, list[int]] = {memcg_table.ROOT: [0]}
        for one in members:
            if (row := self._groups.rows.get(one.memcg)) is not None:
                for group in row.upward():
                    numbers.setdefault(group.number, []).append(one.number)
        for number, its in numbers.items():
            self._world.add_pressure(number, of_own_cpus(passed[its]).astype(np.uint64))
