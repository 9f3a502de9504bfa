"""A comparison as a table of texts.

- ``groups(comparison)``: which columns stand in one table.
- ``lines(comparison, columns)``: a ``Line`` a metric: its figures, and its ratios.
- ``footers(comparison)``: what a reader has to know of the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from swapfast.compare.comparison import Comparison, Entry, Row
from swapfast.compare.figures import spread, times
from swapfast.compare.statistics import LEAST_PAIRS

__all__ = ["Line", "footers", "groups", "lines"]


MOST_DEATHS = 4  # programs of which it is said


@dataclass(frozen=True)
class Line:
    """One metric.

    Attributes
    ----------
    metric : str
    figures, ratios : tuple of str
        A text a column; empty where there is nothing to say.
    """

    metric: str
    figures: tuple[str, ...]
    ratios: tuple[str, ...]


def groups(comparison: Comparison) -> list[list[int]]:
    """Numbers of the columns of each table.

    Scopes stand side by side; with several devices there is a table for each.
    """
    scopes = {column.scope for column in comparison.columns}
    if len(scopes) == 1:
        return [list(range(len(comparison.columns)))]
    found: dict[object, list[int]] = {}
    for number, column in enumerate(comparison.columns):
        found.setdefault(column.params, []).append(number)
    return list(found.values())


def lines(comparison: Comparison, columns: Sequence[int]) -> list[Line]:
    """A line a metric, of some columns."""
    return [
        Line(
            row.metric,
            tuple(_figure(row, row.entries[n]) for n in columns),
            tuple("" if _counted(row) else _ratio(row.entries[n]) for n in columns),
        )
        for row in comparison.rows
    ]


def _figure(row: Row, entry: Entry) -> str:
    if entry.summary is None:
        return "-"
    if _counted(row):
        return f"{sum(v > 0 for v in entry.values.values())} of {len(entry.values)}"
    return spread(entry.summary, row.unit)


def _counted(row: Row) -> bool:
    """Kills of one program: told by how many of the runs had one."""
    return row.metric.startswith("oom_kills.") and row.metric != "oom_kills.total"


def _ratio(entry: Entry) -> str:
    return "" if entry.ratio is None else times(entry.ratio)


def _deaths(comparison: Comparison) -> list[str]:
    """Programs that died more often in one column than in another: it is not the same work then."""
    found = []
    for row in comparison.rows:
        if not _counted(row):
            continue
        shares = [
            (sum(v > 0 for v in entry.values.values()), len(entry.values)) for entry in row.entries
        ]
        if len({killed / max(runs, 1) for killed, runs in shares}) < 2:
            continue
        where = ", ".join(
            f"{killed} of {runs} runs with {column.name}"
            for column, (killed, runs) in zip(comparison.columns, shares, strict=True)
            if killed
        )
        name = row.metric.removeprefix("oom_kills.")
        found.append(f"{name} was killed in {where}: from then on the others had its share.")
    return found[:MOST_DEATHS]


def footers(comparison: Comparison) -> list[str]:
    """What a reader has to know of the figures."""
    found = []
    if comparison.seeds == 1:
        found.append("One seed: how much seeds differ is not known, and no ratio has an interval.")
    elif comparison.drawn and comparison.seeds < LEAST_PAIRS:
        found.append(
            "± is the standard deviation over seeds. No ratio has an interval: "
            f"{LEAST_PAIRS} seeds are the least."
        )
    elif not comparison.drawn:
        found.append(
            f"All {comparison.seeds} seeds gave the same: nothing in this scenario is drawn."
        )
    else:
        found.append(
            "± is the standard deviation over seeds. * the 95 % interval of the paired ratio "
            "excludes 1."
        )
    if comparison.guessed:
        found.append(
            f"Device presets are not calibrated: {', '.join(comparison.guessed)}. Their times are "
            "guesses within a factor of two."
        )
    found += _deaths(comparison)
    for run in comparison.failed[:5]:
        found.append(f"Failed: {run.scope}, seed {run.seed}: {run.error}")
    if len(comparison.failed) > 5:
        found.append(f"And {len(comparison.failed) - 5} more failed.")
    return found
