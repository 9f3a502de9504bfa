"""Where an image may go: one writer at a time, and never over a file that is something else."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from swapfast.checkpoint import checkpoint, compact, export, read_image, verify
from swapfast.checkpoint.disk import Disk
from swapfast.kernel.records import Kind
from swapfast.machine import Machine, restart
from swapfast.swapfile import mkswap
from tests.support.chains import chain_of
from tests.support.seen import contents
from tests.support.small_job import AREA, JOB, namespace_of, scribble, small_job

KINDS: tuple[Kind, ...] = ("pinned", "snapshot", "incremental")
CALLS = ("create", "allocate", "write", "sync", "rename", "sync_folder", "remove")


class Meanwhile(Disk):
    """Somebody else does something before the n-th call of a disk."""

    def __init__(self, at: int, work: Callable[[], Any]) -> None:
        self.left, self.work, self.calls = at, work, 0
        for name in CALLS:
            setattr(self, name, self._then(getattr(super(), name)))

    def _then(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any) -> Any:
            self.calls += 1
            self.left -= 1
            if self.left == -1:
                self.work()
            return call(*arguments)

        return wrapped


def two_jobs(folder: Path) -> tuple[Machine, Machine, Path]:
    """Two jobs with swapfiles of their own, and the name that both use."""
    machines = []
    for name in ("a", "b"):
        (folder / name).mkdir()
        machines.append(small_job(folder / name))
    scribble(machines[1], "the other", 2)
    (folder / "images").mkdir()
    return machines[0], machines[1], folder / "images" / JOB


def state_of(image: Path) -> Any:
    assert verify(image) == []
    with restart(image) as machine:
        return contents(machine)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", ["pinned", "snapshot"])
def test_two_jobs_and_one_name(tmp_path: Path, kind: Kind, other: Kind) -> None:
    """Whatever the moment: one of the two is there whole, and the other one knows."""
    a, b, image = two_jobs(tmp_path)
    right = {"a": contents(a), "b": contents(b)}
    tally = {"both": 0, "refused": 0}
    at = 0
    while True:
        refused = []

        def meanwhile(refused: list[Any] = refused) -> None:
            try:
                checkpoint(b.kernel, namespace_of(b), image, kind=other)
                assert verify(image) == []
            except OSError as error:
                assert error.errno == errno.EBUSY and str(image.name) in str(error.filename)
                refused.append(error)

        disk = Meanwhile(at, meanwhile)
        checkpoint(a.kernel, namespace_of(a), image, kind=kind, disk=disk)
        if disk.left >= 0:
            break
        tally["refused" if refused else "both"] += 1
        for machine in (a, b):
            machine.verify()
        assert read_image(image).facts["kind"] == ("snapshot" if kind == "incremental" else kind)
        assert verify(image) == []
        copies = [n for n in os.listdir(image.parent) if n != JOB]
        assert len(copies) == (kind != "pinned"), copies
        at += 1
    assert tally["both"] == 1 and tally["refused"] >= 5, "only before the first lock is there time"
    a.close()
    assert state_of(image) == right["a"]
    checkpoint(b.kernel, namespace_of(b), image, kind=other)
    b.close()
    assert state_of(image) == right["b"]


def test_a_fold_beside_a_writer(tmp_path: Path) -> None:
    """`compact` writes like any other: one at a time."""
    machine, last = chain_of(tmp_path, "incremental", 3)
    right = contents(machine)
    at = 0
    out = tmp_path / "one"
    while True:
        seen = []

        def meanwhile(seen: list[Any] = seen) -> None:
            try:
                checkpoint(machine.kernel, namespace_of(machine), out, kind="snapshot")
            except OSError as error:
                assert error.errno == errno.EBUSY
                seen.append(error)

        disk = Meanwhile(at, meanwhile)
        compact(last, out, disk=disk)
        assert verify(out) == [] and verify(last) == []
        if disk.left >= 0:
            break
        assert len([n for n in os.listdir(tmp_path) if n.startswith("one.")]) == 1
        at += 1
    machine.close()
    assert state_of(out) == right


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.support.small_job import namespace_of, small_job
folder, image = Path(sys.argv[1]), sys.argv[2]
machine = small_job(folder)
busy = 0
for _ in range(int(sys.argv[3])):
    try:
        namespace_of(machine).checkpoint(image, kind="snapshot")
    except OSError as error:
        assert error.errno == 16, error
        busy += 1
print(busy)
"""


@pytest.mark.parametrize("rounds", [25, pytest.param(400, marks=pytest.mark.slow)])
def test_two_processes(tmp_path: Path, rounds: int) -> None:
    code = WRITER.format(root=str(Path(__file__).parents[2]))
    image = tmp_path / JOB
    children = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        command = [sys.executable, "-c", code, str(tmp_path / name), str(image), str(rounds)]
        children.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    seen = 0
    while any(child.poll() is None for child in children):
        if image.exists():
            assert verify(image) == []
            seen += 1
    for child in children:
        assert child.returncode == 0
        child.communicate()
    assert verify(image) == [] and seen
    assert len([n for n in os.listdir(tmp_path) if n.endswith(".swap")]) == 1
    assert not (tmp_path / f"{JOB}.tmp").exists()


def test_replaced_while_its_name_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another writer's rename, between two looks at the name, is no fault of the name."""
    a, b, image = two_jobs(tmp_path)
    checkpoint(b.kernel, namespace_of(b), image, kind="snapshot")
    real = os.stat
    turns = []

    def late(path: Any, *arguments: Any, **options: Any) -> os.stat_result:
        found = real(path, *arguments, **options)
        if str(path) == str(image) and len(turns) == 1:
            turns.append(2)
            checkpoint(b.kernel, namespace_of(b), image, kind="snapshot")
        elif str(path) == str(image) and not turns:
            turns.append(1)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", late)
        checkpoint(a.kernel, namespace_of(a), image, kind="snapshot")
    right = contents(a)
    for machine in (a, b):
        machine.close()
    assert turns == [1, 2] and state_of(image) == right


