"""Runs that cost nothing: outcomes made up of the cell alone."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np

from swapfast import __version__
from swapfast.compare.cells import Cell
from swapfast.scenario import Outcome


def outcome(scope: str = "shared", seed: int = 0, **facts: Any) -> Outcome:
    """An outcome of which only what the test is about is said."""
    told: dict[str, Any] = {
        "title": "made up",
        "scope": scope,
        "seed": seed,
        "simulated_ns": 10**9,
        "wall_s": 0.5,
        "interrupted": False,
        "metrics": {},
        "series": {},
        "kills": [],
        "devices": [{"name": "d0", "preset": "nvme", "calibrated": False, "about": "a drive"}],
        "expectations": [],
        "sentence": f"{scope}: db waited.",
        "core": __version__,
    }
    return Outcome.of({**told, **facts})


def play(cell: Cell, **options: Any) -> Outcome:
    """Twice as slow in any scope but "shared", and a draw of the seed on top."""
    rng = np.random.default_rng([cell.seed, 7])
    base = 500.0 * (2 if cell.scope != "shared" else 1)
    memory = int(dict(cell.params).get("machine.memory", "64").rstrip("MiB"))
    metrics = {
        "programs.db.p99_us": base * (1 + 0.1 * rng.standard_normal()) * 64 / memory,
        "programs.db.references_per_s": 1e6 / base,
        "oom_kills.batch": int(cell.scope != "shared"),
        "oom_kills.total": int(cell.scope != "shared"),
    }
    times = [0.0, 0.5, 1.0]
    series = {"programs.db": {"t_s": times, "majors": [0.0, base, 3 * base]}}
    return outcome(cell.scope, cell.seed, metrics=metrics, series=series)


def fail(cell: Cell, **options: Any) -> Outcome:
    """The odd seeds cannot be run."""
    if cell.seed % 2:
        raise ValueError(f"seed {cell.seed} is odd")
    return play(cell)


def die(cell: Cell, **options: Any) -> Outcome:
    """Seed 1 takes its process with it."""
    if cell.seed == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return play(cell)


def note(cell: Cell, **options: Any) -> Outcome:
    """Leave a file for each run that was begun, in the folder that the source names."""
    folder = Path(cell.source)
    (folder / f"{cell.scope}-{cell.seed}-{os.getpid()}").touch()
    return play(cell)
