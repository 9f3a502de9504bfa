"""What a scenario expects, and whether it came out so.

- ``judge(expected, runs)``: a ``Judgement`` for each expectation.
- ``Bound.parse("programs.db.p99_us>+2%")``: how far a metric may move from what is stored.
- ``stored(runs)``: figures to be kept; ``against(runs, base, bounds)``: later ones against them.
- ``scopes_of(expected, scopes)``: the scopes that are needed.
- ``junit(name, judgements)``: the same as XML, as test runners write it.

Simulated figures have no noise: the same version, scenario and seeds give the same digits, so that
a bound of 0 % holds unless something changed.
"""

from __future__ import annotations

import fnmatch
import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from xml.etree import ElementTree

from swapfast.compare.comparison import unit_of
from swapfast.compare.figures import figure
from swapfast.compare.runs import Run
from swapfast.scenario.tables.expect import ExpectTable

__all__ = ["Bound", "Judgement", "against", "judge", "junit", "scopes_of", "stored"]

Base = Mapping[str, Mapping[str, Sequence[float]]]  # scope -> metric -> a value a seed


@dataclass(frozen=True)
class Judgement:
    """Whether one thing is as it has to be.

    Attributes
    ----------
    name : str
        What is asked: metric and rule.
    held : bool
    sentence : str
        What came out.
    why : str
        Why it has to be so.
    """

    name: str
    held: bool
    sentence: str
    why: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return dict(vars(self))


# ---------------------------------------------------------------- what a scenario expects


def scopes_of(expected: Iterable[ExpectTable], scopes: Sequence[str]) -> list[str]:
    """The scopes that expectations are about, in the order of the scenario."""
    needed = {name for one in expected for name in _about(one, scopes)}
    return [name for name in scopes if name in needed]


def _about(one: ExpectTable, scopes: Sequence[str]) -> Sequence[str]:
    """Scopes of an order, the one that is named, or all."""
    if one.order is not None:
        return one.order
    return scopes if one.scope is None else (one.scope,)


def judge(
    expected: Iterable[ExpectTable], runs: Sequence[Run], scopes: Sequence[str]
) -> list[Judgement]:
    """Judge the means over seeds.

    Parameters
    ----------
    expected : iterable of ExpectTable
        In an order of scopes each has less than the next.
    runs : sequence of Run
    scopes : sequence of str
        All of the scenario.
    """
    means = {scope: _means(values) for scope, values in stored(runs).items()}
    return [one for e in expected for one in _judged(e, means, scopes)]


def _judged(
    e: ExpectTable, means: Mapping[str, Mapping[str, float]], scopes: Sequence[str]
) -> Iterator[Judgement]:
    unit = unit_of(e.metric)
    told = [(scope, means.get(scope, {}).get(e.metric)) for scope in _about(e, scopes)]
    if e.order is not None:
        held = all(
            a is not None and b is not None and a < b
            for a, b in itertools.pairwise(mean for _, mean in told)
        )
        said = ", ".join(f"{scope} {_shown(mean, unit)}" for scope, mean in told)
        yield Judgement(f"{e.metric}: {' < '.join(e.order)}", held, said, e.why)
    rules = (
        ("below", e.below, lambda mean, bound: mean < bound),
        ("above", e.above, lambda mean, bound: mean > bound),
        ("equal", e.equal, lambda mean, bound: math.isclose(mean, bound, rel_tol=1e-9)),
    )
    for scope, mean in told:
        for word, bound, holds in rules:
            if bound is not None:
                name = f"{e.metric} {word} {bound:g} ({scope})"
                said = f"with {scope} it is {_shown(mean, unit)}"
                yield Judgement(name, mean is not None and holds(mean, bound), said, e.why)


def _shown(mean: float | None, unit: str) -> str:
    return "not there" if mean is None else figure(mean, unit)


# ---------------------------------------------------------------- what was stored