# ---------------------------------------------------------------- what an image may not replace


def test_swapfiles_are_not_replaced(tmp_path: Path) -> None:
    """By any of their names, be they on, off, at rest, or another machine's."""
    machine = small_job(tmp_path)
    area = tmp_path / AREA
    (tmp_path / "link").symlink_to(area)
    (tmp_path / "other").mkdir()
    other = small_job(tmp_path / "other")
    mkswap(tmp_path / "off", size="64KiB")
    rest = tmp_path / "rest"
    rest.mkdir()
    third = small_job(rest)
    namespace_of(third).checkpoint(rest / "image")
    third.close()
    before = {p: p.read_bytes() for p in (area, tmp_path / "off", rest / AREA)}
    for name, code in (
        (area, errno.EINVAL),
        (f"{tmp_path}/./{AREA}", errno.EINVAL),
        (tmp_path / "link", errno.EINVAL),
        (tmp_path / "other" / AREA, errno.EBUSY),
        (tmp_path / "off", errno.EEXIST),
        (rest / AREA, errno.EEXIST),
    ):
        for kind in ("in-place", *KINDS):
            with pytest.raises(OSError) as caught:
                namespace_of(machine).checkpoint(name, kind=kind)
            assert (caught.value.errno, caught.value.filename) == (code, str(name))
    assert {p: p.read_bytes() for p in before} == before
    machine.verify()
    assert not list(tmp_path.glob("**/*.tmp"))
    namespace_of(machine).checkpoint(tmp_path / JOB)
    machine.close()
    other.close()


@pytest.mark.parametrize("kind", ["in-place", *KINDS])
def test_what_is_not_a_regular_file(tmp_path: Path, kind: Kind) -> None:
    machine = small_job(tmp_path)
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    for name, code in (
        ("fifo", errno.EINVAL),
        ("folder", errno.EISDIR),
        ("/dev/null", errno.EINVAL),
        ("none/x", errno.ENOENT),
        ("file/x", errno.ENOTDIR),
    ):
        with pytest.raises(OSError) as caught:
            namespace_of(machine).checkpoint(tmp_path / name, kind=kind)
        assert (caught.value.errno, caught.value.filename) == (code, str(tmp_path / name))
    (tmp_path / "dangling").symlink_to("target")
    namespace_of(machine).checkpoint(tmp_path / "dangling", kind=kind)
    machine.close()
    assert (tmp_path / "dangling").is_symlink() and (tmp_path / "target").is_file()
    assert verify(tmp_path / "dangling") == []


def test_parts_of_a_chain_are_not_replaced(tmp_path: Path) -> None:
    machine, last = chain_of(tmp_path, "incremental", 3)
    right = contents(machine)
    names = sorted(os.listdir(tmp_path))
    os.link(tmp_path / "0", tmp_path / "hard")
    before = {name: (tmp_path / name).read_bytes() for name in names if name != AREA}
    for name in (*names, "hard"):
        with pytest.raises(OSError, match=r"part of|same file|swapfile|input|builds on|locked"):
            compact(last, tmp_path / name)
        with pytest.raises(OSError, match="there already"):
            export(last, tmp_path / name)
        with pytest.raises(OSError):
            checkpoint(
                machine.kernel,
                namespace_of(machine),
                tmp_path / name,
                kind="incremental",
                parent=last,
            )
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    machine.close()
    assert state_of(last) == right


def test_a_folder_that_is_renamed_away(tmp_path: Path) -> None:
    """The old image is not taken for the new one, nor its copy for a leftover."""
    machine = small_job(tmp_path)
    (tmp_path / "images").mkdir()
    image = tmp_path / "images" / JOB
    checkpoint(machine.kernel, namespace_of(machine), image, kind="snapshot")
    right = contents(machine)
    shutil.move(tmp_path / "images", tmp_path / "away")
    with pytest.raises(FileNotFoundError):
        checkpoint(machine.kernel, namespace_of(machine), image, kind="snapshot")
    machine.close()
    assert state_of(tmp_path / "away" / JOB) == right


def test_somebody_puts_a_file_there_without_asking(tmp_path: Path) -> None:
    """A plain copy to the same name: then nothing is swept away."""
    machine = small_job(tmp_path)
    image, aside = tmp_path / JOB, tmp_path / "aside"
    checkpoint(machine.kernel, namespace_of(machine), image, kind="snapshot")
    image.rename(aside)

    class Late(Disk):
        def sync_folder(self, path: str) -> None:
            super().sync_folder(path)
            image.unlink()
            aside.rename(image)

    checkpoint(machine.kernel, namespace_of(machine), image, kind="snapshot", disk=Late())
    machine.close()
    assert verify(image) == []


def test_a_lock_on_the_image_is_respected(tmp_path: Path) -> None:
    machine = small_job(tmp_path)
    checkpoint(machine.kernel, namespace_of(machine), tmp_path / JOB, kind="pinned")
    with open(tmp_path / JOB) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(OSError) as caught:
            checkpoint(machine.kernel, namespace_of(machine), tmp_path / JOB, kind="pinned")
        assert caught.value.errno == errno.EBUSY
        fcntl.flock(file, fcntl.LOCK_SH)  # as a reader has it
        checkpoint(machine.kernel, namespace_of(machine), tmp_path / JOB, kind="pinned")
    assert verify(tmp_path / JOB) == []
    machine.close()
