"""The parts of a report, each a piece of markup.

- ``answers``, ``figures``, ``pictures``, ``devices``, ``kills``, ``scenario``, ``versions``: in the
  order of the page; empty where there is nothing to say.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from swapfast.compare.cells import Work
from swapfast.compare.comparison import Comparison, Row
from swapfast.compare.figures import figure, spread
from swapfast.compare.runs import Run
from swapfast.compare.table import footers, groups, lines
from swapfast.compare.verdict import answer, verdict
from swapfast.report import lines as over
from swapfast.report.html import Child, Markup, join, table, tag
from swapfast.report.plots import against_value, bars, over_time, scatter
from swapfast.scenario import named
from swapfast.units import PAGE_SIZE, format_size, parse_duration, parse_size

__all__ = ["answers", "devices", "figures", "kills", "pictures", "scenario", "versions"]

MOST_KILLS = 200
MOST_BARS = 4
MOST_SENTENCES = 12
MOST_TABLES = 12

MOST_PANELS = 12

Swept = tuple[str, list[tuple[str, float, int]]]  # key; line, value and number of each column


def answers(told: Comparison, everything: Comparison, work: Work) -> Markup:
    """What the scenario asks, and what each column says of itself."""
    rows = [row for name in work.asked for row in everything.rows if row.metric == name]
    found = [
        tag("p", line, class_="lead") for line in answer(work.answer, everything)[:MOST_SENTENCES]
    ]
    found += [tag("p", verdict(row, everything), class_="lead") for row in rows or told.rows[:1]]
    if len(told.columns) > MOST_SENTENCES:
        return join(found)
    said = [
        tag("li", tag("strong", column.name), f", seed {run.seed}: {run.outcome.sentence}")
        for column, run in _first_runs(told)
        if run.outcome is not None and run.outcome.sentence
    ]
    return join([*found, tag("ul", *said)] if said else found)


def _first_runs(told: Comparison) -> list[tuple[Any, Run]]:
    return [(c, runs[0]) for c, runs in zip(told.columns, told.runs, strict=True) if runs]


def figures(told: Comparison, everything: Comparison) -> Markup:
    """The table, and what is to be known of it."""
    found: list[Child] = []
    tables = groups(told)
    for numbers in tables[:MOST_TABLES]:
        base = sorted({told.columns[told.against[n]].name for n in numbers})
        rows = [
            [
                line.metric,
                *(
                    join([figure_, tag("span", ratio, class_=_kind(ratio))]) if ratio else figure_
                    for figure_, ratio in zip(line.figures, line.ratios, strict=True)
                ),
            ]
            for line in lines(told, numbers)
        ]
        seeds = f"{told.seeds} seed{'' if told.seeds == 1 else 's'}"
        caption = f"{seeds}; ratios are to {', '.join(base)}"
        found.append(table(caption, ["metric", *(told.columns[n].name for n in numbers)], rows))
    if len(tables) > MOST_TABLES:
        more = f"{len(tables) - MOST_TABLES} tables more are in the file of the runs."
        found.append(tag("p", more, class_="soft"))
    found += [tag("p", line, class_="soft") for line in footers(everything)]
    return join(found)


def _kind(ratio: str) -> str:
    return "ratio sure" if ratio.endswith("*") else "ratio"


# ---------------------------------------------------------------- pictures


def pictures(
    told: Comparison, everything: Comparison, work: Work, most: int
) -> tuple[Markup, Markup]:
    """Metrics as pictures; and lines over time, of so many points each."""
    numbers = itertools.count(1)
    plots = [dict(plot) for plot in work.plots] or list(_usual(told, everything, work))
    swept = _swept(told)
    drawn = [one for plot in plots for one in _drawn(plot, everything, swept, numbers)]
    wanted = [
        (plot["title"] if plot.get("title") else "", plot["series"], plot["column"])
        for plot in plots
        if plot["kind"] == "lines"
    ]
    panels = [*over.asked(told, wanted), *over.usual(told, {w[1:] for w in wanted})]
    times = [
        _figure(over_time(one, next(numbers), most), _with_marks(one))
        for one in panels[:MOST_PANELS]
    ]
    return join(drawn), join(times)


def _usual(told: Comparison, everything: Comparison, work: Work) -> Iterator[dict[str, str]]:
    """What is drawn for a scenario that does not say: what it asks, what it shows, seeds."""
    there = {row.metric for row in everything.rows}
    asked = [name for name in work.asked if name in there]
    names = list(dict.fromkeys([*asked, *(row.metric for row in told.rows)]))[:MOST_BARS]
    yield from ({"kind": "bars", "metric": name} for name in names)
    if len(names) > 1 and _swept(told) is None:
        yield {"kind": "scatter", "x": names[0], "y": names[1]}


def _drawn(
    plot: Mapping[str, str],
    everything: Comparison,
    swept: Swept | None,
    numbers: Iterator[int],
) -> Iterator[Markup]:
    title = f"{plot['title']}. " if plot.get("title") else ""
    rows = {row.metric: row for row in everything.rows}
    if plot["kind"] == "bars":
        names = [name for name in named(plot["metric"], rows) if _differs(rows[name])]
        for name in names[:MOST_BARS]:
            if swept is None:
                picture = bars(rows[name], everything, next(numbers))
            else:
                picture = against_value(rows[name], everything, swept[1], swept[0], next(numbers))
            yield _figure(picture, f"{title}{name}: mean and standard deviation over seeds")
    elif plot["kind"] == "scatter" and everything.seeds > 1 and everything.drawn:
        x, y = rows.get(plot["x"]), rows.get(plot["y"])
        if x is not None and y is not None:
            caption = f"{title}{y.metric} against {x.metric}: each point is a seed"
            yield _figure(scatter(x, y, everything, next(numbers)), caption)


def _differs(row: Row) -> bool:
    """Whether there is anything to see: a metric that is 0 everywhere has its line in the table."""
    return any(any(entry.values.values()) for entry in row.entries)


def _with_marks(panel: over.Panel) -> str:
    return f"{panel.caption}{'; a triangle is an OOM kill' if panel.marks else ''}"


def _figure(picture: Markup, caption: str) -> Markup:
    wide = tag(
        "div", picture, class_="wide", tabindex="0", role="region", aria_label=f"picture: {caption}"
    )
    return tag("figure", wide, tag("figcaption", caption))


def _swept(told: Comparison) -> Swept | None:
    """The one key whose values are numbers, and where each column lies; None: there is none."""
    values: dict[str, set[str]] = {}
    for column in told.columns:
        for key, value in column.params:
            values.setdefault(key, set()).add(value)
    moving = [key for key, texts in values.items() if len(texts) > 2 and all(map(_ok, texts))]
    if not moving or any(moving[0] not in dict(c.params) for c in told.columns):
        return None
    key = moving[0]
    places = []
    for number, column in enumerate(told.columns):
        rest = [f"{k}={v}" for k, v in column.params if k != key and len(values[k]) > 1]
        at, _ = _number(dict(column.params)[key])
        places.append((" ".join([column.scope, *rest]), at, number))
    unit = _number(next(iter(sorted(values[key]))))[1]
    return f"{key}{f', {unit}' if unit else ''}", places


def _ok(text: str) -> bool:
    try:
        _number(text)
    except ValueError:
        return False
    return True


def _number(text: str) -> tuple[float, str]:
    """A number, a size in MiB, or a duration in us."""
    try:
        return float(text), ""
    except ValueError:
        pass
    try:
        return parse_size(text) / 2**20, "MiB"
    except ValueError:
        return parse_duration(text) / 1e3, "us"


# ---------------------------------------------------------------- devices and kills


def devices(told: Comparison) -> Markup:
    """Which devices there were, what was written to them, and how much of their life that is."""
    rows: list[list[Child]] = []
    metrics = {row.metric: row for row in told.rows}
    for number, (column, run) in enumerate(
        zip(told.columns, (runs[0] if runs else None for runs in told.runs), strict=True)
    ):
        for device in [] if run is None or run.outcome is None else run.outcome.devices:
            name = str(device["name"])
            rows.append(
                [
                    column.name,
                    name,
                    str(device["preset"]),
                    "measured" if device["calibrated"] else "not calibrated",
                    _mean(metrics.get(f"devices.{name}.bytes_written"), number),
                    _mean(metrics.get(f"devices.{name}.wear_a_year"), number),
                ]
            )
    if not rows:
        return Markup("")
    titles = ("column", "device", "preset", "times", "written", "wear a year")
    return table(
        "Mean over seeds. Wear is the share of its life that a year of this would take.",
        titles,
        rows,
        text=4,
    )


def _mean(row: Row | None, number: int) -> str:
    entry = None if row is None else row.entries[number]
    if row is None or entry is None or entry.summary is None:
        return "-"
    if row.metric.endswith("wear_a_year"):
        return figure(entry.summary.mean, "share")
    return spread(entry.summary, row.unit)


def kills(told: Comparison) -> Markup:
    """Whom the OOM killer took."""
    found = [
        (column.name, run.seed, kill)
        for column, runs in zip(told.columns, told.runs, strict=True)
        for run in runs
        for kill in (run.outcome.kills if run.outcome is not None else [])
    ]
    if not found:
        return tag("p", "The OOM killer took nobody.")
    rows = [
        (
            *(name, str(seed), figure(kill["time_s"], "s")),
            *(str(kill[key]) for key in ("victim", "cgroup", "trigger", "level")),
            *(format_size(kill[key] * PAGE_SIZE) for key in ("rss_pages", "swap_pages")),
            *(f"{kill[key]:,}" for key in ("free_pages", "free_slots", "free_slots_allowed")),
        )
        for name, seed, kill in found[:MOST_KILLS]
    ]
    titles = (
        *("column", "seed", "time", "victim", "its cgroup", "who asked", "limit of"),
        *("in memory", "in swap", "pages free", "slots free", "of them allowed"),
    )
    more = len(found) - MOST_KILLS
    caption = f"{len(found)} kills{f', the first {MOST_KILLS}' if more > 0 else ''}"
    return table(caption, titles, rows, text=7)


# ---------------------------------------------------------------- what it was made from


def scenario(work: Work) -> Markup:
    """The file."""
    return join([tag("h3", work.name), tag("pre", tag("code", work.text), tabindex="0")])


def versions(runs: Sequence[Run]) -> Markup:
    """What was run by what."""
    cores = sorted({run.core for run in runs})
    done = [run.outcome for run in runs if run.outcome is not None]
    simulated = sum(one.simulated_ns for one in done) / 1e9
    return tag(
        "p",
        f"swapfast {', '.join(cores)}; {len(done)} runs, {simulated:,.4g} s simulated. The same "
        "version, scenario and seeds give the same page, byte for byte.",
    )
