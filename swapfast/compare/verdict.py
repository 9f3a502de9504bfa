"""The sentences that a comparison comes to.

- ``answer(template, comparison)``: the scenario's own sentence, filled in.
- ``verdict(row, comparison)``: which column is best by what, or that none differs.
"""

from __future__ import annotations

from collections.abc import Sequence

from swapfast.compare.comparison import Comparison, Row
from swapfast.compare.figures import figure, times
from swapfast.compare.statistics import Ratio
from swapfast.scenario.sentence import over

__all__ = ["answer", "verdict"]


def answer(template: str, comparison: Comparison) -> list[str]:
    """The scenario's own sentence, for each set of values that its columns have."""
    if not template:
        return []
    found: dict[tuple[tuple[str, str], ...], dict[str, dict[str, float]]] = {}
    for number, column in enumerate(comparison.columns):
        means = {
            row.metric: summary.mean
            for row in comparison.rows
            if (summary := row.entries[number].summary) is not None
        }
        found.setdefault(column.params, {})[column.scope] = means
    told = []
    for params, scopes in found.items():
        base = next(c for c in comparison.columns if c.params == params)
        where = base.name.removeprefix(base.scope).strip()
        told.append(f"{where}{': ' if where else ''}{over(template, scopes)}")
    return told


def verdict(row: Row, comparison: Comparison) -> str:
    """One sentence about one metric.

    What is better is the metric's; where neither less nor more is, the least is named. Where seeds
    differ by more than the columns do, the sentence says so.
    """
    told = [
        (entry.summary.mean, number)
        for number, entry in enumerate(row.entries)
        if entry.summary is not None
    ]
    if not told:
        return f"No run has {row.metric}."
    most = row.better == "more"
    best = max(m for m, _ in told) if most else min(m for m, _ in told)
    ties = [number for mean, number in told if mean == best]
    names = _and([comparison.columns[number].name for number in ties])
    value = figure(best, row.unit)
    if len(ties) == len(told):
        return f"{row.metric} is {value} {'everywhere' if len(told) > 1 else f'with {names}'}."
    sentence = f"{row.metric} is {'highest' if most else 'lowest'} with {names}: {value}"
    if comparison.against[ties[0]] in ties:
        return f"{sentence}{_next(row, comparison, ties[0], most)}."
    base = comparison.columns[comparison.against[ties[0]]].name
    return f"{sentence}{_against(row.entries[ties[0]].ratio, base)}."


def _against(ratio: Ratio | None, base: str) -> str:
    if ratio is None:
        return ""
    text = f", {times(ratio).removesuffix(' *')} of {base}"
    if ratio.low is None or ratio.high is None:
        return text
    bounds = f"95 %: {ratio.low:.3g} to {ratio.high:.3g}"
    if ratio.sure:
        return f"{text} ({bounds})"
    return f"{text}, which is within what seeds differ by ({bounds})"


def _next(row: Row, comparison: Comparison, base: int, most: bool) -> str:
    """How far a baseline that is best is ahead of the next."""
    told = [
        (entry.ratio.value, comparison.columns[number].name, entry.ratio)
        for number, entry in enumerate(row.entries)
        if comparison.against[number] == base and entry.ratio is not None and entry.ratio.value != 1
    ]
    if not told:
        return ""
    _, name, ratio = max(told, key=lambda t: t[0]) if most else min(told, key=lambda t: t[0])
    return f"; the next is {name}{_against(ratio, comparison.columns[base].name)}"


def _and(names: Sequence[str]) -> str:
    if len(names) > 4:
        return f"{', '.join(names[:3])} and {len(names) - 3} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
