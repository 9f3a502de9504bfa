"""``swapfast validate`` for a truth of several programs: what it prints."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from swapfast.cli.output import console, counting, emit_json, interrupted, progress
from swapfast.contention import Contention
from swapfast.contention import validate as run_validation
from swapfast.contention.judge import GOALS, MARGIN, Row
from swapfast.errors import Interrupted

__all__ = ["judge_several"]

_TIMES = ("wall", "p50", "p99", "psi memory", "psi io")


def judge_several(
    truth: Path,
    scenarios: Path,
    traces: Path,
    *,
    worst: int,
    each: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Simulate every run of a truth of several programs, and print how far off they are."""
    try:
        with progress(quiet or as_json) as step, counting():
            result = run_validation(truth, scenarios, traces, progress=step)
    except Interrupted as stop:
        result = cast(Contention, stop.result)
    if not result.done and result.interrupted:
        raise KeyboardInterrupt
    if as_json:
        emit_json(result.as_dict())
    else:
        _show(result, worst, each)
    if result.interrupted:
        interrupted(result.done, result.asked, "runs")


def _show(result: Contention, worst: int, each: bool) -> None:
    console.say((result.truth, "bold"), f": {result.title}")
    console.say(
        f"{result.done} runs of several programs, each simulated at {result.phases} phases of the "
        "statistics; error of the median in % of the measured value"
    )
    for line in result.skipped:
        console.say(f"left out: {line}")
    if each:
        console.say()
        _show_rows(result.rows)
    console.say()
    _show_summary(result)
    _show_kills(result, each)
    if worst and result.rows and not each:
        console.say()
        console.say("furthest off:")
        _show_rows(result.worst(worst))


def _show_summary(result: Contention) -> None:
    rows = []
    for count, told in result.summary().items():
        goal = GOALS[count]
        wanted = " / ".join("-" if g is None else f"{100 * g:g}" for g in (goal.median, goal.p90))
        rows.append(
            (
                count,
                f"{told['rows']:.0f}",
                *(f"{100 * told[k]:.2f}" for k in ("median", "p90", "max")),
                f"{100 * told['within']:.0f} %",
                wanted,
                "" if wanted == "- / -" else "met" if result.met(count) else "missed",
            )
        )
    titles = ("count", "rows", "median", "p90", "max", "in range", "goal: median / p90", "")
    console.table(titles, rows, left=("count",))
    console.say(f"in range: of the phases, or {100 * MARGIN:g} % beside it")


def _show_kills(result: Contention, each: bool) -> None:
    kills = result.kills
    right, likely = sum(k.right for k in kills), sum(k.likely for k in kills)
    dead = sum(k.measured for k in kills)
    console.say(
        f"kills: {right} of {len(kills)} programs ended at some phase as they did there "
        f"({dead} were killed), {likely} at half of the phases or more"
    )
    chosen = [k for k in kills if (each and (k.measured or k.share)) or not k.right]
    if chosen:
        titles = ("scenario", "run", "program", "measured", "killed at", "")
        rows = [
            (
                *(k.scenario, k.repeat, k.who, "killed" if k.measured else "through"),
                f"{100 * k.share:.0f} % of the phases",
                "" if k.right else "wrong",
            )
            for k in chosen
        ]
        console.table(titles, rows, left=titles[:4])


def _show_rows(rows: list[Row]) -> None:
    titles = ("scenario", "run", "who", "count", "measured", "simulated", "range", "error", "")
    table = [
        (
            *(row.scenario, row.repeat, row.who, row.count),
            _number(row, row.measured),
            _number(row, row.simulated),
            f"{_number(row, row.least)} .. {_number(row, row.most)}",
            f"{100 * row.error:+.2f} %",
            "" if row.within else "out of range",
        )
        for row in rows
    ]
    console.table(titles, table, left=titles[:4])


def _number(row: Row, value: float) -> str:
    if row.count not in _TIMES:
        return f"{value:,.0f}"
    return f"{value / 1e6:.4f} s" if row.count == "wall" else f"{value:,.0f} us"
