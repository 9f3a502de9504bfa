"""All cells of some lists, their runs in a file, to be continued.

- ``cells_of(work, ...)``: the cells: lists x scopes x seeds, in an order drawn once.
- ``Log(path, work)``: the file: what is there already, and lines that are added.
- ``remaining(cells, log, retry)``: cells that have no run yet.

The order is random with a fixed seed, so that a part of a sweep is a sample of the whole. A line is
written and synced when its run is done; a line that was torn by a crash is cut off.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Self

import numpy as np

from swapfast.compare.cells import Cell, Work
from swapfast.compare.columns import names_of
from swapfast.compare.plan import MOST_CELLS
from swapfast.compare.runs import Run, Runs, line_of, read_runs, scenario_line
from swapfast.errors import system_error
from swapfast.publish import AnyPath, target
from swapfast.scenario import open_scenario

__all__ = ["Log", "cells_of", "remaining"]

_ORDER = 20260102  # the seed of the order


def cells_of(
    work: Work,
    params: Sequence[Mapping[str, str]],
    *,
    scopes: Sequence[str] = (),
    seeds: int | None = None,
) -> list[Cell]:
    """The cells of a sweep, in the order in which they are run.

    Parameters
    ----------
    work : Work
    params : sequence of mapping
        Values that are replaced, one cell or more for each.
    scopes : sequence of str
        Names of scopes; by default all.
    seeds : int, optional
        How many; by default what the scenario says.

    Raises
    ------
    ValueError
        Too many cells, or no such scope; a ScenarioError where a combination cannot be.
    """
    opened = open_scenario(work.source)
    found: list[Cell] = []
    for told in params:
        scenario = opened.scenario(dict(told))
        names = list(scenario.scopes)
        if scopes:
            names = [name for text in scopes for name in names_of("scope", text, names)]
        count = scenario.seeds if seeds is None else seeds
        if len(found) + len(names) * count > MOST_CELLS:
            raise ValueError(f"more than {MOST_CELLS:,} runs: give fewer values, or fewer seeds")
        first = 0 if scenario.run is None else scenario.run.seed
        numbers = range(first, first + count)
        found += [work.cell(told, scope, seed) for scope in names for seed in numbers]
    order = np.random.default_rng(_ORDER).permutation(len(found))
    return [found[number] for number in order]


def remaining(cells: Sequence[Cell], there: Runs, *, retry: bool = False) -> list[Cell]:
    """Cells without a run; with ``retry`` also those whose run is an error."""
    done = {run.key for run in there.runs if run.outcome is not None or not retry}
    return [cell for cell in cells if cell.key not in done]


class Log(AbstractContextManager["Log"]):
    """A file of runs that grows.

    Parameters
    ----------
    path : path
        Made if it is not there.
    work : Work
        Its text is written once.
    series : bool
        Whether lines over time are kept; they are most of a run's size.

    Attributes
    ----------
    there : Runs
        What it held when it was opened, without the figures.

    Raises
    ------
    OSError
        It cannot be written; EBUSY: another sweep writes to it.
    ValueError
        It holds something else.
    """

    def __init__(self, path: AnyPath, work: Work, *, series: bool = False) -> None:
        self._work, self._series = work, series
        name = target(path)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(name, flags, 0o666)
        try:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                said = "another sweep writes to it; wait, or name another file"
                raise system_error(errno.EBUSY, said, os.fspath(path)) from None
            self.there = read_runs(name, light=True)
            if self.there.torn:
                self._cut(os.fspath(path))
        except BaseException:
            os.close(self._fd)
            raise
        self._told = work.digest in self.there.scenarios

    def _cut(self, name: str | bytes) -> None:
        """Cut off a torn line; never that of a file which holds something else."""
        begun = os.pread(self._fd, 2, self.there.whole)
        if not b'{"'.startswith(begun):
            raise ValueError(f"{os.fsdecode(name)}: is not a file of swapfast sweep; name another")
        os.ftruncate(self._fd, self.there.whole)

    def add(self, run: Run) -> None:
        """Write a run.

        Raises
        ------
        OSError
            As the system says; what was written of the line is cut off.
        """
        line = line_of(run.as_dict(series=self._series))
        if not self._told:
            line = scenario_line(self._work) + line
        end = os.fstat(self._fd).st_size
        try:
            left = memoryview(line)
            while left:
                left = left[os.write(self._fd, left) :]
            os.fdatasync(self._fd)
        except BaseException:
            os.ftruncate(self._fd, end)
            raise
        self._told = True

    def __exit__(self, *error: object) -> None:
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self
