"""Incremental checkpoints: only what changed is written, and a chain of images restores."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swapfast.checkpoint import (
    chain,
    checkpoint,
    commit,
    compact,
    inspect,
    read_image,
    release,
    verify,
)
from swapfast.checkpoint.disk import Disk
from swapfast.core import slot_pins
from swapfast.machine import Machine, restart
from tests.support.chains import chain_of
from tests.support.jobs import PAGE, boot, family, work
from tests.support.seen import contents, lists, picture
from tests.support.small_job import namespace_of, scribble, small_job

BASES = ("pinned", "incremental")  # what the first of a chain is of


@dataclass
class CountingDisk(Disk):
    """Counts the bytes of each file."""

    written: dict[str, int] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)

    def create(self, path: str) -> int:
        fd = super().create(path)
        self.names[fd] = os.path.basename(path)
        return fd

    def write(self, fd: int, data: bytes | memoryview, at: int) -> None:
        super().write(fd, data, at)
        name = self.names.get(fd, "area")
        self.written[name] = self.written.get(name, 0) + memoryview(data).nbytes


class NoSharing(Disk):
    """A swapfile has all its blocks to itself."""

    def clone(self, *_: Any) -> bool:
        raise AssertionError("blocks of a swapfile would be shared")


def copied(folder: Path, there: Path) -> Path:
    """Everything but the job's own swapfile, as a backup has it."""
    return Path(shutil.copytree(folder, there, ignore=shutil.ignore_patterns("area")))


def alike(one: Any, other: Any) -> None:
    """Two images have the same pages."""
    for image in (one, other):
        assert image.pte.total == image.pte.length.sum()
    columns = [
        (
            np.repeat(image.pte.value, image.pte.length),
            *(image.slot.values(), image.shadow.values(), image.sums),
            *(image.ring, image.ring_length, np.flatnonzero(image.zero)),
        )
        for image in (one, other)
    ]
    for name, first, second in zip(
        ("pte", "slot", "shadow", "sums", "ring", "ring_length", "zero"), *columns, strict=True
    ):
        assert np.array_equal(first, second), name


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_image_of_a_chain_is_the_whole(tmp_path: Path, base: Any, seed: int) -> None:
    """What a chain stands for is what one image would hold; forks, exits and holes included."""
    machine, login = boot(tmp_path / "area", size="16MiB")
    family(login, seed)
    namespace, last = login.swap_ns, None
    for turn in range(6):
        image = tmp_path / f"{turn}"
        namespace.checkpoint(image, kind=base if last is None else "incremental", parent=last)
        last = image
        whole = tmp_path / f"whole{turn}"
        backing = namespace.areas[0].backing
        kept = backing.kept, backing.copied
        namespace.checkpoint(whole, kind="snapshot")  # nothing moves any more
        assert (backing.kept, backing.copied) == kept
        alike(read_image(image), read_image(whole))
        assert verify(image) == [] == verify(whole)
        assert inspect(image)["builds_on"] == [str(tmp_path / f"{i}") for i in range(turn)]
        if turn:
            assert os.path.getsize(image) < 2 * os.path.getsize(whole)
        work(machine, 10 * seed + turn, 1 + turn % 2)
    machine.close()


@pytest.mark.parametrize("keep", [True, False])
def test_a_chain_goes_on_elsewhere(tmp_path: Path, keep: bool) -> None:
    run, there = tmp_path / "run", tmp_path / "there"
    run.mkdir()
    machine, login = boot(run / "area", size="16MiB")
    family(login)
    last = None
    for turn in range(4):
        login.swap_ns.checkpoint(run / f"{turn}", kind="incremental", parent=last)
        last = run / f"{turn}"
        if turn < 3:
            work(machine, turn, 2)
    if not keep:
        release(machine.kernel, login.swap_ns)
    copied(run, there)
    again = restart(there / "3", keep=keep)
    assert picture(again) == picture(machine) and lists(again) == lists(machine)
    for step in range(3):
        work(machine, step, 2)
        work(again, step, 2)
        assert picture(again) == picture(machine) and lists(again) == lists(machine)
    assert contents(again) == contents(machine)
    if keep:  # and the chain with it
        namespace_of(again).checkpoint(there / "4", kind="incremental", parent=there / "3")
        login.swap_ns.checkpoint(run / "4", kind="incremental", parent=run / "3")
        assert verify(there / "4") == [] and len(inspect(there / "4")["builds_on"]) == 4
        for folder in (run, there):
            with restart(folder / "4", swapfile=tmp_path / f"{folder.name}.swap") as third:
                assert contents(third) == contents(machine)
    again.close()
    machine.close()