def stored(runs: Iterable[Run]) -> dict[str, dict[str, list[float]]]:
    """Every metric of every scope, a value a seed, in the order of the seeds."""
    found: dict[str, dict[str, list[float]]] = {}
    for run in sorted(runs, key=lambda run: (run.scope, run.seed)):
        if run.outcome is not None:
            rows = found.setdefault(run.scope, {})
            for name, value in run.outcome.metrics.items():
                rows.setdefault(name, []).append(value)
    return found


def _means(values: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {name: math.fsum(told) / len(told) for name, told in values.items()}


_BOUND = re.compile(r"\s*(\S.*?)\s*([<>])\s*([+-]?\d+(?:\.\d+)?)\s*(%?)\s*\Z")


@dataclass(frozen=True)
class Bound:
    """How far a metric may move before it fails.

    Attributes
    ----------
    glob : str
        Which metrics.
    more : bool
        It fails above the bound; else below it.
    change : float
        In the metric's unit, or a share of what is stored.
    share : bool
    text : str
    """

    glob: str
    more: bool
    change: float
    share: bool
    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """``METRIC>+2%``: fails if it grew by more than 2 %; ``METRIC<-5%``; ``METRIC>+3``.

        Raises
        ------
        ValueError
            It is none.
        """
        match = _BOUND.match(text)
        if match is None:
            raise ValueError(
                f"{text:.60}: is no bound such as 'programs.db.p99_us>+2%' or 'oom_kills.*>+0'"
            )
        change = float(match[3]) / (100 if match[4] else 1)
        return cls(match[1], match[2] == ">", change, bool(match[4]), text.strip())

    def holds(self, now: float, before: float) -> bool:
        """Whether a metric is within it."""
        moved = now - before
        room = self.change * abs(before) if self.share else self.change
        slack = 1e-12 * abs(before)  # a mean of the same numbers
        return moved <= room + slack if self.more else moved >= room - slack


def against(runs: Iterable[Run], base: Base, bounds: Sequence[Bound]) -> list[Judgement]:
    """Hold runs against stored figures.

    Raises
    ------
    ValueError
        A bound is for no metric that is stored.
    """
    found = []
    now = {scope: _means(values) for scope, values in stored(runs).items()}
    for bound in bounds:
        seen = False
        for scope, rows in base.items():
            if scope not in now:
                continue
            before = _means(rows)
            for name in fnmatch.filter(sorted(before), bound.glob):
                seen = True
                found.append(_moved(bound, name, scope, now[scope].get(name), before[name]))
        if not seen:
            raise ValueError(f"{bound.text}: no metric that is stored is called {bound.glob}")
    return found


def _moved(bound: Bound, name: str, scope: str, now: float | None, before: float) -> Judgement:
    unit = unit_of(name)
    change = f", {100 * (now - before) / abs(before):+.3g} %" if now is not None and before else ""
    said = f"with {scope} it was {figure(before, unit)} and is {_shown(now, unit)}{change}"
    title = f"{name} ({scope}) {bound.text.removeprefix(bound.glob)}"
    return Judgement(title, now is not None and bound.holds(now, before), said)


# ---------------------------------------------------------------- for test runners


def junit(name: str, judgements: Sequence[Judgement]) -> bytes:
    """A JUnit file: a test case a judgement."""
    failures = sum(not one.held for one in judgements)
    counts = {"tests": str(len(judgements)), "failures": str(failures), "errors": "0"}
    suites = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(suites, "testsuite", {"name": name, **counts})
    for one in judgements:
        case = ElementTree.SubElement(suite, "testcase", {"classname": name, "name": one.name})
        if not one.held:
            failure = ElementTree.SubElement(case, "failure", {"message": one.sentence})
            failure.text = one.why or one.sentence
    ElementTree.indent(suites)
    text = ElementTree.tostring(suites, encoding="unicode", xml_declaration=False)
    printable = "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + printable.encode() + b"\n"
