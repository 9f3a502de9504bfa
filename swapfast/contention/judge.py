"""Simulated against measured, for several programs at once.

- ``validate(truth, setup, traces)``: every run of a truth, at every phase that it may have had.
- ``Contention``: what came out: ``rows`` and ``kills``; ``summary()``.
- ``GOALS``: how large errors may be.

A kernel whose statistics nobody reads refreshes them every 2 s, at a time that no truth knows. So a
run is simulated at several phases: what was measured is compared with their median, and with their
range. The multi-generational LRU reads no statistics, but walks the page tables of programs that
ran since: there the range is that of its rules, and the error that of one rule. Where programs were
killed, phases or rules count in which the same ones were, if there are any.
Errors are relative to what was measured, or to 200 events or 1 ms where there were fewer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from swapfast.contention.play import Outcome, Traces, histories, play
from swapfast.contention.setup import ScenarioSetup, Setup, load
from swapfast.contention.truth import Run, read_truth
from swapfast.errors import Interrupted
from swapfast.validate import LRUS

__all__ = ["GOALS", "MARGIN", "Contention", "Goal", "Kill", "Row", "validate"]

EVENTS, TIME = 200.0, 1000.0  # of which an error is, where less was measured; us
FLOORS = {"wall": TIME, "psi memory": TIME, "psi io": TIME, "p50": 1.0, "p99": 1.0}
MARGIN = 0.01  # beside the range of phases or rules, and still within it


@dataclass(frozen=True, slots=True)
class Goal:
    """Of the errors of one count: their median and 90th percentile at most, where there is one."""

    median: float | None
    p90: float | None


GOALS = {
    "majflt": Goal(0.02, 0.10),
    "pswpout": Goal(0.02, 0.10),
    "wall": Goal(0.05, 0.15),
    "refs": Goal(0.05, 0.15),
    "p50": Goal(0.10, None),
    "p99": Goal(0.25, None),
    "psi memory": Goal(0.10, 0.25),
    "psi io": Goal(0.10, 0.25),
    "disk reads": Goal(None, None),
    "disk writes": Goal(None, None),
    "disk pages written": Goal(0.03, None),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One number of one run.

    Attributes
    ----------
    lru, scenario, repeat : str
    who : str
        A program, or a disk.
    count : str
        One of `GOALS`.
    measured, simulated : float
        The second is the median over the phases, or what the rule says; times in us.
    least, most : float
        Over the phases or rules.
    error : float
        Of ``simulated``, relative.
    """

    lru: str
    scenario: str
    repeat: str
    who: str
    count: str
    measured: float
    simulated: float
    least: float
    most: float
    error: float

    @property
    def within(self) -> bool:
        """Whether what was measured lies in the range of phases or rules, or 1 % beside it."""
        return self.least * (1 - MARGIN) <= self.measured <= self.most * (1 + MARGIN)


@dataclass(frozen=True, slots=True)
class Kill:
    """Whether the OOM killer took one program.

    Attributes
    ----------
    lru, scenario, repeat, who : str
    measured : bool
    share : float
        Of the phases, or rules, in which it is killed.
    """

    lru: str
    scenario: str
    repeat: str
    who: str
    measured: bool
    share: float

    @property
    def right(self) -> bool:
        """Whether what happened there happens at some phase, or under some rule."""
        return self.share > 0 if self.measured else self.share < 1

    @property
    def likely(self) -> bool:
        """Whether it happens at half of them, or more."""
        return (self.share >= 0.5) if self.measured else (self.share <= 0.5)


