"""Power cuts and errors at every step of an incremental checkpoint, and of folding a chain."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from swapfast.checkpoint import attempt, checkpoint, compact, read_image, verify
from swapfast.checkpoint.disk import Disk
from swapfast.machine import Machine, restart
from tests.support.chains import images
from tests.support.faulty_disk import FaultyDisk
from tests.support.power_cut import Moment, RecordingDisk, everywhere
from tests.support.seen import contents
from tests.support.small_job import AREA, namespace_of, scribble, small_job

Seen = dict[Any, Any]
BASES = ("pinned", "incremental")
LAST = 3  # images of a chain; then one that is folded out of them, and one that builds on that


def add(machine: Machine, folder: Path, base: str, number: int, disk: Disk | None = None) -> None:
    """One more image: 1 is the first of the chain."""
    kind = base if number == 1 else "incremental"
    parent = folder / str(number - 1) if number > 1 else None
    name = folder / str(number)
    checkpoint(machine.kernel, namespace_of(machine), name, kind=kind, parent=parent, disk=disk)  # type: ignore[arg-type]


def recorded(folder: Path, base: str, cloning: bool) -> tuple[RecordingDisk, dict[str, Seen]]:
    folder.mkdir()
    machine = small_job(folder)
    disk = RecordingDisk(folder / AREA, cloning)
    right: dict[str, Seen] = {}
    for number in range(1, LAST + 3):
        disk.attempted = number
        if number == LAST + 1:
            compact(folder / str(LAST), folder / str(number), disk=disk)
        else:
            scribble(machine, f"turn {number}", number)
            disk.step("work")
            add(machine, folder, base, number, disk)
        disk.acknowledged = number
        disk.step("acknowledged")
        right[str(number)] = contents(machine)
    machine.close()
    return disk, right


def goes_on(folder: Path, base: str, last: str, right: Seen) -> None:
    """The job goes on from what is there; leftovers of the next image's name go."""
    number = int(last)
    with restart(folder / last, swapfile=folder / AREA if base == "pinned" else None) as machine:
        assert contents(machine) == right
        machine.verify()
        scribble(machine, "again", number)
        if number < LAST:
            add(machine, folder, base, number + 1)
            swap = folder / AREA if base == "pinned" else None
            assert verify(folder / str(number + 1), swap) == []
            ours = [n for n in os.listdir(folder) if n.startswith(f"{number + 1}.")]
            assert len(ours) == (base == "incremental"), ours


def crash_everywhere(tmp_path: Path, base: str, draws: int, cloning: bool) -> dict[str, int]:
    disk, right = recorded(tmp_path / "run", base, cloning)
    refused = 0

    def look(folder: Path, moment: Moment, where: str, tally: dict[str, int]) -> None:
        nonlocal refused
        swap = folder / AREA if base == "pinned" else None
        there = images(folder)
        assert moment.acknowledged <= len(there) <= moment.attempted, where
        assert there == [str(i + 1) for i in range(len(there))], where
        for name in there if base == "incremental" else there[-1:]:
            assert verify(folder / name, swap) == [], where
        if base == "pinned":
            for name in there[:-1]:  # its slots may be another's now, which it says
                try:
                    refused += verify(folder / name, swap) != []
                except ValueError:
                    refused += 1
        if there:
            goes_on(folder, base, there[-1], right[there[-1]])
            tally["new" if len(there) == moment.attempted else "old"] += 1
        else:
            tally["nothing yet"] += 1

    return {**everywhere(disk, tmp_path / "crash", draws, 5, look), "older refused": refused}


@pytest.mark.parametrize("base", ["pinned", pytest.param("incremental", marks=pytest.mark.slow)])
def test_power_cuts(tmp_path: Path, base: str) -> None:
    tally = crash_everywhere(tmp_path, base, 1, cloning=base == "incremental")
    assert tally["points"] > 60 and tally["old"] > 9 and tally["new"] > 9, tally
    assert (tally["older refused"] > 0) == (base == "pinned")


