"""Old or new, never a third: crashes, power cuts and errors at every step of a checkpoint."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from swapfast.checkpoint import checkpoint, read_image, verify
from swapfast.checkpoint.attempt import Attempt
from swapfast.checkpoint.disk import Disk
from swapfast.core import images, slot_pins
from swapfast.machine import restart
from swapfast.swapfile import SwapBacking
from tests.support.faulty_disk import FaultyDisk
from tests.support.jobs import PAGE, boot
from tests.support.power_cut import Moment, RecordingDisk, everywhere
from tests.support.seen import contents
from tests.support.small_job import AREA, JOB, namespace_of, scribble, seen_in, small_job


def recorded(folder: Path) -> tuple[RecordingDisk, dict[int, dict[Any, Any]]]:
    """Three checkpoints, a restart and one more, with work in between; each step a moment."""
    folder.mkdir()
    machine = small_job(folder)
    disk = RecordingDisk(folder / AREA)
    right: dict[int, dict[Any, Any]] = {}
    for generation, kind in enumerate(("pinned", "pinned", "in-place", "pinned"), 1):
        for part in range(3):
            scribble(machine, f"generation {generation}", 10 * generation + part)
            disk.step("work")
        disk.attempted = generation
        checkpoint(
            machine.kernel,
            namespace_of(machine),
            folder / JOB,
            kind=kind,  # type: ignore[arg-type]
            disk=disk,
            identity=bytes(16),
        )
        disk.acknowledged = generation
        disk.step("acknowledged")
        right[generation] = seen_in(folder)
        if kind == "in-place":
            machine.close()
            machine = restart(folder / JOB, swapfile=folder / AREA, disk=disk)
            disk.step("restarted")
    for part in range(3):
        scribble(machine, "after", part)
        disk.step("work")
    machine.close()
    return disk, right


def crash_everywhere(tmp_path: Path, draws: int) -> dict[str, int]:
    disk, right = recorded(tmp_path / "run")
    leftovers = 0

    def look(folder: Path, moment: Moment, where: str, tally: dict[str, int]) -> None:
        nonlocal leftovers
        if not (folder / JOB).exists():
            assert moment.acknowledged == 0, where
            tally["nothing yet"] += 1
            return
        generation = read_image(folder / JOB).generation
        assert moment.acknowledged <= generation <= moment.attempted, where
        assert verify(folder / JOB, folder / AREA) == [], where
        with restart(folder / JOB, swapfile=folder / AREA) as machine:
            assert contents(machine) == right[generation], where
            machine.verify()
            tally["old" if generation < moment.attempted else "new"] += 1
            if (folder / f"{JOB}.tmp").exists():
                leftovers += 1
                checkpoint(machine, namespace_of(machine), folder / JOB, kind="pinned")
                assert sorted(os.listdir(folder)) == [AREA, JOB], where
                assert read_image(folder / JOB).generation == generation + 1

    return {**everywhere(disk, tmp_path / "crash", draws, 1, look), "leftovers": leftovers}


def test_power_cuts(tmp_path: Path) -> None:
    tally = crash_everywhere(tmp_path, 1)
    assert tally["points"] > 125 and min(tally.values()) > 0, tally


@pytest.mark.slow
def test_thousands_of_power_cuts(tmp_path: Path) -> None:
    tally = crash_everywhere(tmp_path, 24)
    print(tally)
    assert tally["points"] > 3000 and min(tally.values()) > 0, tally


@pytest.mark.parametrize("without", ["sync of the swapfile", "sync of the image", "pins"])
def test_the_crash_test_can_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without: str
) -> None:
    """Leave one part of the protocol out, and some power cut destroys a checkpoint."""
    attempt = Attempt
    original = attempt.commit

    def commit(self: Any) -> None:
        original(self)
        if self.kind == "pinned":
            slot_pins.unpin(self.frozen.kernel.core, self.frozen.area.number)

    if without == "pins":
        monkeypatch.setattr(attempt, "commit", commit)
    elif without == "sync of the image":
        monkeypatch.setattr(RecordingDisk, "sync", lambda self, fd: None)
    else:
        monkeypatch.setattr(SwapBacking, "sync", lambda self, flush=None: None)
    with pytest.raises((AssertionError, ValueError)):
        crash_everywhere(tmp_path, 6)


# ---------------------------------------------------------------- errors


def calls_of_a_checkpoint(tmp_path: Path) -> list[str]:
    folder = tmp_path / "count"
    folder.mkdir()
    machine = small_job(folder)
    disk = FaultyDisk(at=-1, code=0)
    checkpoint(machine.kernel, namespace_of(machine), folder / JOB, kind="pinned", disk=disk)
    machine.close()
    return disk.calls


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("pinned", errno.EIO),
        pytest.param("in-place", errno.ENOSPC, marks=pytest.mark.slow),
        pytest.param("pinned", errno.ENOSPC, marks=pytest.mark.slow),
        pytest.param("in-place", errno.EIO, marks=pytest.mark.slow),
    ],
)
def test_errors_at_every_call(tmp_path: Path, kind: Any, code: int) -> None:
    """The older checkpoint loads, the job goes on with every byte, nothing is left over."""
    calls = calls_of_a_checkpoint(tmp_path)
    assert calls.count("sync_data") == 1 and calls.count("sync") == 1
    assert calls.count("rename") == 1 and calls.count("sync_folder") == 1
    for at, what in enumerate(calls[:-1]):  # an error in the last, the stamp, changes nothing
        for after in (False, True):
            folder = tmp_path / f"{at}{after}"
            folder.mkdir()
            machine = small_job(folder)
            checkpoint(machine.kernel, namespace_of(machine), folder / JOB, kind="pinned")
            old = seen_in(folder)
            scribble(machine, "new", at)
            now = contents(machine)
            disk = FaultyDisk(at, code, after)
            with pytest.raises(OSError) as caught:
                checkpoint(
                    machine.kernel, namespace_of(machine), folder / JOB, kind=kind, disk=disk
                )
            assert caught.value.errno == code, what
            machine.verify()
            assert not (folder / f"{JOB}.tmp").exists()
            committed = what in ("rename", "sync_folder") and (after or what == "sync_folder")
            assert seen_in(folder) == (now if committed else old), what
            assert contents(machine) == now, what
            scribble(machine, "later", at)
            assert seen_in(folder) == (now if committed else old), what
            machine.verify()
            later = contents(machine)
            if what == "sync_data":
                with pytest.raises(OSError, match="use a new file"):
                    checkpoint(machine.kernel, namespace_of(machine), folder / JOB)
                assert contents(machine) == later
            else:
                checkpoint(machine.kernel, namespace_of(machine), folder / JOB)
                assert seen_in(folder) == later
            machine.close()
            shutil.rmtree(folder)


class FailingClose(Disk):
    """Closes, and says that it failed; as NFS does when a write before it did."""

    def close(self, fd: int) -> None:
        super().close(fd)
        raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.parametrize("kind", ["pinned", "in-place"])
def test_a_failing_close_of_what_was_synced_is_no_news(tmp_path: Path, kind: Any) -> None:
    """The image is there, so its slots are kept; the job must not write over them."""
    machine = small_job(tmp_path)
    checkpoint(machine.kernel, namespace_of(machine), tmp_path / JOB, kind="pinned")
    scribble(machine, "new", 1)
    now = contents(machine)
    checkpoint(
        machine.kernel, namespace_of(machine), tmp_path / JOB, kind=kind, disk=FailingClose()
    )
    if kind == "pinned":
        for part in range(3):
            scribble(machine, "later", part)
        checkpoint(machine.kernel, namespace_of(machine), tmp_path / "other", kind="snapshot")
    assert seen_in(tmp_path) == now
    machine.close()


def test_checksums_are_of_the_pages_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that change on their way to the disk are wrong bytes, not the right ones."""
    machine, login = boot(tmp_path / AREA)
    login.mmap("80KiB").touch(write=True, tag="x")
    original = Attempt.image
    slots: list[int] = []

    def image(self: Attempt, checksums: bool) -> Any:
        frozen = self.frozen
        used = images.dump(frozen.kernel.core, frozen.numbers, frozen.area.number)[1]
        slots.append(int(used[used.size // 2]))
        with open(tmp_path / AREA, "r+b") as file:
            file.seek(slots[0] * PAGE + 99)
            file.write(b"\xff")
        return original(self, checksums)

    monkeypatch.setattr(Attempt, "image", image)
    checkpoint(machine.kernel, namespace_of(machine), tmp_path / JOB, kind="pinned")
    assert verify(tmp_path / JOB) == slots
    machine.close()


def test_no_second_writer(tmp_path: Path) -> None:
    machine = small_job(tmp_path)
    temporary = tmp_path / f"{JOB}.tmp"
    disk = FaultyDisk(-1, 0)
    fd = disk.create(str(temporary))
    with pytest.raises(OSError) as caught:
        checkpoint(machine.kernel, namespace_of(machine), tmp_path / JOB, kind="pinned")
    assert caught.value.errno == errno.EBUSY
    os.close(fd)
    temporary.write_bytes(b"what a killed process left")
    checkpoint(machine.kernel, namespace_of(machine), tmp_path / JOB, kind="pinned")
    temporary.symlink_to(tmp_path / "victim")
    with pytest.raises(OSError) as caught:
        checkpoint(machine.kernel, namespace_of(machine), tmp_path / JOB, kind="pinned")
    assert caught.value.errno == errno.EINVAL and not (tmp_path / "victim").exists()
    machine.close()