@dataclass(slots=True)
class Contention:
    """All that was compared.

    Attributes
    ----------
    truth, title : str
        The file, and what the scenarios are.
    phases : int
        Simulations of each run under the classic LRU.
    rules : tuple of str
        The same under the multi-generational one; the errors are those of the first.
    rows : list of Row
    kills : list of Kill
    skipped : list of str
        What was left out, and why.
    done, asked : int
        Runs.
    interrupted : bool
        Ctrl-C came before the last of them.
    """

    truth: str
    title: str
    phases: int
    rules: tuple[str, ...]
    rows: list[Row] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    done: int = 0
    asked: int = 0
    interrupted: bool = False

    @property
    def lrus(self) -> list[str]:
        """Those that were played."""
        return sorted({row.lru for row in self.rows} | {kill.lru for kill in self.kills})

    def summary(self, lru: str) -> dict[str, dict[str, float]]:
        """For each count: rows, median, p90 and max of |error|, share within the range."""
        result = {}
        for count in GOALS:
            chosen = [row for row in self.rows if (row.lru, row.count) == (lru, count)]
            if not chosen:
                continue
            errors = np.abs([row.error for row in chosen])
            result[count] = {
                "rows": float(len(chosen)),
                "median": float(np.median(errors)),
                "p90": float(np.percentile(errors, 90)),
                "max": float(errors.max()),
                "within": float(np.mean([row.within for row in chosen])),
            }
        return result

    def met(self, lru: str, count: str) -> bool:
        """Whether the errors of a count are as small as they are to be."""
        found, goal = self.summary(lru)[count], GOALS[count]
        return (goal.median is None or found["median"] <= goal.median) and (
            goal.p90 is None or found["p90"] <= goal.p90
        )

    def worst(self, n: int = 5) -> list[Row]:
        """The ``n`` rows that are furthest off."""
        return sorted(self.rows, key=lambda row: -abs(row.error))[:n]

    def as_dict(self) -> dict[str, Any]:
        """The same, for JSON."""
        return {
            "truth": self.truth,
            "title": self.title,
            "phases": self.phases,
            "rules": self.rules,
            "skipped": self.skipped,
            "interrupted": self.interrupted,
            "summary": {
                lru: {
                    count: {**told, "goal": asdict(GOALS[count]), "met": self.met(lru, count)}
                    for count, told in self.summary(lru).items()
                }
                for lru in self.lrus
            },
            "kills": [{**asdict(one), "right": one.right} for one in self.kills],
            "rows": [{**asdict(row), "within": row.within} for row in self.rows],
        }


def validate(
    truth: str | os.PathLike[str],
    setup: str | os.PathLike[str],
    traces: str | os.PathLike[str],
    *,
    progress: Callable[[str, int, int], None] | None = None,
) -> Contention:
    """Simulate every run of a truth of several programs.

    Parameters
    ----------
    truth : path
        CSV, see `swapfast.contention.truth`.
    setup : path
        TOML: what the scenarios were; see `swapfast.contention.setup`.
    traces : path
        Folder with the traces that it names.
    progress : callable, optional
        Called as ``progress(what, runs done, runs)``.

    Raises
    ------
    OSError, ValueError
        A file that is missing or broken; a truth that has a program which its scenario has not.
    Interrupted
        A KeyboardInterrupt came, which ``progress`` may raise: its ``result`` is a Contention of
        the runs done.
    """
    wanted = load(setup)
    name = os.fspath(truth)
    phases = len(histories(wanted.machine, "classic", None))
    rules = tuple(one.rule for one in histories(wanted.machine, "mglru", None))
    result = Contention(name, wanted.title, phases, rules)
    runs = _described(read_truth(truth), wanted, name, result)
    result.asked = len(runs)
    loaded = Traces(traces)
    try:
        for run, scenario in runs:
            if progress is not None:
                what = f"{run.lru}: {run.scenario} {run.repeat}"
                progress(what, result.done, result.asked)
            starts = _starts(wanted, scenario, run)
            possible = histories(wanted.machine, run.lru, run.lru_gen)
            outcomes = [play(wanted, scenario, loaded, starts, one) for one in possible]
            _judge(result, scenario, run, outcomes)
            result.done += 1
    except KeyboardInterrupt:
        result.interrupted = True
        raise Interrupted(result) from None
    return result


