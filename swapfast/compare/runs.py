"""Runs as lines of a file: JSON, one run a line.

- ``Run``: what came of a cell: an outcome, or why there is none.
- ``read_runs(path)``: a file of them, and the scenarios they are of; ``Runs``.
- ``line_of(facts)``: one line; ``scenario_line(work)``: the line that has a scenario's text.

Every line can be read alone, so that a part of a file is a file of fewer runs.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from swapfast.compare.cells import Cell, Work
from swapfast.compare.sound import check
from swapfast.inputs import open_input
from swapfast.publish import AnyPath, publish
from swapfast.scenario import Outcome

__all__ = ["Run", "Runs", "line_of", "read_runs", "scenario_line", "write_runs"]


@dataclass(frozen=True)
class Run:
    """What came of a cell.

    Attributes
    ----------
    key : str
        `Cell.key`.
    text : str
        SHA-256 of the scenario's text.
    params : dict of str to str
        What was replaced in the scenario.
    scope : str
    seed : int
    core : str
        Version of swapfast.
    outcome : Outcome or None
    error : str
        Why there is no outcome.
    """

    key: str
    text: str
    params: dict[str, str]
    scope: str
    seed: int
    core: str
    outcome: Outcome | None = None
    error: str = ""

    @classmethod
    def of_cell(cls, cell: Cell, outcome: Outcome | None, error: str = "") -> Self:
        """The result of a cell."""
        who = (cell.key, cell.text, dict(cell.params), cell.scope, cell.seed, cell.core)
        return cls(*who, outcome, error)

    def as_dict(self, *, series: bool = True) -> dict[str, Any]:
        """Plain values, without metrics that are no number; ``series``: the lines over time too."""
        names = ("key", "text", "params", "scope", "seed", "core")
        facts: dict[str, Any] = {name: getattr(self, name) for name in names}
        if self.outcome is None:
            return {**facts, "error": self.error}
        shown = self.outcome if series else replace(self.outcome, series={})
        outcome = shown.as_dict()  # a copy of all that is in it, and the series are most of that
        outcome["metrics"] = {k: v for k, v in outcome["metrics"].items() if math.isfinite(v)}
        return {**facts, "outcome": outcome}

    @property
    def light(self) -> Self:
        """The same without its figures: a sweep of 100,000 runs asks only which are there."""
        if self.outcome is None:
            return self
        nothing: dict[str, Any] = {"metrics": {}, "series": {}, "kills": [], "devices": []}
        return replace(self, outcome=replace(self.outcome, events=[], **nothing))

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Self:
        """The run of `as_dict`.

        Raises
        ------
        ValueError
            It is none.
        """
        try:
            told = facts.get("outcome")
            outcome = None if told is None else Outcome.of(told)
            if outcome is not None:
                check(outcome)
            params = {str(key): str(value) for key, value in facts["params"].items()}
            who = (str(facts["key"]), str(facts["text"]), params, str(facts["scope"]))
            return cls(
                *who, int(facts["seed"]), str(facts["core"]), outcome, str(facts.get("error", ""))
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"is no run: {error!r:.80}") from None


@dataclass
class Runs:
    """What a file of runs holds.

    Attributes
    ----------
    runs : list of Run
        The last line of each key, in the order of the file.
    scenarios : dict of str to Work
        Each scenario, by the SHA-256 of its text; the files that it reads are not told.
    torn : int
        Bytes of a last line that was not finished.
    whole : int
        Bytes before it.
    """

    runs: list[Run] = field(default_factory=list)
    scenarios: dict[str, Work] = field(default_factory=dict)
    torn: int = 0
    whole: int = 0


def line_of(facts: Mapping[str, Any]) -> bytes:
    """One line of JSON."""
    return json.dumps(facts, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def scenario_line(work: Work) -> bytes:
    """The line that has a scenario's text."""
    facts = {"scenario": work.name, "text": work.digest, "toml": work.text}
    names = ("rows", "asked", "answer", "plots")
    return line_of({**facts, **{name: getattr(work, name) for name in names}})


def write_runs(path: AnyPath, work: Work, runs: Iterable[Run]) -> None:
    """Write a file of runs, whole or not at all.

    Raises
    ------
    OSError
        As `swapfast.publish.publish`.
    """
    with publish(path) as file:
        file.write(scenario_line(work))
        for run in runs:
            file.write(line_of(run.as_dict()))


def read_runs(path: AnyPath, *, light: bool = False) -> Runs:
    """Read a file of runs; of a last line that is torn its length is told.

    Parameters
    ----------
    path : path
    light : bool
        Without the figures, as `Run.light`.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        A line is none of a run; its number is named.
    """
    name, found = os.fspath(path), Runs()
    kept: dict[str, Run] = {}
    with open_input(path, pipes=True) as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                found.torn = len(line)
                break
            found.whole += len(line)
            if line.strip():
                _take(line, f"{name}:{number}", found, kept, light)
    found.runs = list(kept.values())
    return found


def _take(line: bytes, where: str, found: Runs, kept: dict[str, Run], light: bool) -> None:
    try:
        facts = json.loads(line)
        if not isinstance(facts, dict):
            raise ValueError("is no table")
        if "scenario" in facts:
            name, text = str(facts["scenario"]), str(facts["toml"])
            rows, asked = (tuple(map(str, facts[key])) for key in ("rows", "asked"))
            plots = tuple(dict(one) for one in facts["plots"])
            work = Work(name, name, text, (), rows, asked, str(facts["answer"]), plots)
            found.scenarios[str(facts["text"])] = work
            return
        run = Run.of(facts)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{where}: not a line of swapfast sweep or compare: {error}") from None
    kept.pop(run.key, None)  # a later line is newer
    kept[run.key] = run.light if light else run
