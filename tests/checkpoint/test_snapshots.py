"""Snapshots: the job goes on untouched, its image has a swapfile of its own."""

from __future__ import annotations

import errno
import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from swapfast.checkpoint import checkpoint, read_image, restart, verify
from swapfast.checkpoint.disk import Disk
from tests.checkpoint.crashes import FaultyDisk, RecordingDisk, crash
from tests.checkpoint.jobs import boot, contents, family, lists, picture, work
from tests.checkpoint.test_crashes import AREA, JOB, namespace_of, scribble, small_job


class FailingCall(Disk):
    """Fails in the first call of one kind."""

    def __init__(self, name: str) -> None:
        def fail(*_: str) -> None:
            raise OSError(errno.EIO, "as asked")

        setattr(self, name, fail)


def copies(folder: Path) -> list[str]:
    return sorted(n for n in os.listdir(folder) if n.endswith(".swap"))


def test_the_job_goes_on_and_so_does_the_copy(tmp_path: Path) -> None:
    machine, login = boot(tmp_path / AREA)
    family(login)
    login.swap_ns.checkpoint(tmp_path / JOB, kind="snapshot")
    assert machine.core.area_pinned(0).size == 0
    assert read_image(tmp_path / JOB).facts["kind"] == "snapshot"
    there = tmp_path / "there"
    there.mkdir()
    (name,) = copies(tmp_path)
    for one in (JOB, name):
        shutil.move(tmp_path / one, there / one)
    again = restart(there / JOB, keep=False)
    assert picture(again) == picture(machine) and lists(again) == lists(machine)
    for step in range(3):
        work(machine, step, 2)
        work(again, step, 2)
        assert picture(again) == picture(machine)
    assert contents(again) == contents(machine)
    again.close()
    machine.close()


def test_the_older_copy_goes_with_its_image(tmp_path: Path) -> None:
    machine = small_job(tmp_path)
    seen = []
    for turn in range(3):
        scribble(machine, str(turn), turn)
        (tmp_path / f"{JOB}.{'0' * 31}{turn}.swap").write_bytes(b"what a crash left")
        (tmp_path / "other.swap").write_bytes(b"somebody's")
        checkpoint(machine, namespace_of(machine), tmp_path / JOB, kind="snapshot")
        (name, other) = copies(tmp_path)
        assert other == "other.swap" and read_image(tmp_path / JOB).facts["area"][
            "path"
        ] == os.path.realpath(tmp_path / name)
        assert verify(tmp_path / JOB) == []
        seen.append(name)
        now = contents(machine)
        with restart(tmp_path / JOB) as again:
            assert contents(again) == now
    assert len(set(seen)) == 3
    machine.close()


@pytest.mark.parametrize("draws", [3, pytest.param(12, marks=pytest.mark.slow)])
def test_power_cuts(tmp_path: Path, draws: int) -> None:
    run = tmp_path / "run"
    run.mkdir()
    machine = small_job(run)
    disk = RecordingDisk(run / AREA)
    right: dict[str, Any] = {}
    for turn in range(3):
        scribble(machine, str(turn), turn)
        disk.attempted = turn + 1
        checkpoint(machine, namespace_of(machine), run / JOB, kind="snapshot", disk=disk)
        disk.acknowledged = turn + 1
        disk.step("acknowledged")
        identity = read_image(run / JOB).facts["area"]["identity"]
        right[identity] = (turn + 1, contents(machine))
    machine.close()
    rng = random.Random(2)
    points = new = 0
    for moment in disk.moments:
        for _ in range(draws):
            folder = tmp_path / "crash"
            crash(moment, folder, AREA, rng)
            points += 1
            if (folder / JOB).exists():
                facts = read_image(folder / JOB).facts
                turn, seen = right[facts["area"]["identity"]]
                assert moment.acknowledged <= turn <= moment.attempted
                swap = folder / os.path.basename(facts["area"]["path"])
                with restart(folder / JOB, swapfile=swap) as again:
                    assert contents(again) == seen
                new += turn == moment.attempted
            else:
                assert moment.acknowledged == 0
            shutil.rmtree(folder)
    assert points > 80 * draws // 3 and new > 0


def test_errors_at_every_call(tmp_path: Path) -> None:
    machine = small_job(tmp_path)
    checkpoint(machine, namespace_of(machine), tmp_path / JOB, kind="snapshot")
    count = FaultyDisk(-1, 0)
    checkpoint(machine, namespace_of(machine), tmp_path / JOB, kind="snapshot", disk=count)
    assert count.calls.count("sync") == 2 and count.calls.count("rename") == 1
    failed = set()
    for at in range(len(count.calls) - 2):  # the number of writes varies with the runs of slots
        for after in (False, True):
            now = contents(machine)
            disk = FaultyDisk(at, errno.ENOSPC, after)
            before = (tmp_path / JOB).read_bytes()
            try:
                checkpoint(
                    machine, namespace_of(machine), tmp_path / JOB, kind="snapshot", disk=disk
                )
            except OSError as error:
                assert error.errno == errno.ENOSPC
            what = disk.calls[at] if at < len(disk.calls) else ""
            failed.add(what)
            committed = what in ("", "sync_folder") or (what == "rename" and after)
            assert ((tmp_path / JOB).read_bytes() != before) == committed, what
            assert len(copies(tmp_path)) == 1 + (what in ("rename", "sync_folder")), what
            assert verify(tmp_path / JOB) == [], what
            machine.verify()
            assert contents(machine) == now, what
            checkpoint(machine, namespace_of(machine), tmp_path / JOB, kind="snapshot")
            assert len(copies(tmp_path)) == 1
            scribble(machine, what, at)
    assert failed >= {"create", "allocate", "write", "sync"}
    # The last two for sure: count from the end of a run of the same state.
    for name in ("rename", "sync_folder"):
        disk = FailingCall(name)
        with pytest.raises(OSError):
            checkpoint(machine, namespace_of(machine), tmp_path / JOB, kind="snapshot", disk=disk)
        assert len(copies(tmp_path)) == 2 and verify(tmp_path / JOB) == []
        checkpoint(machine, namespace_of(machine), tmp_path / JOB, kind="snapshot")
    machine.close()