def _described(
    truth: list[Run], setup: Setup, name: str, result: Contention
) -> list[tuple[Run, ScenarioSetup]]:
    """Runs whose scenario is described, the ones among them in which nobody was left."""
    played = [lru for lru, policy in LRUS.items() if setup.machine.policy in (None, policy)]
    others = [run for run in truth if run.lru not in played]
    if others:
        lines = sum(len(run.programs) for run in others)
        result.skipped.append(
            f"{lines} lines: of the {others[0].lru} LRU, not of {setup.machine.policy}"
        )
    chosen = []
    for run in truth:
        if run.lru not in played:
            continue
        scenario = setup.named(run.scenario)
        if scenario is None:
            result.skipped.append(f"{name}:{run.line}: {run.scenario} is not described")
            continue
        known = {one.name for one in scenario.program}
        strange = [one for one in run.programs if one not in known]
        if strange:
            raise ValueError(
                f"{name}:{run.line}: {run.scenario} has no program {', '.join(strange)}"
            )
        chosen.append((run, scenario))
    there = {(run.scenario, run.repeat) for run in truth if run.lru == "classic"}
    for scenario in setup.scenario if "classic" in played else ():
        for repeat in scenario.killed:
            if (scenario.name, repeat) not in there:
                chosen.append((Run("classic", scenario.name, repeat, 0), scenario))
    if not chosen:
        raise ValueError(f"{name}: no run in it that can be played")
    return chosen


def _starts(setup: Setup, scenario: ScenarioSetup, run: Run) -> dict[str, int]:
    """When each program begins: as measured, or as described."""
    digits = "".join(filter(str.isdigit, run.repeat))
    later = setup.machine.stagger * int(digits or 0)
    starts = {}
    for i, program in enumerate(scenario.program):
        seen = run.programs.get(program.name)
        known = None if seen is None else seen.start
        starts[program.name] = program.start + later * (i > 0) if known is None else known
    return starts


def _judge(result: Contention, scenario: ScenarioSetup, run: Run, outcomes: list[Outcome]) -> None:
    place = (run.lru, run.scenario, run.repeat)
    dead = {name for name, seen in run.programs.items() if seen.killed}
    if run.lru == "classic":
        dead.update(scenario.killed.get(run.repeat, ()))
    for one in scenario.program:
        if one.name in run.programs or one.name in dead:
            killed = float(np.mean([o.killed[one.name] for o in outcomes]))
            result.kills.append(Kill(*place, one.name, one.name in dead, killed))
    alike = [o for o in outcomes if {n for n, killed in o.killed.items() if killed} == dead]
    for one in scenario.program:
        seen = run.programs.get(one.name)
        if seen is None or seen.killed:
            continue
        ended = alike or [o for o in outcomes if not o.killed[one.name]] or outcomes
        skip = "refs" if one.stop is None else "wall"  # what was the same by construction
        for count, value in seen.counts.items():
            if count != skip:
                values = [o.counts[one.name][count] for o in ended]
                result.rows.append(_row(place, one.name, count, value, values))
    for disk, told in run.disks.items():
        if all(disk in o.disks for o in outcomes):
            result.rows += _disk_rows(place, disk, told, alike or outcomes)


def _disk_rows(
    place: tuple[str, str, str], disk: str, told: dict[str, float], outcomes: list[Outcome]
) -> Iterable[Row]:
    for what, value in told.items():
        values = [o.disks[disk][what] for o in outcomes]
        if value or any(values):  # a disk that nobody came to is no success
            yield _row(place, disk, f"disk {what}", value, values)


def _row(
    place: tuple[str, str, str], who: str, count: str, measured: float, values: list[float]
) -> Row:
    middle = values[0] if place[0] == "mglru" else float(np.median(values))
    floor = FLOORS.get(count, EVENTS)
    return Row(
        *place,
        who,
        count,
        measured,
        middle,
        min(values),
        max(values),
        (middle - measured) / max(measured, floor),
    )
