"""How long faults took: of a program, of a cgroup, of a swap area.

- ``Latencies``: a part of `Together`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from swapfast.latency import Latency

if TYPE_CHECKING:
    from swapfast.core import world
    from swapfast.kernel.control import MemoryGroup
    from swapfast.kernel.state import SwapArea
    from swapfast.together.program import Program

__all__ = ["Latencies"]


class Latencies:
    """Histograms of fault latencies: from the reference to the mapping, waits and all."""

    _world: world.World
    programs: list[Program]

    def latency(self, number: int | None = None, *, major: bool = True) -> Latency:
        """Fault latencies of one program, or of all."""
        counts, total, most = self._world.histogram(number, major)
        return Latency(counts, sum=total, max=most)

    def latency_of(self, cgroup: MemoryGroup, *, major: bool = True) -> Latency:
        """Fault latencies of all programs of a cgroup and of those below it.

        Raises
        ------
        ValueError
            One of them is not watched.
        """
        below = {row.number for row in cgroup.row.below()}
        its = [program.number for program in self.programs if program.memcg in below]
        return Latency().merge(*(self.latency(number, major=major) for number in its))

    def latency_from(self, area: SwapArea) -> Latency:
        """Latencies of the major faults whose page was in this area; those of a tier can be added.

        Raises
        ------
        ValueError
            The run was made without ``area_latency``.
        """
        counts, total, most = self._world.area_histogram(area.number)
        return Latency(counts, sum=total, max=most)
