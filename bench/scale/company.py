"""Axes of company: programs side by side, checkpoints, machines in threads and processes, cells."""

from __future__ import annotations

import multiprocessing
import tempfile
import threading
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from bench.checkpoints import Job
from bench.row import cpu
from bench.scale.axis import Axis, Work
from bench.scale.machines import decades
from bench.side_by_side import EACH, touching
from swapfast.compare.cells import Work as Scenario
from swapfast.compare.cells import play_cell
from swapfast.compare.runs import Run
from swapfast.compare.sweep import Log, cells_of
from swapfast.machine import Machine, restart
from swapfast.replay import replay
from swapfast.scenario import open_scenario
from swapfast.traces import Trace
from swapfast.traces.generate import generate

__all__ = ["AXES"]

TOUCHED = 100  # references of a program


def programs(count: int) -> Work:
    """In cgroups of their own with a thirtieth of their pages in memory; a unit is a fault."""
    seconds, references, _, faults = touching(count, TOUCHED, EACH // 30)
    assert references > TOUCHED * count and faults > TOUCHED * count
    return Work(seconds, faults)


def checkpoints(count: int) -> Work:
    """Of pages that are out already: what is written is the image. Pages have no bytes here."""
    with tempfile.TemporaryDirectory() as folder:
        job = _job(Path(folder), count)
        job.checkpoint(checksums=False)
        assert job.image.exists() and not job.machine.areas
        job.machine.close()
        return Work(job.busy, count)


def restarts(count: int) -> Work:
    """From such an image."""
    with tempfile.TemporaryDirectory() as folder:
        job = _job(Path(folder), count)
        job.checkpoint(checksums=False)
        job.machine.close()
        machine, seconds = cpu(lambda: restart(job.image))
        assert isinstance(machine, Machine)
        swapped = sum(int(area.info["inuse"]) for area in machine.areas.values())
        machine.close()
        assert swapped == count
        return Work(seconds, count)


def _job(folder: Path, pages: int) -> Job:
    job = Job(folder, pages, memory=max(4096, pages // 64), contents=False)
    step = 1 << 22
    for begin in range(0, pages, step):
        job.write(np.arange(begin, min(begin + step, pages), dtype=np.uint32), "")
    return job


REFS = 10_000_000


@cache
def _trace() -> Trace:
    return generate("zipf", pages=100_000, refs=REFS, seed=1)


def _replay(_: int) -> int:
    return replay(_trace(), "50%", page_cluster=0).pgmajfault


def threads(count: int) -> Work:
    """A replay each, wall time: on as many processors a unit costs less the more there are."""
    _trace()
    running = [threading.Thread(target=_replay, args=(number,)) for number in range(count)]
    begin = time.monotonic()
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return Work(time.monotonic() - begin, count * REFS)


def processes(count: int) -> Work:
    """The same in processes, which have made their traces before."""
    with multiprocessing.get_context("spawn").Pool(count) as pool:
        for _ in range(3):  # each of them has its trace now
            pool.map(_replay, range(count), chunksize=1)
        begin = time.monotonic()
        found: Sequence[int] = pool.map(_replay, range(count), chunksize=1)
        seconds = time.monotonic() - begin
    assert min(found) > 0
    return Work(seconds, count * REFS)


SCENARIO = "who-pays"


def cells(count: int) -> Work:
    """What a client does with each run of a sweep: asks for it, takes it, writes it down."""
    opened = open_scenario(SCENARIO)
    work = Scenario.open(SCENARIO)
    (scope, *_) = opened.scenario().scopes
    (first,) = cells_of(work, [{}], scopes=[scope], seeds=1)
    played = play_cell(first)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.jsonl"

        def client() -> None:
            asked = cells_of(work, [{}], scopes=[scope], seeds=count)
            with Log(path, work) as log:
                for cell in asked:
                    log.add(Run.of_cell(cell, played))

        seconds = cpu(client)[1]
        with path.open("rb") as lines:
            assert sum(1 for _ in lines) >= count
    return Work(seconds, count)


AXES: dict[str, Axis] = {
    "programs": Axis(
        "programs side by side, a cgroup each",
        "fault",
        decades(1, 5, 2),
        programs,
    ),
    "checkpoints": Axis("pages of a checkpoint", "page", decades(3, 8), checkpoints),
    "restarts": Axis("pages of a restart", "page", decades(3, 8), restarts),
    "threads": Axis(
        "machines in threads",
        "reference, wall",
        (1, 2),
        threads,
        flat=False,
        limit="two processors",
    ),
    "processes": Axis("machines in processes", "reference, wall", (1, 2), processes, flat=False),
    "cells": Axis("runs of a sweep, on the client", "run", decades(1, 5), cells),
}
