"""Old bytes in a swapfile: with ``wipe`` none are left, and without it they are.

Every file is read raw, byte for byte. Marks are counted, so that each test says how many pages
could have been found.
"""

from __future__ import annotations

import errno
import os
import random
import re
from pathlib import Path

import numpy as np
import pytest

import swapfast as sf
from swapfast.core import mapping_table
from swapfast.kernel.state import Mapping
from swapfast.swapfile import SwapBacking
from tests.support.broken_files import files_end_at
from tests.support.swapfiles import NEWSWAP, PAGE, SwapfileMaker

PAGES = 260  # of a swapfile
MEMORY = 120
JOB = 190  # pages of a job
MARK = re.compile(rb"<(\w+) page (\d+)>")


def mark(mapping: Mapping, name: str = "secret") -> None:
    for page in range(mapping.pages):
        text = f"<{name} page {page}>".encode()
        mapping.write(page * PAGE, text * (PAGE // len(text)))


def marked(path: Path, name: str = "secret") -> set[int]:
    """Numbers of the pages of which anything can be read in a file."""
    found = MARK.findall(path.read_bytes())
    return {int(number) for whose, number in found if whose == name.encode()}


def boot(
    path: Path, wipe: str, profile: str = "6.18", pages: int = JOB
) -> tuple[sf.Machine, sf.Task, Mapping]:
    machine = sf.Machine(MEMORY * PAGE, profile, overcommit=1)
    login = machine.init.clone(NEWSWAP, "login")
    login.swapon(path, wipe=wipe)  # type: ignore[arg-type]
    job = login.mmap(pages * PAGE)
    mark(job)
    return machine, login, job


@pytest.mark.parametrize("wipe", ["none", "on-free", "on-swapoff"])
@pytest.mark.parametrize("end", ["swapoff", "exit"])
def test_nothing_remains(make_swap: SwapfileMaker, profile: str, wipe: str, end: str) -> None:
    path = make_swap("s", PAGES)
    before, blocks = path.read_bytes(), path.stat().st_blocks
    machine, login, job = boot(path, wipe, profile)
    swapped = marked(path)
    assert len(swapped) >= JOB - MEMORY
    job.munmap(0, JOB // 2 * PAGE)
    left = {n for n in marked(path) if n < JOB // 2}
    assert bool(left) == (wipe != "on-free"), "freed slots"
    for page in range(JOB // 2, JOB):
        assert job.read(page * PAGE, 30).startswith(b"<secret page %d>" % page)
    login.exit() if end == "exit" else (job.munmap(), login.swapoff(path))
    remain = marked(path)
    print(f"{len(remain)} of {len(swapped)} marked pages remain")
    if wipe == "none":
        assert remain
    else:
        assert not remain
        assert path.read_bytes() == before, "the header, and zeroes"
    assert not machine.areas
    assert path.stat().st_blocks == blocks, "without holes"
    machine.init.swapon(path)
    machine.verify()
    machine.close()


def test_words(make_swap: SwapfileMaker, tmp_path: Path) -> None:
    machine = sf.Machine("1MiB")
    with pytest.raises(
        ValueError, match="wipe is one of 'none', 'on-free', 'on-swapoff', not 'always'"
    ):
        machine.init.swapon(make_swap("s"), wipe="always")  # type: ignore[arg-type]
    assert not machine.areas
    machine.init.swapon(tmp_path / "s", wipe="on-free")
    with pytest.raises(ValueError, match="wipe"):
        machine.areas[0].set_wipe("never")  # type: ignore[arg-type]
    assert machine.areas[0].wipe == "on-free"
    ideal = sf.Machine("1MiB", contents=False)
    ideal.add_swap("1MiB").set_wipe("on-swapoff")
    ideal.init.swapoff("/dev/simulated0")


def slots_in_use(machine: sf.Machine) -> set[int]:
    """Swap entries that some page of some task has."""
    core = machine.core
    used: set[int] = set()
    for mm in {t.mm for t in machine.tasks.values()}:
        for mapping in mm.mappings.values():
            used |= set(mapping_table.state(core, mapping.number, 0, mapping.pages)[1].tolist())
    return used


def dirty_free_slots(machine: sf.Machine, path: Path) -> list[int]:
    """Slots that nobody uses, and that are not zero in the file."""
    (area,) = machine.areas.values()
    pages = np.fromfile(path, dtype=np.uint8).reshape(-1, PAGE)
    used = {entry - area.base for entry in slots_in_use(machine)}
    return [n for n in np.flatnonzero(pages.any(axis=1)).tolist() if n and n not in used]


@pytest.mark.parametrize("wipe", ["none", "on-free"])
def test_no_free_slot_has_bytes_after_any_call(make_swap: SwapfileMaker, wipe: str) -> None:
    """Random work of a family: reads, writes, zero pages, forks, exits, unmapping."""
    dirty = calls = 0
    for seed in range(12):
        rng = random.Random(seed)
        path = make_swap(f"s{seed}", PAGES)
        machine, login, _ = boot(path, wipe, rng.choice(("6.18", "2.6.25")), 150)
        for _ in range(40):
            task = rng.choice([t for t in machine.tasks.values() if t.alive and t.pid > 1])
            mapping = rng.choice(list(task.mappings) or [task.mmap(20 * PAGE)])
            page = rng.randrange(mapping.pages)
            what = rng.choice(("read", "write", "zero", "fork", "exit", "munmap", "mmap", "touch"))
            try:
                if what == "read":
                    mapping.read(page * PAGE, PAGE)
                elif what == "write":
                    mapping.write(page * PAGE, b"<more page 1>" * 300)
                elif what == "zero":
                    mapping.write(page * PAGE, bytes(PAGE))
                elif what == "fork" and len(machine.tasks) < 5:
                    task.fork()
                elif what == "exit" and task is not login:
                    task.exit()
                elif what == "munmap":
                    mapping.munmap(page * PAGE, PAGE)
                elif what == "mmap" and len(task.mappings) < 4:
                    mark(task.mmap(30 * PAGE), "another")
                elif what == "touch":
                    mapping.touch(write=rng.random() < 0.5)
            except (sf.TaskKilled, OSError):
                pass
            if not login.alive:
                break
            calls += 1
            dirty += bool(dirty_free_slots(machine, path))
            machine.verify()
        machine.close()
    print(f"{dirty} of {calls} calls left bytes in a free slot")
    assert calls > 200
    assert dirty == 0 if wipe == "on-free" else dirty > calls // 2


def test_a_page_of_zeroes_leaves_no_bytes_under_it(make_swap: SwapfileMaker) -> None:
    """6.18 does not write it: what the slot held before would stay while it is in use."""
    path = make_swap("s", PAGES)
    machine, _, job = boot(path, "on-free")
    for page in range(JOB):
        job.write(page * PAGE, bytes(PAGE))
    job.touch()
    assert not marked(path)
    machine.close()


def test_from_now_on(make_swap: SwapfileMaker) -> None:
    """Set later, it wipes what is free at once, and not what is in use."""
    path = make_swap("s", PAGES)
    machine, login, job = boot(path, "none")
    job.munmap(0, 100 * PAGE)
    assert dirty_free_slots(machine, path)
    login.swap_ns.areas[0].set_wipe("on-free")
    assert not dirty_free_slots(machine, path)
    for page in range(100, JOB):
        assert job.read(page * PAGE, 30).startswith(b"<secret page %d>" % page)
    login.swap_ns.areas[0].set_wipe("none")
    mark(job.mm.kernel.tasks[login.pid].mmap(120 * PAGE), "later")
    login.exit()
    assert marked(path, "later")
    machine.close()


# ---------------------------------------------------------------- checkpoints


@pytest.mark.parametrize("wipe", ["on-free", "on-swapoff"])
@pytest.mark.parametrize("kind", ["in-place", "pinned", "snapshot"])
def test_a_checkpoint_is_not_wiped(
    make_swap: SwapfileMaker, tmp_path: Path, wipe: str, kind: str
) -> None:
    path, image = make_swap("s", 2 * PAGES), tmp_path / "image"
    machine, login, job = boot(path, wipe)
    login.swap_ns.checkpoint(image, kind=kind)  # type: ignore[arg-type]
    if kind != "in-place":
        mark(job, "later")
        later = marked(path, "later")
        login.exit() if kind == "pinned" else (job.munmap(), login.swapoff(path))
        assert later and not marked(path, "later"), "what the image does not name is wiped"
    assert not machine.areas
    with sf.Machine.restart(image) as again:
        (heap,) = again.tasks[login.pid].mappings
        for page in range(JOB):
            assert heap.read(page * PAGE, 30).startswith(b"<secret page %d>" % page)
    if kind == "snapshot":
        assert not marked(path)


@pytest.mark.parametrize("wipe", ["on-free", "on-swapoff"])
def test_an_older_checkpoint_is_wiped_when_a_newer_is_there(
    make_swap: SwapfileMaker, tmp_path: Path, wipe: str
) -> None:
    path, image = make_swap("s", 2 * PAGES), tmp_path / "image"
    machine, login, job = boot(path, wipe)
    login.swap_ns.checkpoint(image, kind="pinned")
    mark(job, "later")
    assert len(marked(path)) == JOB
    login.swap_ns.checkpoint(image, kind="pinned")
    assert bool(marked(path)) == (wipe == "on-swapoff")
    assert len(marked(path, "later")) == JOB
    machine.checkpoint(login.swap_ns, image)
    with sf.Machine.restart(image, keep=False) as again:
        again.areas[0].set_wipe("on-free")
        assert not marked(path)
        assert len(marked(path, "later")) == JOB
        again.tasks[login.pid].exit()
        assert not marked(path, "later")


# ---------------------------------------------------------------- errors


def test_swapoff_says_what_it_could_not_wipe(make_swap: SwapfileMaker) -> None:
    path = make_swap("s", PAGES)
    machine, login, job = boot(path, "on-swapoff")
    job.munmap(0, 140 * PAGE)
    with files_end_at(40 * PAGE), pytest.raises(OSError) as caught:
        login.swapoff(path)
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(path))
    assert "still in the file" in caught.value.strerror
    assert [a.path for a in machine.areas.values()] == [str(path)]
    assert machine.areas[0].info["writeok"]
    machine.verify()
    job.touch(slice(140, JOB))
    login.swapoff(path)
    assert not marked(path)
    machine.verify()


def test_a_call_says_that_a_freed_slot_could_not_be_wiped(make_swap: SwapfileMaker) -> None:
    """Once, to the namespace whose area it is; the call is done, and others go on."""
    paths = [make_swap(name, PAGES) for name in ("s", "other")]
    machine, login, job = boot(paths[0], "on-free")
    other = machine.init.clone(NEWSWAP, "other")
    other.swapon(paths[1], wipe="on-free")
    with files_end_at(40 * PAGE):
        with pytest.raises(OSError) as caught:
            job.munmap(0, 140 * PAGE)
        assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(paths[0]))
        other.mmap(PAGE).write(0, b"goes on")
        job.read(140 * PAGE, 1)
    assert list(job.ranges) == [(140, JOB)]
    assert sum(str(paths[0]) in line for line in machine.log) == 1
    assert not machine.areas[0].info["writeok"], "it takes no more pages"
    machine.verify()
    for page in range(140, JOB):
        assert job.read(page * PAGE, 30).startswith(b"<secret page %d>" % page)
    login.swapoff(paths[0])
    assert not marked(paths[0])
    machine.verify()


def test_the_last_exit_leaves_an_area_that_it_could_not_wipe(make_swap: SwapfileMaker) -> None:
    path = make_swap("s", PAGES)
    machine, login, _ = boot(path, "on-swapoff")
    with files_end_at(40 * PAGE):
        login.exit()
    assert marked(path)
    assert any("wiped" in line and str(path) in line for line in machine.log)
    machine.verify()
    machine.init.swapoff(path)
    assert not marked(path) and not machine.areas


def test_a_failed_sync_is_not_believed(
    make_swap: SwapfileMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next swapoff writes all of it again, not only what was not written."""
    path = make_swap("s", PAGES)
    machine, login, job = boot(path, "on-free")

    def broken(fd: int) -> None:
        raise OSError(errno.EIO, "input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", broken)
        job.munmap(0, 120 * PAGE)
        with pytest.raises(OSError, match="wiped"):
            login.swapoff(path)
    backing = machine.areas[0].backing
    assert isinstance(backing, SwapBacking)
    os.pwrite(backing.fileno(), b"<secret page 1>", 9 * PAGE)  # as the disk has it
    login.swapoff(path)
    assert not marked(path)


def test_a_file_that_was_cut_off_is_not_extended(make_swap: SwapfileMaker) -> None:
    path = make_swap("s", PAGES)
    machine, login, _ = boot(path, "on-swapoff")
    os.truncate(path, 50 * PAGE + 5)
    login.exit()
    assert path.stat().st_size == 50 * PAGE + 5
    assert not marked(path)
    machine.verify()


def test_bytes_beyond_the_area_are_not_ours(make_swap: SwapfileMaker) -> None:
    path = make_swap("s", PAGES)
    with open(path, "ab") as file:
        file.write(b"x" * (3 * PAGE + 7))
    machine, login, _ = boot(path, "on-swapoff")
    login.exit()
    raw = path.read_bytes()
    assert raw.endswith(b"x" * (3 * PAGE + 7)) and not any(raw[PAGE : -3 * PAGE - 7])
    assert not machine.areas
