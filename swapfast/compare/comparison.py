"""Columns side by side: metrics as rows, what each column's seeds gave, ratios of some to others.

- ``compare(runs, columns, ...)``: a ``Comparison`` of ``Row``; ``chosen(names, globs)``: which
  metrics are rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

from swapfast.compare.columns import Column
from swapfast.compare.runs import Run
from swapfast.compare.statistics import Ratio, Summary, paired_ratio, summary
from swapfast.results import Shown
from swapfast.scenario import metric_better, metric_unit, named

__all__ = ["Comparison", "Entry", "Row", "chosen", "compare", "unit_of"]


MOST_ROWS = 24  # where nobody asked for any


@dataclass(frozen=True)
class Entry:
    """One metric of one column.

    Attributes
    ----------
    values : dict of int to float
        By seed.
    base : dict of int to float, optional
        Those of the column that it is held against; None for a baseline.
    """

    values: dict[int, float]
    base: dict[int, float] | None = None

    @cached_property
    def summary(self) -> Summary | None:
        """Mean and spread; None: no run of the column has the metric."""
        return summary(list(self.values.values())) if self.values else None

    @cached_property
    def ratio(self) -> Ratio | None:
        """To its baseline, over the seeds that both have; None: there is nothing to say."""
        if self.base is None:
            return None
        pairs = sorted(set(self.values) & set(self.base))
        return paired_ratio([self.values[s] for s in pairs], [self.base[s] for s in pairs])


@dataclass(frozen=True)
class Row:
    """One metric, an entry a column.

    Attributes
    ----------
    metric : str
    unit : str
        As `swapfast.scenario.metric_unit`.
    better : str or None
        "less" or "more", where one of them is.
    entries : tuple of Entry
    """

    metric: str
    unit: str
    better: str | None
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Comparison(Shown):
    """What came out.

    Attributes
    ----------
    title : str
    columns : tuple of Column
    against : tuple of int
        The column that each column is held against; its own number: it is a baseline.
    rows : tuple of Row
    runs : tuple of tuple of Run
        Those that are done, a column each, by seed.
    failed : tuple of Run
        Those that have an error instead.
    """

    title: str
    columns: tuple[Column, ...]
    against: tuple[int, ...]
    rows: tuple[Row, ...]
    runs: tuple[tuple[Run, ...], ...]
    failed: tuple[Run, ...]

    @property
    def seeds(self) -> int:
        """The most that a column has."""
        return max((len(runs) for runs in self.runs), default=0)

    @property
    def drawn(self) -> bool:
        """Whether any figure differs from seed to seed."""
        outcomes = [run.outcome for runs in self.runs for run in runs]
        if not any(one.drawn for one in outcomes if one is not None):
            return False
        told = [e.summary for row in self.rows for e in row.entries]
        return any(s is not None and s.stdev is not None for s in told)

    @property
    def guessed(self) -> tuple[str, ...]:
        """Presets of devices that nobody has measured."""
        found = {
            str(device["preset"])
            for runs in self.runs
            for run in runs
            for device in (run.outcome.devices if run.outcome else [])
            if not device["calibrated"]
        }
        return tuple(sorted(found))

    def only(self, globs: Sequence[str], *, strict: bool) -> Comparison:
        """The rows of some patterns, in their order.

        Parameters
        ----------
        globs : sequence of str
        strict : bool
            A pattern that takes none is an error; else patterns are a choice for want of another,
            and 24 rows are the most.

        Raises
        ------
        ValueError
            A pattern takes no metric.
        """
        rows = {row.metric: row for row in self.rows}
        names = chosen(rows, globs, strict=strict)
        return replace(self, rows=tuple(rows[n] for n in (names if strict else names[:MOST_ROWS])))

    def table(self) -> list[dict[str, Any]]:
        """A row for each figure of each run."""
        return [
            {
                "column": column.name,
                "scope": column.scope,
                "params": " ".join(f"{key}={value}" for key, value in column.params),
                "seed": seed,
                "metric": row.metric,
                "unit": row.unit,
                "value": value,
            }
            for row in self.rows
            for column, entry in zip(self.columns, row.entries, strict=True)
            for seed, value in sorted(entry.values.items())
        ]

    def as_dict(self) -> dict[str, Any]:
        """Plain values: every metric of every run that is a row."""
        return {
            "title": self.title,
            "columns": [
                {
                    "name": column.name,
                    "scope": column.scope,
                    "params": dict(column.params),
                    "seeds": len(runs),
                    "baseline": self.columns[base].name,
                }
                for column, runs, base in zip(self.columns, self.runs, self.against, strict=True)
            ],
            "rows": [_row_dict(row, self.columns) for row in self.rows],
            "not_calibrated": list(self.guessed),
            "failed": [run.as_dict() for run in self.failed],
        }


def _row_dict(row: Row, columns: Sequence[Column]) -> dict[str, Any]:
    told = []
    for column, entry in zip(columns, row.entries, strict=True):
        facts: dict[str, Any] = {"column": column.name, "values": entry.values}
        if entry.summary is not None:
            facts |= {"mean": entry.summary.mean, "stdev": entry.summary.stdev}
        if entry.ratio is not None:
            facts |= {"ratio": {**asdict(entry.ratio), "excludes_1": entry.ratio.sure}}
        told.append(facts)
    return {"metric": row.metric, "unit": row.unit, "better": row.better, "columns": told}


def unit_of(metric: str) -> str:
    """The unit of a metric; an index of fairness is a plain number, 1 at best."""
    return "count" if ".jain_" in metric else metric_unit(metric)


def chosen(names: Iterable[str], globs: Sequence[str], *, strict: bool = True) -> list[str]:
    """Names that patterns take: in the order of the patterns, each once.

    Raises
    ------
    ValueError
        A pattern takes none, and ``strict`` is true.
    """
    names = sorted(set(names))
    found: dict[str, None] = {}
    for glob in globs:
        taken = named(glob, names)
        if not taken and names and strict:
            raise ValueError(f"no metric is called {glob}; --all shows the {len(names)} there are")
        found |= dict.fromkeys(taken)
    return list(found)


def compare(
    runs: Sequence[Run],
    columns: Sequence[Column],
    *,
    metrics: Sequence[str] | None = None,
    against: Sequence[int] | None = None,
    title: str = "",
) -> Comparison:
    """Bring runs into rows and columns.

    Parameters
    ----------
    runs : sequence of Run
        In any order.
    columns : sequence of Column
    metrics : sequence of str, optional
        The rows; by default all that a run has.
    against : sequence of int, optional
        The column that each is held against; by default the first.
    title : str
    """
    against = [0] * len(columns) if against is None else against
    done = [run for run in runs if run.outcome is not None]
    told = tuple(
        tuple(sorted((r for r in done if c.has(r)), key=lambda run: run.seed)) for c in columns
    )
    if metrics is None:
        metrics = sorted({name for run in done for name in _metrics(run)})
    rows = tuple(_row(name, told, against) for name in metrics)
    failed = tuple(run for run in runs if run.outcome is None)
    return Comparison(title, tuple(columns), tuple(against), rows, told, failed)


def _metrics(run: Run) -> dict[str, float | int]:
    return {} if run.outcome is None else run.outcome.metrics


def _row(metric: str, told: Sequence[Sequence[Run]], against: Sequence[int]) -> Row:
    values = [
        {run.seed: float(_metrics(run)[metric]) for run in runs if metric in _metrics(run)}
        for runs in told
    ]
    entries = tuple(
        Entry(ours, None if number == other else values[other])
        for number, (ours, other) in enumerate(zip(values, against, strict=True))
    )
    return Row(metric, unit_of(metric), metric_better(metric), entries)
