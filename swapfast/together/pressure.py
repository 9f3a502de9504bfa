"""Pressure stall information: how much time tasks lost for want of memory, disk or processor.

- ``Pressure``: one resource of one cgroup; ``str`` of it is memory.pressure, io.pressure or
  cpu.pressure.
- ``PERIOD``: ns between two steps of the averages.
- ``pressures(totals, averages)``: the numbers of the core, by resource.
- ``of_own_cpus(passed)``: totals where every program has a processor of its own.

Source: kernel/sched/psi.c (psi_show); the averages are in mm/psi.pxd.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from swapfast.core.world import TIME_CLASSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PERIOD", "RESOURCES", "Pressure", "of_own_cpus", "pressures"]

PERIOD = 2_004_000_000  # 2 * HZ + 1 jiffies at HZ 250
RESOURCES = ("io", "memory", "cpu")
_FIXED_1 = 2048
_MEMORY = [TIME_CLASSES.index(name) for name in ("reclaim", "workingset", "high", "stall")]
_ASLEEP = [TIME_CLASSES.index(name) for name in ("barrier", "idle")]
_IO = [TIME_CLASSES.index(name) for name in ("read", "workingset")]


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


def of_own_cpus(passed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Stalls of a period, where every program has a processor of its own.

    Parameters
    ----------
    passed : float array, shape (programs, classes)
        ns by class of time. A processor counts by how long it was not idle.

    Returns
    -------
    float array, shape (states,)
        In the order of ``world.PSI_NAMES``.
    """
    memory, io = passed[:, _MEMORY].sum(axis=1), passed[:, _IO].sum(axis=1)
    busy = passed.sum(axis=1) - passed[:, _ASLEEP].sum(axis=1)
    if not busy.sum():
        return np.zeros(2 * len(RESOURCES))
    of_io, of_memory = (float((stall * busy).sum() / busy.sum()) for stall in (io, memory))
    return np.array([of_io, of_io, of_memory, of_memory, 0.0, 0.0])
