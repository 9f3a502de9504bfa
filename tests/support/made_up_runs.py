"""Runs that were made up, for a report with all of its parts."""

from __future__ import annotations

import numpy as np

from swapfast.compare.cells import Work
from swapfast.compare.runs import Run
from tests.support import fake_play
from tests.support.tiny_scenario import TINY


def work(text: str = TINY) -> Work:
    """The scenario that the runs are said to be of."""
    plots = (
        {"kind": "bars", "title": "Latency", "metric": "programs.db.p99_us"},
        {"kind": "scatter", "x": "programs.db.p99_us", "y": "programs.db.majors"},
        {"kind": "lines", "title": "Faults", "series": "programs.db", "column": "majors"},
    )
    asked, answer = ("oom_kills.batch",), "Of kills {swap_ns|oom_kills.batch} a run."
    return Work("tiny", "tiny.toml", text, (), ("programs.*", "oom_kills.*"), asked, answer, plots)


def many_runs(
    scope: str = "a scope", *, scopes: int = 4, seeds: int = 5, samples: int = 200
) -> list[Run]:
    """Runs of some scopes."""
    return [
        one_run(f"{scope} {number}" if number else "shared", number, seed, samples)
        for number in range(scopes)
        for seed in range(seeds)
    ]


def one_run(scope: str, number: int, seed: int, samples: int) -> Run:
    """One of them."""
    rng = np.random.default_rng([number, seed])
    base = 400.0 * (1 + number) * (1 + 0.1 * rng.standard_normal())
    metrics = {
        "programs.db.p99_us": base,
        "programs.db.majors": int(1000 / (1 + number)),
        "programs.db.references_per_s": 1e9 / base,
        "oom_kills.batch": number % 2,
        "oom_kills.total": number % 2,
        "devices.d0.bytes_written": 10**9 // (1 + number),
        "devices.d0.wear_a_year": 0.01,
    }
    t = [0.1 * n for n in range(1, samples + 1)]
    series = {
        name: {
            "t_s": t,
            "majors": rng.integers(0, 900, samples).astype(float).tolist(),
            "usage_pages": rng.integers(0, 90_000, samples).astype(float).tolist(),
            "free_pages": rng.integers(0, 90_000, samples).astype(float).tolist(),
        }
        for name in ("programs.db", "programs.batch", "cgroups./db", "machine")
    }
    kill = {
        "time_s": 1.5,
        "victim": "batch",
        "cgroup": "/batch",
        "trigger": "db",
        "level": "/",
        "rss_pages": 400,
        "swap_pages": 512,
        "free_pages": 3,
        "free_slots": 9000,
        "free_slots_allowed": 0,
        "rule": "kernel",
    }
    told = fake_play.outcome(
        scope, seed, metrics=metrics, series=series, kills=[kill] if number % 2 else []
    )
    return Run(f"{scope}-{seed}", work().digest, {}, scope, seed, "0.1.0", told)
