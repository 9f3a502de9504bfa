"""Seeded workloads, stopped and restarted again and again, beside runs that nobody stops.

Two machines do the same. Both are checkpointed at the same moments: one goes on, the other is
thrown away and comes back from its image. All counters, page tables and lists of slots are compared
after each cut and at the end, and then every byte. Kinds are drawn: whole images and chains.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swapfast.checkpoint import checkpoint, compact, release, restart, verify
from swapfast.machine import Machine
from tests.support.jobs import POLICIES, boot, family, work
from tests.support.seen import contents, lists, picture
from tests.support.small_job import namespace_of

CUTS = 5
KINDS = ("in-place", "pinned", "snapshot", "rows", "copies")
# What a job keeps pinned after each kind: the slots of its own checkpoint, of a chain of copies.
KEEPS = {
    "in-place": "own",
    "pinned": "own",
    "rows": "own",
    "copies": "chain",
    "snapshot": "nothing",
}


class Run:
    """One of the two machines, in a folder of its own."""

    def __init__(self, folder: Path, seed: int, stopped: bool) -> None:
        folder.mkdir(parents=True)
        rng = np.random.default_rng(seed)
        self.folder, self.stopped = folder, stopped
        self.machine, login = boot(
            folder / "area",
            size="16MiB",
            memory=("512KiB", "768KiB", "1MiB")[int(rng.integers(3))],
            policy=POLICIES[seed % len(POLICIES)],
        )
        family(login, seed)
        self.last: Path | None = None
        self.keeps = ""

    def cut(self, number: int, kind: str, folded: bool) -> None:
        """A checkpoint; who is stopped comes back from it."""
        machine, namespace = self.machine, namespace_of(self.machine)
        if self.keeps != KEEPS[kind]:
            release(machine.kernel, namespace)
            self.last = None
        self.keeps = KEEPS[kind]
        image = self.folder / f"{number}"
        what: Any = kind
        parent = None
        if kind == "copies" or (kind == "rows" and self.last is not None):
            what, parent = "incremental", self.last
        elif kind == "rows" or (kind == "in-place" and not self.stopped):
            what = "pinned"
        checkpoint(machine.kernel, namespace, image, kind=what, parent=parent)
        if folded and what != "in-place":
            whole = self.folder / f"{number} folded"
            compact(image, whole)
            image = whole
        self.last = image if kind != "snapshot" else None
        if self.stopped:
            machine.close()
            assert verify(image) == []
            self.machine = restart(image, keep=kind != "snapshot")


def state(machine: Machine) -> str:
    """One word for everything but bytes."""
    return hashlib.sha256(repr((picture(machine), lists(machine))).encode()).hexdigest()


def one_workload(folder: Path, seed: int) -> set[str]:
    """The kinds that were drawn."""
    runs = [Run(folder / name, seed, name == "stopped") for name in ("stopped", "whole")]
    rng = np.random.default_rng([seed, 7])
    drawn: set[str] = set()
    kind = ""
    for cut in range(CUTS):
        if not kind or rng.random() < 0.5:  # so that chains get longer
            kind = str(rng.choice(KINDS))
        folded = bool(rng.random() < 0.2)
        for run in runs:
            work(run.machine, 100 * seed + cut, int(1 + seed % 3))
            run.cut(cut, kind, folded)
        stopped, whole = (run.machine for run in runs)
        if state(stopped) != state(whole):
            assert picture(stopped) == picture(whole), (seed, cut, kind)
            assert lists(stopped) == lists(whole), (seed, cut, kind)
        drawn.add(kind)
    for run in runs:
        work(run.machine, 100 * seed + CUTS, 3)
    stopped, whole = (run.machine for run in runs)
    assert picture(stopped) == picture(whole) and lists(stopped) == lists(whole), seed
    seen = contents(stopped)
    assert seen and seen == contents(whole), seed
    assert picture(stopped) == picture(whole), seed
    for machine in (stopped, whole):
        machine.verify()
        machine.close()
    shutil.rmtree(folder)
    return drawn


@pytest.mark.parametrize("seed", range(5))
def test_some_workloads(tmp_path: Path, seed: int) -> None:
    one_workload(tmp_path / "run", seed)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_two_hundred_workloads(tmp_path: Path, part: int) -> None:
    drawn = set()
    for seed in range(20 * part, 20 * part + 20):
        drawn |= one_workload(tmp_path / f"{seed}", seed)
    assert drawn == set(KINDS)
    print(f"20 workloads, {20 * CUTS} cuts, no difference")
