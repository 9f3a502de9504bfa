"""Snapshots: the job goes on untouched, its image has a swapfile of its own."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import shutil
import struct
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from swapfast.checkpoint import checkpoint, read_image, verify
from swapfast.checkpoint.disk import Disk
from swapfast.core import slot_pins
from swapfast.kernel.profile import find_profile
from swapfast.machine import restart
from swapfast.swapfile import SwapBacking, extents
from tests.support.faulty_disk import FaultyDisk
from tests.support.jobs import PAGE, boot, family, work
from tests.support.power_cut import RecordingDisk, crash
from tests.support.seen import contents, lists, picture
from tests.support.small_job import AREA, JOB, namespace_of, scribble, small_job


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
    assert slot_pins.pinned(machine.core, 0).size == 0
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
        checkpoint(machine.kernel, namespace_of(machine), tmp_path / JOB, kind="snapshot")
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


@pytest.mark.parametrize("draws", [1, pytest.param(12, marks=pytest.mark.slow)])
def test_power_cuts(tmp_path: Path, draws: int) -> None:
    run = tmp_path / "run"
    run.mkdir()
    machine = small_job(run)
    disk = RecordingDisk(run / AREA)
    right: dict[str, Any] = {}
    for turn in range(3):
        scribble(machine, str(turn), turn)
        disk.attempted = turn + 1
        checkpoint(machine.kernel, namespace_of(machine), run / JOB, kind="snapshot", disk=disk)
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
    checkpoint(machine.kernel, namespace_of(machine), tmp_path / JOB, kind="snapshot")
    count = FaultyDisk(-1, 0)
    checkpoint(machine.kernel, namespace_of(machine), tmp_path / JOB, kind="snapshot", disk=count)
    assert count.calls.count("sync") == 2 and count.calls.count("rename") == 1
    failed = set()
    for at in range(len(count.calls) - 2):  # the number of writes varies with the runs of slots
        for after in (False, True):
            now = contents(machine)
            disk = FaultyDisk(at, errno.ENOSPC, after)
            before = (tmp_path / JOB).read_bytes()
            try:
                checkpoint(
                    machine.kernel,
                    namespace_of(machine),
                    tmp_path / JOB,
                    kind="snapshot",
                    disk=disk,
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
            checkpoint(machine.kernel, namespace_of(machine), tmp_path / JOB, kind="snapshot")
            assert len(copies(tmp_path)) == 1
            scribble(machine, what, at)
    assert failed >= {"create", "allocate", "write"}
    # The last three for sure, however many writes there are.
    for name in ("sync", "rename", "sync_folder"):
        disk = FailingCall(name)
        with pytest.raises(OSError):
            checkpoint(
                machine.kernel, namespace_of(machine), tmp_path / JOB, kind="snapshot", disk=disk
            )
        assert len(copies(tmp_path)) == 1 + (name != "sync") and verify(tmp_path / JOB) == []
        checkpoint(machine.kernel, namespace_of(machine), tmp_path / JOB, kind="snapshot")
    machine.close()


def test_a_job_that_runs_on_a_copy_keeps_it(tmp_path: Path) -> None:
    """Restarted from a snapshot, its swapfile is the copy: the next snapshot leaves it alone."""
    machine = small_job(tmp_path)
    checkpoint(machine.kernel, namespace_of(machine), tmp_path / JOB, kind="snapshot")
    machine.close()
    again = restart(tmp_path / JOB)
    scribble(again, "again", 1)
    now = contents(again)
    for _ in range(2):
        checkpoint(again.kernel, namespace_of(again), tmp_path / JOB, kind="snapshot")
        assert len(copies(tmp_path)) == 2
    scribble(again, "later", 2)
    again.verify()
    again.close()
    with restart(tmp_path / JOB) as third:
        assert contents(third) == now
        checkpoint(third.kernel, namespace_of(third), tmp_path / JOB, kind="snapshot")
        assert len(copies(tmp_path)) == 2  # that of the one that ran first is gone


def test_a_copy_goes_with_its_image_whatever_comes_next(tmp_path: Path) -> None:
    machine = small_job(tmp_path)
    checkpoint(machine.kernel, namespace_of(machine), tmp_path / JOB, kind="snapshot")
    checkpoint(machine.kernel, namespace_of(machine), tmp_path / JOB, kind="pinned")
    assert copies(tmp_path) == [] and verify(tmp_path / JOB) == []
    checkpoint(machine.kernel, namespace_of(machine), tmp_path / JOB, kind="snapshot")
    machine.close()
    machine = restart(tmp_path / JOB)
    now = contents(machine)
    for kind in ("pinned", "in-place"):  # the job's own swapfile has that name
        checkpoint(machine.kernel, namespace_of(machine), tmp_path / JOB, kind=kind)  # type: ignore[arg-type]
        assert len(copies(tmp_path)) == 1
    machine.close()
    with restart(tmp_path / JOB) as again:
        assert contents(again) == now


# ---------------------------------------------------------------- reflink


class ReflinkDisk(Disk):
    """A file system that can; ``works`` says how often."""

    def __init__(self, works: int = 1 << 30) -> None:
        self.works, self.clones, self.writes = works, 0, 0

    def clone(self, source: int, start: int, size: int, fd: int, at: int) -> bool:
        if self.clones == self.works:
            return False
        self.clones += 1
        super().write(fd, os.pread(source, size, start), at)
        return True

    def write(self, fd: int, data: bytes | memoryview, at: int) -> None:
        self.writes += memoryview(data).nbytes
        super().write(fd, data, at)


@pytest.mark.parametrize("works", [1 << 30, 3, 0])
def test_blocks_are_shared_where_that_can_be(tmp_path: Path, works: int) -> None:
    machine = small_job(tmp_path)
    disk = ReflinkDisk(works)
    checkpoint(
        machine.kernel,
        namespace_of(machine),
        tmp_path / JOB,
        kind="snapshot",
        disk=disk,
    )
    pages = read_image(tmp_path / JOB).slot.total
    image = os.path.getsize(tmp_path / JOB)
    if works > 3:
        assert disk.clones >= 1 and disk.writes == PAGE + image
    elif works == 0:
        assert disk.clones == 0 and disk.writes == PAGE * (pages + 1) + image
    assert verify(tmp_path / JOB) == []
    now = contents(machine)
    machine.close()
    with restart(tmp_path / JOB) as again:
        assert contents(again) == now


CANNOT = (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY)


@pytest.mark.parametrize("code", [0, *CANNOT, errno.EIO, errno.ENOSPC])
def test_the_call_of_reflink(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    asked: list[Any] = []

    def ioctl(fd: int, request: int, argument: bytes) -> int:
        asked.append((fd, request, struct.unpack("=qQQQ", argument)))
        if code:
            raise OSError(code, os.strerror(code))
        return 0

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    if code in (errno.EIO, errno.ENOSPC):
        with pytest.raises(OSError):
            Disk().clone(7, 8192, 4096, 9, 12288)
    else:
        assert Disk().clone(7, 8192, 4096, 9, 12288) is (code == 0)
    # linux/fs.h: _IOW(0x94, 13, struct file_clone_range): source, its offset, length, offset here
    assert asked == [(9, 1 << 30 | 32 << 16 | 0x94 << 8 | 13, (7, 8192, 4096, 12288))]


def test_shared_blocks_get_their_own_at_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A swapfile may not share blocks; what the file system says of them is made up here."""
    machine = small_job(tmp_path)
    checkpoint(machine.kernel, namespace_of(machine), tmp_path / JOB, kind="snapshot")
    now = contents(machine)
    machine.close()
    (name,) = copies(tmp_path)
    size = os.path.getsize(tmp_path / name)
    shared = {8 * PAGE: 3 * PAGE, 40 * PAGE: 8 * PAGE}

    def made_up(fd: int, start: int, length: int) -> list[tuple[int, int, int]]:
        edges = sorted({start, size, *shared, *(a + n for a, n in shared.items())})
        pairs = [(a, b) for a, b in pairwise(edges) if a >= start]
        return [(a, b - a, 0x2000 * (a in shared) | (b == size)) for a, b in pairs]

    class Unsharing(Disk):
        def write(self, fd: int, data: bytes | memoryview, at: int) -> None:
            super().write(fd, data, at)
            if len(data) == shared.get(at):
                del shared[at]

    monkeypatch.setattr(extents, "_extents", made_up)
    with pytest.raises(OSError, match="shares its blocks") as caught:
        SwapBacking.open(tmp_path / name, find_profile("6.18").header, accept=lambda head: on(head))
    assert caught.value.errno == errno.EINVAL
    with restart(tmp_path / JOB, disk=Unsharing()) as again:
        assert shared == {} and contents(again) == now


def on(head: bytes) -> bytes:
    """A header page without a checkpoint."""
    return head[: PAGE - 10] + b"SWAPSPACE2" + head[PAGE:]


def test_where_this_file_system_can(tmp_path: Path) -> None:
    """For real: XFS and btrfs can, ext4 and tmpfs cannot."""
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(bytes(PAGE))
    with open(tmp_path / "one", "rb") as one, open(tmp_path / "two", "r+b") as two:
        if not Disk().clone(one.fileno(), 0, PAGE, two.fileno(), 0):
            pytest.skip("the file system of the temporary folder shares no blocks")
    machine = small_job(tmp_path)
    checkpoint(machine.kernel, namespace_of(machine), tmp_path / JOB, kind="snapshot")
    (name,) = copies(tmp_path)
    with open(tmp_path / name, "rb") as file:
        assert list(extents.shared_ranges(file.fileno(), os.path.getsize(tmp_path / name)))
    scribble(machine, "after", 1)
    assert verify(tmp_path / JOB) == []
    machine.close()
    with restart(tmp_path / JOB) as again:
        again.verify()
