"""Pressure stall information: how much time tasks lost for want of memory, disk or processor.

- ``Pressure``: one resource of one cgroup; ``str`` of it is memory.pressure, io.pressure or
  cpu.pressure.
- ``PERIOD``: ns between two steps of the averages.
- ``of_own_cpus(times, weights)``: totals where every program has a processor of its own.

Source: kernel/sched/psi.c (psi_show, update_averages).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PERIOD", "RESOURCES", "Averages", "Pressure", "of_own_cpus"]

PERIOD = 2_004_000_000  # 2 * HZ + 1 jiffies at HZ 250
RESOURCES = ("io", "memory", "cpu")
_FIXED_1 = 2048
_FACTORS = (1677, 1981, 2034)  # EXP_10s, EXP_60s, EXP_300s


@dataclass(frozen=True)
class Pressure:
    """Of one resource.

    Parameters
    ----------
    some, full : int
        ns in which some task, or all that were not idle, stalled.
    some_averages, full_averages : tuple of float
        Per cent over the last 10, 60 and 300 s.
    """

    some: int
    full: int
    some_averages: tuple[float, float, float]
    full_averages: tuple[float, float, float]

    def __str__(self) -> str:
        lines = (("some", self.some, self.some_averages), ("full", self.full, self.full_averages))
        return "".join(
            f"{name} avg10={a[0]:.2f} avg60={a[1]:.2f} avg300={a[2]:.2f} total={total // 1000}\n"
            for name, total, a in lines
        )


class Averages:
    """Running averages in the kernel's fixed point, for one cgroup.

    Attributes
    ----------
    values : list of int
        Three for each state, per cent times 2048.
    """

    def __init__(self) -> None:
        self.values = [0] * 18
        self._seen = [0] * 6

    def step(self, totals: list[int]) -> None:
        """One period is over; ``totals`` in ns, by state."""
        for state, total in enumerate(totals):
            sample = min(total - self._seen[state], PERIOD)
            self._seen[state] += sample
            share = sample * 100 // PERIOD * _FIXED_1
            for k, factor in enumerate(_FACTORS):
                at = 3 * state + k
                old = self.values[at]
                new = old * factor + share * (_FIXED_1 - factor)
                self.values[at] = (new + (_FIXED_1 - 1 if share >= old else 0)) // _FIXED_1


def pressures(totals: list[int], averages: list[int]) -> dict[str, Pressure]:
    """Totals and averages of the core by resource."""

    def three(state: int) -> tuple[float, float, float]:
        a, b, c = (
            value // _FIXED_1 + value % _FIXED_1 * 100 // _FIXED_1 / 100
            for value in averages[3 * state : 3 * state + 3]
        )
        return a, b, c

    return {
        resource: Pressure(totals[2 * i], totals[2 * i + 1], three(2 * i), three(2 * i + 1))
        for i, resource in enumerate(RESOURCES)
    }


def of_own_cpus(stalls: NDArray[np.float64], busy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Stalls of a period, where every program has a processor of its own.

    Parameters
    ----------
    stalls : float array, shape (programs, states)
        ns in each state.
    busy : float array, shape (programs,)
        ns not idle, by which a processor counts.

    Returns
    -------
    float array, shape (states,)
    """
    weight = busy.sum()
    if not weight:
        return np.zeros(stalls.shape[1])
    weighted: NDArray[np.float64] = (stalls * busy[:, None]).sum(axis=0) / weight
    return weighted
