"""Cells on a cluster: a scheduler and two workers of this machine, on loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from swapfast.compare.cells import Stale, Work
from swapfast.compare.cluster import run_on
from swapfast.compare.pool import run_cells
from swapfast.compare.runs import read_runs
from swapfast.compare.sweep import cells_of
from tests.support import fake_play
from tests.support.tiny_scenario import TINY

pytest.importorskip("distributed", reason="pip install 'swapfast[dask]' installs distributed")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


class Cluster:
    """A scheduler, and workers that can be killed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.processes = folder, []
        self.file = folder / "scheduler.json"
        self._start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        while not self.file.exists() or not self.file.read_text():
            assert self.processes[0].poll() is None
            time.sleep(0.05)
        self.address = json.loads(self.file.read_text())["address"]
        self.workers = [
            self._start("dask_worker", "--nthreads", "1", "--no-nanny", "--no-dashboard")
            for _ in range(2)
        ]

    def _start(self, what: str, *options: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", f"distributed.cli.{what}"),
                *("--scheduler-file", str(self.file), *options),
            ],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.processes.append(process)
        return process

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    found = Cluster(tmp_path)
    yield found
    found.close()


@pytest.fixture
def work(tmp_path: Path) -> Work:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return Work.open(str(path))


def test_every_cell_comes_back_though_a_worker_dies(cluster: Cluster, work: Work) -> None:
    cells = cells_of(work, [{}], seeds=20)
    found = []
    for run in run_on(cluster.address, cells):
        found.append(run)
        if len(found) == 3:
            os.kill(cluster.workers[0].pid, signal.SIGKILL)
    assert {run.key for run in found} == {cell.key for cell in cells}
    assert all(run.outcome is not None for run in found)
    here = {run.key: run for run in run_cells(cells[:4], jobs=1)}
    there = {run.key: run for run in found}
    for key, run in here.items():  # the same figures, wherever
        other = there[key].outcome
        assert run.outcome is not None and other is not None
        assert run.outcome.metrics == other.metrics


def test_a_cell_that_fails_is_a_run_that_says_why(cluster: Cluster, work: Work) -> None:
    cells = cells_of(work, [{}], seeds=2)
    found = {(r.scope, r.seed): r for r in run_on(cluster.address, cells, play=fake_play.fail)}
    assert found["shared", 1].error == "seed 1 is odd" and found["shared", 0].outcome is not None


def test_a_worker_with_another_version_or_scenario_refuses(cluster: Cluster, work: Work) -> None:
    cells = cells_of(work, [{}], seeds=1)
    with pytest.raises(Stale, match=r"a worker refuses: swapfast .* is installed here"):
        list(run_on(cluster.address, [replace(cell, core="9.9") for cell in cells]))
    Path(work.source).write_text(TINY.replace("200ms", "100ms"))
    with pytest.raises(Stale, match="share the same file"):
        list(run_on(cluster.address, cells))


def test_a_sweep_on_a_cluster_is_that_of_this_machine(cluster: Cluster, work: Work) -> None:
    """The command itself; the file is written by it alone."""
    folder = Path(work.source).parent
    for name, where in (("here", ["--jobs", "1"]), ("there", ["--dask", cluster.address])):
        command = ["sweep", work.source, "--seeds", "2", "-o", str(folder / name), *where]
        done = subprocess.run(
            [sys.executable, "-m", "swapfast", *command], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    here, there = (
        {run.key: run.outcome.metrics for run in read_runs(folder / name).runs if run.outcome}
        for name in ("here", "there")
    )
    assert here == there and len(here) == 4


def test_where_no_scheduler_answers_a_sentence_says_so(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swapfast.compare.cluster.WAIT", 1.0)
    with pytest.raises(OSError, match=r"no scheduler answers at tcp://127\.0\.0\.1:9"):
        list(run_on("tcp://127.0.0.1:9", cells_of(work, [{}], seeds=1)))
