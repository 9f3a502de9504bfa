"""The truth of programs side by side: one line a program and run, as `swapfast validate` reads it.

- ``Seen``: a program of a run. ``rows(plan, results, running)``: lines by column.
- ``columns(disks)``: which columns there are.

Columns are those of `swapfast.contention.truth`, and others that people read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from swapfast.contention.setup import LatencySetup
from swapfast.latency import Latency
from swapfast.measure.readings import MORE
from swapfast.measure.several.player import Told
from swapfast.measure.truth import KERNEL_COLUMNS, kernel_row
from swapfast.running import Running

__all__ = ["RunResult", "Seen", "columns", "rows"]

QUANTILES = {"p50_us": 0.5, "p90_us": 0.9, "p99_us": 0.99, "p999_us": 0.999}


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of a program.

    Attributes
    ----------
    name : str
    pages : int
        Of its trace.
    told : Told or None
        What it said itself; None: the OOM killer took it.
    group : dict of str to int
        What came in its group, by the names of `readings`.
    """

    name: str
    pages: int
    told: Told | None
    group: dict[str, int]


@dataclass(frozen=True, slots=True)
class RunResult:
    """One run of a scenario: its programs, and pages written to each disk that is known."""

    scenario: str
    repeat: int
    programs: tuple[Seen, ...]
    written: dict[str, int]


def columns(disks: Sequence[str]) -> tuple[str, ...]:
    """Of a truth file."""
    return (
        *("scenario", *KERNEL_COLUMNS, "rep", "program", "killed"),
        *("start_s", "wall_s", "end_s", "refs", "pages", "majflt", "pswpin", "pswpout"),
        *MORE,
        *("slow_n", "slow_mean_us", *QUANTILES, "max_us"),
        *(f"{disk}_pages_written" for disk in disks),
    )


def rows(
    results: Sequence[RunResult], latency: LatencySetup, running: Running | None
) -> list[dict[str, str]]:
    """Lines of a truth file; what is not known is left out."""
    return [
        {
            "scenario": run.scenario,
            **kernel_row(running),
            "rep": str(run.repeat),
            "program": seen.name,
            "killed": str(int(seen.told is None)),
            **_times(seen, run),
            "pages": str(seen.pages),
            **_counts(seen),
            **_slow(seen.told, latency),
            **{f"{disk}_pages_written": str(pages) for disk, pages in run.written.items()},
        }
        for run in results
        for seen in run.programs
    ]


def _times(seen: Seen, run: RunResult) -> dict[str, str]:
    """Seconds after the first program's start; nobody knows when a killed one began and ended."""
    if seen.told is None:
        return {}
    first = min(one.told.began for one in run.programs if one.told is not None)
    spans = {
        "start_s": seen.told.began - first,
        "wall_s": seen.told.ended - seen.told.began,
        "end_s": seen.told.ended - first,
    }
    return {name: f"{ns / 1e9:.6f}" for name, ns in spans.items()}


def _counts(seen: Seen) -> dict[str, str]:
    """Its group's, but for what it could tell itself."""
    found = {name: seen.group[name] for name in ("pswpin", "pswpout", *MORE) if name in seen.group}
    if seen.told is not None:
        found |= {"majflt": seen.told.majflt, "refs": seen.told.refs}
    elif "pgmajfault" in seen.group:
        found["majflt"] = seen.group["pgmajfault"]
    return {name: str(value) for name, value in found.items()}


def _slow(told: Told | None, latency: LatencySetup) -> dict[str, str]:
    if told is None or not told.slow:
        return {}
    slow: Latency = told.slow
    return {
        "slow_n": str(slow.count),
        "slow_mean_us": f"{slow.mean / 1e3:.1f}",
        **{name: f"{latency.as_shown(slow.quantile(q)):.2f}" for name, q in QUANTILES.items()},
        "max_us": f"{slow.max / 1e3:.1f}",
    }
