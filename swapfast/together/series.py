"""Time series: what programs and their cgroups did, sample by sample.

- ``Series``: rows of a run, as arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from swapfast.core import memcg_table, world

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from swapfast._core import Core
    from swapfast.together.program import Program

__all__ = ["Series"]

_CGROUP = ("usage", "swap_usage")


class Series:
    """Samples of a run.

    Attributes
    ----------
    times : list of int
        ns since the run began, one for each sample.
    """

    def __init__(self) -> None:
        self.times: list[int] = []
        self._rows: list[NDArray[np.uint64]] = []
        self._groups: list[dict[int, tuple[int, ...]]] = []
        self._numbers: dict[str, int] = {}
        self._group_of: dict[str, int] = {}

    def note(
        self, when: int, rows: NDArray[np.uint64], programs: Sequence[Program], core: Core
    ) -> None:
        """One sample more, ``when`` ns after the beginning."""
        self.times.append(when)
        self._rows.append(rows)
        for program in programs[len(self._numbers) :]:
            self._numbers[program.name] = program.number
            self._group_of[program.name] = program.memcg
        self._groups.append(
            {number: memcg_table.usage(core, number) for number in set(self._group_of.values())}
        )

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, name: str) -> dict[str, NDArray[np.uint64]]:
        """Of one program: ``t`` in ns, counters since it started, and pages of its cgroup.

        Raises
        ------
        KeyError
            No program has that name.
        """
        number, group = self._numbers[name], self._group_of[name]
        rows = [
            rows[number] if number < len(rows) else np.zeros(len(world.PROGRAM_COLUMNS), np.uint64)
            for rows in self._rows
        ]
        table = np.array(rows, dtype=np.uint64).reshape(len(rows), len(world.PROGRAM_COLUMNS))
        told = {column: table[:, i] for i, column in enumerate(world.PROGRAM_COLUMNS) if i > 2}
        told["t"] = np.array(self.times, dtype=np.uint64)
        for k, what in enumerate(_CGROUP):
            told[what] = np.array([one.get(group, (0, 0))[k] for one in self._groups], np.uint64)
        return told
