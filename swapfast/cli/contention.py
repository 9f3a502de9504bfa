"""``swapfast validate`` for a truth of several programs: what it prints."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from swapfast.cli.output import console, counting, emit_json, interrupted, progress
from swapfast.contention import Contention
from swapfast.contention import validate as run_validation
from swapfast.contention.judge import GOALS, MARGIN, Row
from swapfast.errors import Interrupted
from swapfast.measure.ground import many

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
    ways = {
        "classic": f"at {result.phases} phases of the statistics; error of the median",
        "mglru": f"under the rules {', '.join(result.rules)}; error of {result.rules[0]}",
    }
    runs = {
        lru: len({(k.scenario, k.repeat) for k in result.kills if k.lru == lru}) for lru in ways
    }
    for lru in result.lrus:
        console.say(
            f"{lru}: {many(runs[lru], 'run')} of several programs, each simulated {ways[lru]} in % "
            "of the measured value"
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
    for count, goal in GOALS.items():
        wanted = " / ".join("-" if g is None else f"{100 * g:g}" for g in (goal.median, goal.p90))
        for lru in result.lrus:
            told = result.summary(lru).get(count)
            if told is None:
                continue
            rows.append(
                (
                    count,
                    lru,
                    f"{told['rows']:.0f}",
                    *(f"{100 * told[k]:.2f}" for k in ("median", "p90", "max")),
                    f"{100 * told['within']:.0f} %",
                    wanted,
                    "" if wanted == "- / -" else "met" if result.met(lru, count) else "missed",
                )
            )
    titles = ("count", "LRU", "rows", "median", "p90", "max", "in range", "goal: median / p90", "")
    console.table(titles, rows, left=("count", "LRU"))
    console.say(f"in range: of the phases or rules, or {100 * MARGIN:g} % beside it")


def _show_kills(result: Contention, each: bool) -> None:
    for lru in result.lrus:
        kills = [k for k in result.kills if k.lru == lru]
        right, likely = sum(k.right for k in kills), sum(k.likely for k in kills)
        dead = sum(k.measured for k in kills)
        some, half = {
            "classic": ("at some phase", "at half of the phases or more"),
            "mglru": ("under some rule", "under half of the rules or more"),
        }[lru]
        console.say(
            f"kills, {lru}: {right} of {len(kills)} programs ended {some} as they did there "
            f"({dead} were killed), {likely} {half}"
        )
    chosen = [k for k in result.kills if (each and (k.measured or k.share)) or not k.right]
    if chosen:
        titles = ("LRU", "scenario", "run", "program", "measured", "killed in", "")
        rows = [
            (
                *(k.lru, k.scenario, k.repeat, k.who, "killed" if k.measured else "through"),
                f"{100 * k.share:.0f} % of the {'phases' if k.lru == 'classic' else 'rules'}",
                "" if k.right else "wrong",
            )
            for k in chosen
        ]
        console.table(titles, rows, left=titles[:5])


def _show_rows(rows: list[Row]) -> None:
    titles = (
        "LRU",
        "scenario",
        "run",
        "who",
        "count",
        "measured",
        "simulated",
        "range",
        "error",
        "",
    )
    table = [
        (
            *(row.lru, row.scenario, row.repeat, row.who, row.count),
            _number(row, row.measured),
            _number(row, row.simulated),
            f"{_number(row, row.least)} .. {_number(row, row.most)}",
            f"{100 * row.error:+.2f} %",
            "" if row.within else "out of range",
        )
        for row in rows
    ]
    console.table(titles, table, left=titles[:5])


def _number(row: Row, value: float) -> str:
    if row.count not in _TIMES:
        return f"{value:,.0f}"
    return f"{value / 1e6:.4f} s" if row.count == "wall" else f"{value:,.0f} us"