@pytest.mark.slow
@pytest.mark.parametrize("base", BASES)
def test_thousands_of_power_cuts(tmp_path: Path, base: str) -> None:
    tally = crash_everywhere(tmp_path, base, 8, cloning=False)
    print(tally)
    assert tally["points"] > 1000 and min(tally["old"], tally["new"]) > 50, tally


def test_the_crash_test_can_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RecordingDisk, "sync", lambda self, fd: None)
    with pytest.raises((AssertionError, ValueError, OSError)):
        crash_everywhere(tmp_path, "incremental", 3, cloning=False)


def test_pins_make_the_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let slots be overwritten that the last image names, and the next one is not the whole."""
    monkeypatch.setattr(attempt.Attempt, "_pin", lambda self: None)
    machine = small_job(tmp_path)
    for number in range(1, 9):
        add(machine, tmp_path, "incremental", number)
        scribble(machine, f"after {number}", number)
    machine.close()
    assert verify(tmp_path / "1") == [] != verify(tmp_path / "8")


# ---------------------------------------------------------------- errors


Step = Callable[[Machine, Path, Disk | None], None]


def one_more(base: str) -> Step:
    return lambda machine, folder, disk: add(machine, folder, base, 3, disk)


def folding(machine: Machine, folder: Path, disk: Disk | None) -> None:
    compact(folder / "2", folder / "3", disk=disk)


@pytest.mark.parametrize(
    ("base", "step", "code"),
    [
        ("pinned", one_more("pinned"), errno.EIO),
        pytest.param(
            *("incremental", one_more("incremental"), errno.ENOSPC), marks=pytest.mark.slow
        ),
        pytest.param("pinned", folding, errno.ENOSPC, marks=pytest.mark.slow),
        ("incremental", folding, errno.EIO),
    ],
)
def test_errors_at_every_call(tmp_path: Path, base: str, step: Step, code: int) -> None:
    """The chain is as it was, the job goes on with every byte, and the next try succeeds."""
    count = FaultyDisk(-1, code)
    failing(tmp_path / "count", base, step, count)
    calls = count.calls
    copies = base == "incremental"
    syncs = [calls.count(name) for name in ("sync", "sync_data", "rename", "sync_folder")]
    assert syncs == [1 + copies, 0 if copies or step is folding else 1, 1, 1] and len(calls) > 20
    for at, what in enumerate(calls):
        for after in (False, True) if what == "rename" else (False,):
            failing(tmp_path / "failing", base, step, FaultyDisk(at, code, after))


def failing(folder: Path, base: str, step: Step, disk: FaultyDisk) -> None:
    folder.mkdir()
    machine = small_job(folder)
    for number in (1, 2):
        add(machine, folder, base, number)
        if number == 1 or step is not folding:
            scribble(machine, "new", 1)
    now, names = contents(machine), sorted(os.listdir(folder))
    what = ""
    try:
        step(machine, folder, disk)
    except OSError as error:
        assert error.errno == disk.code
        what = disk.calls[disk.at]
    machine.verify()
    assert contents(machine) == now, what
    committed = what in ("", "sync_folder") or (what == "rename" and disk.after)
    assert (folder / "3").exists() == committed, what
    if not committed and what != "rename":
        assert sorted(os.listdir(folder)) == names, what
    if base == "incremental" or not committed or step is folding:
        assert verify(folder / "2") == [], what
    scribble(machine, "later", disk.at)
    if committed:
        assert verify(folder / "3") == []
        there = shutil.copytree(folder, folder / "seen", ignore=shutil.ignore_patterns("seen"))
        with restart(there / "3", swapfile=there / AREA if base == "pinned" else None) as again:
            assert contents(again) == now
        shutil.rmtree(there)
    if what == "sync_data":
        with pytest.raises(OSError, match="use a new file"):
            step(machine, folder, None)
    elif what:
        step(machine, folder, None)
        assert verify(folder / "3") == [] and read_image(folder / "3").generation > 0
        left = [n for n in os.listdir(folder) if n.startswith("3.")]
        assert len(left) == (base == "incremental"), left
    machine.close()
    shutil.rmtree(folder)
