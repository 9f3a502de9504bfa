"""Which lines over time a report shows.

- ``asked(comparison, wanted)``: panels of the series that are wanted, a line a column.
- ``usual(comparison, but)``: of each kind of series the first that there is.

A line is of the first seed of its column that has series. What is counted from sample to sample is
shown a second; what is held at a sample, as it is. Kills of those runs are marked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swapfast.compare.comparison import Comparison
from swapfast.compare.runs import Run

__all__ = ["Panel", "asked", "usual"]

Array = NDArray[np.float64]
MOST_OF_A_KIND = 3
MOST_LINES = 12
MOST_MARKS = 40  # kills of a panel

# What is drawn of each kind where nobody asks, the first that there is.
_USUAL = (
    ("programs.", "majors"),
    ("tiers.", "swapin_share"),
    ("cgroups.", "usage_pages"),
    ("machine", "free_pages"),
)
_HELD = ("_pages", "_share", "_slots", "alive")  # ends of names of what is not counted


@dataclass(frozen=True)
class Panel:
    """One picture.

    Attributes
    ----------
    caption : str
        Whose lines they are.
    label : str
        What the values are.
    lines : tuple of (str, int, array, array)
        Name, number of the column, seconds, values.
    marks : tuple of (int, float, str)
        OOM kills: number of the column, seconds, what happened.
    """

    caption: str
    label: str
    lines: tuple[tuple[str, int, Array, Array], ...]
    marks: tuple[tuple[int, float, str], ...] = ()


def asked(told: Comparison, wanted: Iterable[tuple[str, str, str]]) -> list[Panel]:
    """Panels of (title, series, column); those that no run has are left out."""
    found = [_panel(told, title, owner, column) for title, owner, column in wanted]
    return [panel for panel in found if panel is not None]


def usual(told: Comparison, but: set[tuple[str, str]]) -> list[Panel]:
    """Panels for those who did not ask, without what is drawn already."""
    owners = sorted({name for runs in told.runs for name in _series(_shown(runs))})
    wanted = [
        ("", owner, column)
        for prefix, column in _USUAL
        for owner in [name for name in owners if name.startswith(prefix)][:MOST_OF_A_KIND]
        if (owner, column) not in but
    ]
    return [
        panel
        for panel in asked(told, wanted)
        if any(values.any() for _, _, _, values in panel.lines)
    ]


def _shown(runs: Sequence[Run]) -> Run | None:
    return next((run for run in runs if run.outcome is not None and run.outcome.series), None)


def _series(run: Run | None) -> dict[str, dict[str, list[float]]]:
    return {} if run is None or run.outcome is None else run.outcome.series


def _panel(told: Comparison, title: str, owner: str, column: str) -> Panel | None:
    lines = tuple(_lines(told, owner, column))
    if not lines:
        return None
    label = column if column.endswith(_HELD) else f"{column} a second"
    caption = f"{title}{'. ' if title else ''}{owner}: {label}"
    marks = [
        (number, kill["time_s"], f"{name}: {kill['victim']} is killed at {kill['time_s']:.3g} s")
        for name, number, _, _ in lines
        if (run := _shown(told.runs[number])) is not None and run.outcome is not None
        for kill in run.outcome.kills
    ]
    return Panel(caption, label, lines, tuple(marks[:MOST_MARKS]))


def _lines(told: Comparison, owner: str, column: str) -> Iterator[tuple[str, int, Array, Array]]:
    some = len(told.columns) > MOST_LINES
    for number, (place, runs) in enumerate(zip(told.columns, told.runs, strict=True)):
        if some and place.params != told.columns[0].params:
            continue  # of a sweep, the scopes at its first values
        rows = _series(_shown(runs)).get(owner, {})
        if column not in rows or "t_s" not in rows:
            continue
        t, values = (np.asarray(rows[name], np.float64) for name in ("t_s", column))
        if len(t) == len(values) > 1 and np.isfinite(values).all():
            if not column.endswith(_HELD):
                values = _per_second(t, values)
            yield place.name, number, t, values


def _per_second(t: Array, values: Array) -> Array:
    passed = np.diff(t, prepend=0.0)
    return np.divide(values, passed, out=np.zeros(len(t)), where=passed > 0)