@pytest.mark.parametrize("base", BASES)
def test_compact(tmp_path: Path, base: str) -> None:
    run = tmp_path / "run"
    run.mkdir()
    machine, last = chain_of(run, base)
    right = contents(machine)
    compact(last, run / "one")
    facts = inspect(run / "one")
    assert facts["builds_on"] == [] and facts["kind"] == (
        "pinned" if base == "pinned" else "snapshot"
    )
    alike(read_image(last), read_image(run / "one"))
    assert verify(run / "one") == []
    # A running job builds on it, and on an image that was made of that again.
    compact(run / "one", run / "two")
    namespace_of(machine).checkpoint(run / "two+", kind="incremental", parent=run / "two")
    assert verify(run / "two+") == []
    machine.close()
    for old in ("0", "1", "2", "3"):
        for name in [n for n in os.listdir(run) if n == old or n.startswith(f"{old}.")]:
            (run / name).unlink()
    moved = shutil.move(run, tmp_path / "moved")
    with restart(Path(moved) / "two+") as again:
        assert contents(again) == right


def test_compact_compares_checksums(tmp_path: Path) -> None:
    machine, last = chain_of(tmp_path, "incremental")
    machine.close()
    names = sorted(os.listdir(tmp_path))
    for name in [n for n in names if n.endswith((".swap", ".pages"))]:
        path, data = tmp_path / name, (tmp_path / name).read_bytes()
        pages = [p for p in range(1, len(data) // PAGE) if any(data[p * PAGE : (p + 1) * PAGE])]
        found = 0
        for page in pages:
            damaged = bytearray(data)
            damaged[page * PAGE + 77] ^= 4
            path.write_bytes(damaged)
            if verify(last) == []:
                continue  # a newer image has this slot
            found += 1
            with pytest.raises(OSError, match=f"page {page}: its checksum is wrong") as caught:
                compact(last, tmp_path / "one")
            assert caught.value.errno == errno.EIO and caught.value.filename == str(path)
        assert found > 0
        path.write_bytes(data)
        assert sorted(os.listdir(tmp_path)) == names


# ---------------------------------------------------------------- what is written


@pytest.mark.parametrize("base", BASES)
def test_bytes_written_follow_what_changed(tmp_path: Path, base: Any) -> None:
    """Row by row: pages dirtied, bytes of pages, bytes of metadata."""
    machine, login = boot(tmp_path / "area", memory="64MiB", size="64MiB")
    heap = login.mmap("8MiB", name="heap")
    heap.touch(write=True, tag="first")
    order = np.random.default_rng(1).permutation(heap.pages)
    last, fixed = None, 0
    for turn, dirty in enumerate((heap.pages, 0, 1, 20, 205, heap.pages)):
        heap.touch(order[:dirty], write=True, tag=f"turn {turn}")
        before, image = pushed(), tmp_path / f"{turn}"
        disk = CountingDisk()
        checkpoint(
            machine.kernel,
            login.swap_ns,
            image,
            kind=base if last is None else "incremental",
            parent=last,
            disk=disk,
        )
        metadata = disk.written.pop(f"{turn}.tmp") + PAGE + (base == "pinned") * PAGE
        pages = sum(disk.written.values()) - PAGE - (base == "pinned") * PAGE
        area = pushed() - before - pages - metadata  # the job's own swap-out, seen by the system
        print(f"{base}: {dirty} dirty, {pages} + {area} bytes of pages, {metadata} of metadata")
        assert os.path.getsize(image) == metadata - PAGE - (base == "pinned") * PAGE
        assert pages == (PAGE * dirty if base == "incremental" else 0)
        assert 0 <= area - PAGE * dirty < 256, "the test itself may print"
        if turn:
            fixed = fixed or metadata
            assert metadata <= fixed + 64 * dirty + 2048  # rows, and eight members of the file
        last = image
    machine.close()


def pushed() -> int:
    """Bytes that this process has written by system calls."""
    text = Path("/proc/self/io").read_text()
    return int(text.partition("wchar: ")[2].split()[0])


def rows(image: Path) -> int:
    """Rows of pages in one file."""
    with np.load(image, allow_pickle=False) as members:
        if "row_runs" in members:
            return int(members["row_runs"][1::2].sum())
        return members["row"].size if "row" in members else 0


@pytest.mark.parametrize("base", BASES)
def test_pages_that_move_in_the_image_are_no_change(tmp_path: Path, base: Any) -> None:
    """Mappings and tasks before them go, or come: only pages that were touched have rows."""
    machine, login = boot(tmp_path / "area", size="16MiB", memory="4MiB")
    first = login.mmap("400KiB", name="first")
    login.mmap("800KiB", name="second").touch(write=True, tag="second")
    first.touch(write=True, tag="first")
    child = login.fork("child")
    child.mmap("400KiB", shared=True, name="shared").touch(write=True, tag="child")
    steps = [
        lambda: first.inherited_by(child).munmap(),
        first.munmap,
        lambda: login.mmap("40KiB", name="new").touch(write=True, tag="new"),
        lambda: login.shmat(login.shmget(7, 5 * PAGE, 0o1600)).touch(write=True, tag="shm"),
        lambda: login.exit(0),
    ]
    # A segment has five pages, and as many where it is attached; 200 pages of the second mapping
    # were the parent's, and are the child's when it is gone.
    most = [0, 0, 10, 10, 200]
    namespace = login.swap_ns
    namespace.checkpoint(tmp_path / "0", kind=base)
    for turn, step in enumerate(steps, 1):
        step()
        image = tmp_path / f"{turn}"
        namespace.checkpoint(image, kind="incremental", parent=tmp_path / f"{turn - 1}")
        assert rows(image) <= most[turn - 1], turn
        assert verify(image) == []
    machine.close()


# ---------------------------------------------------------------- refusals


def refusal(code: int, match: str, machine: Machine, path: Path, **options: Any) -> None:
    before = sorted(os.listdir(path.parent)), contents(machine)
    with pytest.raises(OSError, match=match) as caught:
        checkpoint(machine.kernel, namespace_of(machine), path, kind="incremental", **options)
    assert caught.value.errno == code
    assert (sorted(os.listdir(path.parent)), contents(machine)) == before


@pytest.mark.parametrize("base", BASES)
def test_refused_as_a_parent(tmp_path: Path, base: str) -> None:
    machine, last = chain_of(tmp_path, base, 3)
    new = tmp_path / "new"
    refusal(errno.EINVAL, "not the last checkpoint", machine, new, parent=tmp_path / "1")
    refusal(errno.EINVAL, "give it another name", machine, tmp_path / "1", parent=last)
    refusal(errno.EINVAL, "give it another name", machine, last, parent=last)
    (tmp_path / "folder").mkdir()
    refusal(errno.EINVAL, "another folder", machine, tmp_path / "folder" / "n", parent=last)
    refusal(errno.ENOENT, "No such file", machine, new, parent=tmp_path / "none")
    refusal(errno.EINVAL, "has checksums", machine, new, parent=last, checksums=False)
    with pytest.raises(OSError, match="has no parent"):
        checkpoint(machine.kernel, namespace_of(machine), new, kind="pinned", parent=last)
    os.rename(tmp_path / "1", tmp_path / "away")
    refusal(errno.ENOENT, f"is missing; {last} builds on it", machine, new, parent=last)
    os.rename(tmp_path / "away", tmp_path / "1")
    other = tmp_path / "other"
    other.mkdir()
    machine2, _ = chain_of(other, base, 2)
    refusal(errno.EINVAL, "not the last checkpoint", machine2, other / "new", parent=other / "0")
    shutil.copy(last, other / "new")
    with pytest.raises(ValueError, match="it was replaced"):
        read_image(other / "new")
    machine2.close()
    link = tmp_path / "link"
    link.symlink_to(last)  # a link to the parent is the parent
    checkpoint(
        machine.kernel, namespace_of(machine), new, kind="incremental", parent=tmp_path / "link"
    )
    assert verify(new) == [] and inspect(new)["builds_on"][-1] == os.path.realpath(last)
    release(machine.kernel, namespace_of(machine))
    refusal(errno.EINVAL, "not the last checkpoint", machine, tmp_path / "n", parent=new)
    machine.close()


def test_a_snapshot_in_between_leaves_the_chain_alone(tmp_path: Path) -> None:
    """Pins of the job's own checkpoint and of the chain are kept side by side."""
    machine = small_job(tmp_path)
    job, seen = namespace_of(machine), {}
    small = {"kind": "incremental", "parent": None}
    job.checkpoint(tmp_path / "p", kind="pinned")
    seen["p"] = contents(machine)
    job.checkpoint(tmp_path / "a", **small)  # type: ignore[arg-type]
    scribble(machine, "one", 1)
    job.checkpoint(tmp_path / "s", kind="snapshot")
    seen["s"] = contents(machine)
    job.checkpoint(tmp_path / "b", kind="incremental", parent=tmp_path / "a")
    scribble(machine, "two", 2)
    seen["c"] = contents(machine)
    job.checkpoint(tmp_path / "c", kind="incremental", parent=tmp_path / "b")
    scribble(machine, "three", 3)
    assert [verify(tmp_path / name) for name in "pasbc"] == [[]] * 5
    machine.close()
    for name, right in seen.items():
        there = shutil.copytree(tmp_path, tmp_path.parent / f"{tmp_path.name}.{name}")
        swap = there / "area" if name == "p" else None
        with restart(there / name, swapfile=swap) as again:
            assert contents(again) == right, name


def test_at_most_so_many_parents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine, last = chain_of(tmp_path, "pinned", 3)
    for part in (commit, chain):
        monkeypatch.setattr(part, "MOST_PARENTS", 2)
    refusal(errno.EMLINK, "builds on 2 others; compact it", machine, tmp_path / "n", parent=last)
    compact(last, tmp_path / "one")
    job = namespace_of(machine)
    job.checkpoint(tmp_path / "n", kind="incremental", parent=tmp_path / "one")
    monkeypatch.setattr(chain, "MOST_PARENTS", 1)
    with pytest.raises(ValueError, match="builds on more than 1 images; compact it"):
        read_image(last)
    machine.close()


def test_compact_refuses(tmp_path: Path) -> None:
    machine, last = chain_of(tmp_path, "incremental", 3)
    for name in ("0", "1", "2"):
        with pytest.raises(OSError, match="is a part of the chain") as caught:
            compact(last, tmp_path / name)
        assert caught.value.errno == errno.EINVAL
    job = namespace_of(machine)
    job.checkpoint(tmp_path / "none", kind="snapshot", checksums=False)
    with pytest.raises(OSError, match="made without checksums") as caught:
        compact(tmp_path / "none", tmp_path / "out")
    assert caught.value.errno == errno.ENODATA and not (tmp_path / "out").exists()
    machine.close()


def test_the_swapfile_of_a_chain_is_made_once(tmp_path: Path) -> None:
    machine, last = chain_of(tmp_path, "incremental", 3)
    right = contents(machine)
    machine.close()
    with restart(last) as again:
        swap = Path(inspect(last)["swapfile"])
        assert swap.parent == tmp_path and again.areas[0].path == str(swap)
        scribble(again, "written", 1)
    made = swap.stat().st_ino
    with restart(last, keep=False) as again:  # which gives the checkpoint in that file up
        assert contents(again) == right and swap.stat().st_ino == made
    with pytest.raises(ValueError, match="holds no checkpoint"):
        restart(last, swapfile=swap)
    for damage in (lambda: None, swap.unlink, lambda: swap.write_bytes(b"something")):
        damage()
        with restart(last, keep=False) as again:
            assert contents(again) == right
            with pytest.raises(OSError) as caught:
                restart(last)
            assert caught.value.errno == errno.EBUSY
    swap.unlink()
    with restart(last, disk=NoSharing()) as again:
        assert contents(again) == right
    with restart(last, swapfile=tmp_path / "elsewhere") as again:
        assert contents(again) == right
    assert verify(last, tmp_path / "elsewhere") == [] == verify(last, swap)


def test_a_restarted_job_needs_no_more_slots_than_before(tmp_path: Path) -> None:
    """What it was restarted from is in the chain: its slots are given up with the next image."""
    machine, last = chain_of(tmp_path, "incremental", 3)
    machine.close()
    for turn in range(3, 7):
        machine = restart(last)
        scribble(machine, f"turn {turn}", turn)
        new = tmp_path / f"{turn}"
        namespace_of(machine).checkpoint(new, kind="incremental", parent=last)
        pinned = slot_pins.pinned(machine.core, machine.areas[0].number).tolist()
        assert pinned == sorted(read_image(new).slot.values().tolist())
        right = contents(machine)
        scribble(machine, "lost", turn)
        machine.close()
        with restart(last) as again:  # its swapfile has been written to: it is made anew
            assert verify(last, inspect(last)["swapfile"]) == []
            again.verify()
        with restart(new) as again:
            assert contents(again) == right
        last = new


def test_a_job_that_runs_on_the_base_of_its_chain(tmp_path: Path) -> None:
    """The first image's copy is the job's swapfile now: what the chain needs of it stays."""
    machine, base = chain_of(tmp_path, "incremental", 1)
    machine.close()
    machine = restart(base)
    images = [base]
    for turn in range(1, 4):
        scribble(machine, f"turn {turn}", turn)
        new = tmp_path / f"{turn}"
        namespace_of(machine).checkpoint(new, kind="incremental", parent=images[-1])
        images.append(new)
        scribble(machine, "lost", turn)
        assert [verify(image) for image in images] == [[]] * len(images)
    machine.close()
    for image in images[1:]:
        with restart(image) as again:
            again.verify()
    restart(base).close()
