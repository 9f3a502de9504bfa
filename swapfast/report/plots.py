"""The pictures of a report.

- ``bars(row, comparison)``: a metric by column, with standard deviations and seeds.
- ``scatter(x, y, comparison)``: two metrics, a seed is a point.
- ``over_time(panel, ...)``: lines over simulated time, one a column, and kills.
- ``against_value(row, comparison, key)``: a metric against a value that a sweep replaced.
- ``clipped(t, values, most)``: so many points that keep what was least and most in between.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swapfast.compare.comparison import Comparison, Row
from swapfast.compare.figures import figure as told_as
from swapfast.compare.figures import scale, spread
from swapfast.report.html import Markup
from swapfast.report.lines import Panel
from swapfast.report.svg import INK, color, drawing, inline
from swapfast.visible import visible

__all__ = ["against_value", "bars", "clipped", "over_time", "scatter"]

_MARKS = "os^Dv*XP"
_DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)))
Array = NDArray[np.float64]


def _label(text: str, most: int = 42) -> str:
    text = visible(text)
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _unit_of(row: Row) -> tuple[float, str]:
    means = [abs(e.summary.mean) for e in row.entries if e.summary is not None]
    return scale(max(means, default=0.0), row.unit)


def _axis(row: Row, unit: str) -> str:
    return f"{_label(row.metric)}{f', {unit}' if unit else ''}"


def _upward(row: Row, unit: str) -> str:
    """The end of a name, since an axis is short; the caption has all of it."""
    return f"{_label(row.metric.rpartition('.')[2], 28)}{f', {unit}' if unit else ''}"


def bars(row: Row, told: Comparison, number: int) -> Markup:
    """A metric by column."""
    size, unit = _unit_of(row)
    columns = list(zip(told.columns, row.entries, strict=True))
    hovers: dict[str, str] = {}
    with drawing(8, 0.7 + 0.42 * len(columns)) as (figure, panel):
        for n, (column, entry) in enumerate(columns):
            if entry.summary is None:
                continue
            (bar,) = panel.barh([n], [entry.summary.mean / size], height=0.62, color=color(n))
            bar.set_gid(f"bar{n}")
            bar.set_alpha(0.75)
            hovers[f"bar{n}"] = f"{column.name}: {spread(entry.summary, row.unit)}"
            if entry.summary.stdev is not None:
                error = entry.summary.stdev / size
                panel.errorbar(
                    [entry.summary.mean / size], [n], xerr=[error], color=INK, capsize=4, lw=1.2
                )
            values = [v / size for v in entry.values.values()]
            if len(values) > 1:
                panel.plot(values, [n] * len(values), "o", ms=2.5, color=INK, alpha=0.6)
        panel.set_yticks(range(len(columns)), [_label(c.name) for c, _ in columns])
        panel.set_ylim(len(columns) - 0.5, -0.5)
        panel.set_xlim(left=0)
        panel.grid(axis="y", visible=False)
        panel.set_xlabel(_axis(row, unit))
        said = f"{row.metric} by column, with standard deviations over seeds"
        return inline(figure, number, said, hovers)


def scatter(across: Row, upward: Row, told: Comparison, number: int) -> Markup:
    """Two metrics, a seed is a point."""
    (x_size, x_unit), (y_size, y_unit) = _unit_of(across), _unit_of(upward)
    hovers: dict[str, str] = {}
    with drawing(8, 4.2) as (figure, panel):
        for n, column in enumerate(told.columns):
            xs, ys = across.entries[n].values, upward.entries[n].values
            for count, seed in enumerate(sorted(set(xs) & set(ys))):
                (point,) = panel.plot(
                    [xs[seed] / x_size],
                    [ys[seed] / y_size],
                    _MARKS[n % len(_MARKS)],
                    color=color(n),
                    ms=6,
                    alpha=0.75,
                    label=_label(column.name) if not count else None,
                )
                point.set_gid(f"point{n}-{seed}")
                pair = f"{told_as(xs[seed], across.unit)}, {told_as(ys[seed], upward.unit)}"
                hovers[f"point{n}-{seed}"] = f"{column.name}, seed {seed}: {pair}"
        panel.set(xlabel=_axis(across, x_unit), ylabel=_upward(upward, y_unit))
        panel.margins(0.08)
        _legend(panel, len(told.columns))
        said = f"{upward.metric} against {across.metric}; each point is a seed"
        return inline(figure, number, said, hovers)


def _legend(panel: Any, count: int) -> None:
    if count > 1:
        panel.legend(
            loc="lower left", bbox_to_anchor=(0, 1.01), ncols=3, fontsize=9, borderaxespad=0
        )


def over_time(shown: Panel, number: int, most: int) -> Markup:
    """Lines over simulated time, and kills as marks at the upper edge.

    Parameters
    ----------
    shown : Panel
    number : int
        Of the picture.
    most : int
        Points of a line.
    """
    hovers = {}
    with drawing(8, 3.2) as (figure, panel):
        for name, n, t, values in shown.lines:
            x, y = clipped(t, values, most)
            dash = _DASHES[n % len(_DASHES)]
            (line,) = panel.plot(x, y, color=color(n), ls=dash, lw=1.4, label=_label(name))
            line.set_gid(f"line{n}")
            hovers[f"line{n}"] = f"{name}: {values.min():,.4g} to {values.max():,.4g}"
        panel.set(xlabel="simulated time, s", ylabel=_label(shown.label))
        panel.set_ylim(bottom=min(0.0, panel.get_ylim()[0]))
        panel.margins(x=0)
        for count, (n, at, said) in enumerate(shown.marks):
            (mark,) = panel.plot(
                *([at], [1.0], "v"),
                transform=panel.get_xaxis_transform(),
                clip_on=False,
                color=color(n),
                ms=6,
            )
            mark.set_gid(f"kill{count}")
            hovers[f"kill{count}"] = said
        _legend(panel, len(shown.lines))
        return inline(figure, number, f"{shown.label} over time", hovers)


def against_value(
    row: Row, told: Comparison, places: Sequence[tuple[str, float, int]], key: str, number: int
) -> Markup:
    """A metric against a value that a sweep replaced.

    Parameters
    ----------
    row : Row
    told : Comparison
    places : sequence of (str, float, int)
        Line, value and number of a column, in the order of the lines' names.
    key : str
        What was replaced.
    number : int
        Of the picture.
    """
    size, unit = _unit_of(row)
    names = list(dict.fromkeys(name for name, _, _ in places))
    hovers: dict[str, str] = {}
    with drawing(8, 4.0) as (figure, panel):
        for n, name in enumerate(names):
            found = sorted((value, row.entries[at]) for line, value, at in places if line == name)
            there = [(v, e.summary) for v, e in found if e.summary is not None]
            if not there:
                continue
            drawn = panel.errorbar(
                [v for v, _ in there],
                [s.mean / size for _, s in there],
                yerr=[(s.stdev or 0.0) / size for _, s in there],
                fmt=_MARKS[n % len(_MARKS)],
                ls=_DASHES[n % len(_DASHES)],
                color=color(n),
                ms=4,
                lw=1.4,
                capsize=3,
                label=_label(name),
            )
            drawn[0].set_gid(f"line{n}")
            hovers[f"line{n}"] = name
        panel.set(xlabel=_label(key), ylabel=_upward(row, unit))
        panel.set_ylim(bottom=min(0.0, panel.get_ylim()[0]))
        _legend(panel, len(names))
        return inline(figure, number, f"{row.metric} against {key}", hovers)


def clipped(t: Array, values: Array, most: int) -> tuple[Array, Array]:
    """At most so many points: the least and the most of each bin, in their order."""
    if len(t) <= most:
        return t, values
    edges = [len(t) * bin // (most // 2) for bin in range(most // 2 + 1)]
    kept: list[int] = []
    for begin, end in itertools.pairwise(edges):
        part = values[begin:end]
        kept += sorted({int(begin + part.argmin()), int(begin + part.argmax())})
    return t[kept], values[kept]
