"""What programs did, in the books of their tasks and memory groups.

- ``Accounts``: tells them what is new, so that nothing is told twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from swapfast.core import world
from swapfast.kernel.batches import account

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from swapfast.together.program import Program

__all__ = ["Accounts"]

_MAJORS = world.PROGRAM_COLUMNS.index("majors")
_MINORS = world.PROGRAM_COLUMNS.index("minors")
_TIMES = [world.PROGRAM_COLUMNS.index(name) for name in ("user", "fault")]


class Accounts:
    """Faults and processor time of programs, as far as their tasks have heard of them."""

    def __init__(self) -> None:
        self._told: dict[int, tuple[int, int, int]] = {}

    def tell(self, program: Program, row: NDArray[np.uint64]) -> None:
        """What it did since the last time.

        Parameters
        ----------
        program : Program
            Its task may be dead, and has to be told before its memory group goes.
        row : uint64 array
            By ``world.PROGRAM_COLUMNS``.
        """
        majors = int(row[_MAJORS])
        now = (majors + int(row[_MINORS]), majors, int(row[_TIMES].sum()))
        before = self._told.get(program.number, (0, 0, 0))
        if now != before:
            self._told[program.number] = now
            if program.task.mm.group not in program.task.kernel.groups.rows:
                return  # it ended by other hands since: its time ahead is taken back, no more
            faults, majors, ns = (new - old for new, old in zip(now, before, strict=True))
            account(program.task, faults, majors, ns)
