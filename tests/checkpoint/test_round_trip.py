"""A job is checkpointed, the machine thrown away, and the job goes on elsewhere."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import swapfast as sf
from swapfast.checkpoint import inspect, read_image, release, restart, verify
from swapfast.core import mapping_table, slot_pins
from swapfast.machine import Machine
from swapfast.swapfile import mkswap
from tests.support.jobs import PAGE, POLICIES, boot, family, work
from tests.support.seen import contents, lists, picture


def copied(folder: Path, *names: Path) -> list[Path]:
    """The files in another folder, as another computer would get them."""
    folder.mkdir()
    return [Path(shutil.copy(name, folder / name.name)) for name in names]


@pytest.mark.parametrize("policy", POLICIES)
def test_every_byte_is_there_again(tmp_path: Path, policy: str) -> None:
    swap, image = tmp_path / "s1", tmp_path / "job.ckpt"
    machine, login = boot(swap, policy=policy)
    family(login)
    before = contents(machine)
    login.swap_ns.checkpoint(image)
    assert [t.pid for t in machine.tasks.values()] == [1]
    assert machine.areas == {} and machine.core.memory()["used"] == 0
    machine.verify()
    again = Machine.restart(image)
    again.verify()
    assert again.core.memory()["used"] == 0
    assert contents(again) == before
    assert again.vmstat()["pgmajfault"] > machine.vmstat()["pgmajfault"]
    again.verify()
    again.close()


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("seed", [1, 2])
def test_goes_on_as_if_never_stopped(tmp_path: Path, policy: str, keep: bool, seed: int) -> None:
    swap, image = tmp_path / "s1", tmp_path / "job.ckpt"
    machine, login = boot(swap, policy=policy)
    family(login, seed)
    work(machine, seed)
    login.swap_ns.checkpoint(image, kind="pinned")
    if not keep:
        release_without_file(machine)
    there = copied(tmp_path / "there", image, swap)
    again = restart(there[0], swapfile=there[1], keep=keep)
    assert picture(again) == picture(machine) and lists(again) == lists(machine)
    for step in range(4):
        work(machine, 10 * seed + step, 2)
        work(again, 10 * seed + step, 2)
        assert picture(again) == picture(machine), step
        assert lists(again) == lists(machine), step
    assert contents(again) == contents(machine)
    machine.verify()
    again.verify()
    machine.close()
    again.close()


def release_without_file(machine: Machine) -> None:
    slot_pins.unpin(machine.core, machine.areas[0].number)


def test_again_and_again(tmp_path: Path) -> None:
    """Checkpoint, restart, work, checkpoint: pins of one generation make room for the next."""
    swap, image = tmp_path / "s1", tmp_path / "job.ckpt"
    machine, login = boot(swap, size="16MiB")
    family(login)
    namespace = login.swap_ns
    for turn in range(5):
        namespace.checkpoint(image, kind="pinned" if turn % 2 else "in-place")
        assert read_image(image).generation == turn + 1
        if turn % 2 == 0:
            machine.close()
            machine = Machine.restart(image)
            tasks = machine.tasks.values()
            namespace = next(t.swap_ns for t in tasks if t.alive and t.parent is not None)
        machine.verify()
        work(machine, turn)
        machine.verify()
        assert verify(image) == []
    machine.close()


def test_pinned_slots_keep_the_checkpoint(tmp_path: Path) -> None:
    """The job goes on and dies; the checkpoint is as it was."""
    swap, image = tmp_path / "s1", tmp_path / "job.ckpt"
    machine, login = boot(swap)
    family(login)
    login.swap_ns.checkpoint(image, kind="pinned")
    before = contents(machine)
    for task in [t for t in machine.tasks.values() if t.alive and t.parent is not None]:
        for mapping in task.mappings:
            if not mapping.readonly:
                inside = np.concatenate([np.arange(a, b) for a, b in mapping.ranges])
                mapping.touch(inside, write=True, tag="overwritten")
    work(machine, 5)
    assert verify(image) == []
    machine.close()
    again = Machine.restart(image)
    assert contents(again) == before
    again.close()


def test_a_clean_page_costs_nothing(tmp_path: Path) -> None:
    swap, image = tmp_path / "s1", tmp_path / "job.ckpt"
    machine, login = boot(swap)
    heap = login.mmap("400KiB")
    heap.touch(write=True)
    login.swap_ns.checkpoint(image, kind="pinned")
    out = machine.vmstat()["pswpout"]
    heap.touch()
    assert machine.core.memory()["used"] == heap.pages
    login.swap_ns.checkpoint(image, kind="pinned")
    assert machine.vmstat()["pswpout"] == out
    heap.touch(slice(0, 7), write=True)
    login.swap_ns.checkpoint(image, kind="pinned")
    machine.close()
    assert machine.vmstat()["pswpout"] + machine.vmstat().get("swpout_zero", 0) <= out + 7 + 100


def test_metadata_are_small(tmp_path: Path) -> None:
    """At most 16 bytes a page and 64 KiB; four bytes, the checksum, where slots run together."""
    swap, image = tmp_path / "s1", tmp_path / "job.ckpt"
    machine, login = boot(swap, memory="64MiB", size="128MiB")
    heap = login.mmap("40MiB")
    heap.touch(write=True, tag="x")
    login.swap_ns.checkpoint(image, kind="pinned")
    facts = inspect(image)
    assert facts["pages_with_data"] == heap.pages
    assert facts["image_bytes"] <= 5 * heap.pages + 4096
    login.swap_ns.checkpoint(image, kind="pinned", checksums=False)
    assert inspect(image)["image_bytes"] <= heap.pages // 10 + 16384
    rng = np.random.default_rng(3)
    machine.init.mmap("40MiB").touch(write=True)  # the job has to swap
    for _ in range(4):
        heap.touch(rng.permutation(heap.pages), rng.random(heap.pages) < 0.5, tag="y")
    login.swap_ns.checkpoint(image, kind="pinned")
    facts = inspect(image)
    assert facts["slot_runs"] > heap.pages // 4
    assert facts["image_bytes"] <= 16 * heap.pages + 65536
    machine.close()


def characters_read() -> int:
    """By this process, in system calls."""
    with open("/proc/self/io") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("rchar"))


@pytest.mark.parametrize("size", ["1MiB", "24MiB"])
def test_a_restart_reads_the_image_and_no_page(tmp_path: Path, size: str) -> None:
    """Of the swapfile its header, whatever it holds, and then what the first touch needs."""
    if not os.access("/proc/self/io", os.R_OK):
        pytest.skip("this system does not count what a process reads")
    swap, image = tmp_path / "s1", tmp_path / "job.ckpt"
    machine, login = boot(swap, memory="4MiB", size="64MiB", overcommit=1)
    login.mmap(size).touch(write=True, tag="x")
    login.swap_ns.checkpoint(image)
    machine.close()
    restart(image).close()  # modules are imported now
    before = characters_read()
    machine = restart(image)
    read = characters_read() - before - image.stat().st_size
    swapped = machine.vmstat()["pswpin"]
    machine.tasks[2].mappings[0].read(0, 1)
    first = machine.vmstat()["pswpin"] - swapped
    print(f"{size}: {read} bytes beyond the image, {first} pages for the first touch")
    assert read + first * PAGE <= 64 << 10
    machine.close()


def test_numpy_reads_an_image(tmp_path: Path) -> None:
    swap, image = tmp_path / "s1", tmp_path / "job.ckpt"
    machine, login = boot(swap)
    family(login)
    login.swap_ns.checkpoint(image)
    machine.close()
    with np.load(image, allow_pickle=False) as arrays:
        assert b'"format":"swapfast checkpoint"' in arrays["facts"].tobytes()
        assert arrays["sums"].dtype == np.uint32
    assert os.stat(image).st_mode & 0o777 == 0o600


def test_at_rest_no_swapon_takes_it(tmp_path: Path) -> None:
    swap, image = tmp_path / "s1", tmp_path / "job.ckpt"
    machine, login = boot(swap)
    login.mmap("100KiB").touch(write=True)
    login.swap_ns.checkpoint(image)
    with pytest.raises(OSError, match="at rest; restart it") as caught:
        machine.init.swapon(swap)
    assert caught.value.errno == errno.EINVAL
    again = Machine.restart(image)
    with pytest.raises(OSError) as caught:
        machine.init.swapon(swap)
    assert caught.value.errno == errno.EBUSY
    again.close()  # as after a crash: the checkpoint still counts
    with pytest.raises(OSError, match="holds a checkpoint") as caught:
        machine.init.swapon(swap)
    assert caught.value.errno == errno.EINVAL
    again = Machine.restart(image)
    release(again.kernel, again.tasks[2].swap_ns)
    again.close()
    machine.init.swapon(swap)
    with pytest.raises(OSError) as caught:
        Machine.restart(image)
    assert caught.value.errno == errno.EBUSY
    machine.init.swapoff(swap)
    with pytest.raises(ValueError, match="holds no checkpoint"):
        Machine.restart(image)
    machine.close()


def test_given_up_by_a_restart_without_keep(tmp_path: Path) -> None:
    swap, image = tmp_path / "s1", tmp_path / "job.ckpt"
    _, login = boot(swap)
    login.mmap("100KiB").touch(write=True)
    login.swap_ns.checkpoint(image)
    again = restart(image, keep=False)
    assert slot_pins.pinned(again.core, 0).size == 0
    again.close()
    with pytest.raises(ValueError, match="holds no checkpoint"):
        restart(image)


def test_an_older_image_is_refused(tmp_path: Path) -> None:
    swap, old, new = tmp_path / "s1", tmp_path / "old", tmp_path / "new"
    _, login = boot(swap)
    heap = login.mmap("100KiB")
    heap.touch(write=True)
    login.swap_ns.checkpoint(old, kind="pinned")
    heap.touch(write=True)
    login.swap_ns.checkpoint(new)
    with pytest.raises(ValueError, match="holds generation 2, the image is generation 1"):
        restart(old)
    restart(new).close()


@pytest.mark.parametrize("what", ["page", "shared", "segment", "initial", "none", "nobody"])
def test_refused_when_not_alone(tmp_path: Path, what: str) -> None:
    swap, image = tmp_path / "s1", tmp_path / "job.ckpt"
    machine = Machine("1MiB")
    mkswap(swap, size="4MiB")
    common = machine.init.mmap("40KiB")
    common.touch(write=True)
    shared = machine.init.mmap("40KiB", shared=True)
    login = machine.init.clone(sf.NEWSWAP | sf.NEWIPC)
    code = errno.EBUSY
    if what not in ("none", "initial"):
        login.swapon(swap)
    if what != "shared":
        login.mapping_at(shared.addr).munmap()
    if what != "page":
        login.mapping_at(common.addr).munmap()
    namespace = machine.init.swap_ns if what == "initial" else login.swap_ns
    if what in ("initial", "none"):
        code = errno.EINVAL
    elif what == "segment":
        inner = login.clone(sf.NEWSWAP | sf.NEWIPC)
        login.mmap("40KiB", shared=True).touch(write=True)
        login.clone(sf.NEWSWAP | sf.NEWIPC)
        assert inner.swap_ns is not namespace
    elif what == "nobody":
        login.exit()
        code = errno.EINVAL  # the area went with its last task
    with pytest.raises(OSError) as caught:
        namespace.checkpoint(image)
    assert caught.value.errno == code
    assert not image.exists() and os.listdir(tmp_path) == ([swap.name])
    machine.verify()
    machine.close()


def test_pages_inherited_in_another_area_move(tmp_path: Path) -> None:
    """The parent went, its swapped pages are the child's alone: they are copied to its own area."""
    outer, swap, image = tmp_path / "outer", tmp_path / "s1", tmp_path / "job.ckpt"
    machine, parent = boot(outer)
    heap = parent.mmap("200KiB")
    heap.touch(write=True, tag="parent")
    parent.mmap("900KiB").touch(write=True, tag="pressure")
    before = heap.read(0, heap.length)
    parent.mmap("900KiB").touch(write=True, tag="pressure")
    assert mapping_table.swapped(machine.core, heap.number).size > 10
    login = parent.clone(sf.NEWSWAP | sf.NEWIPC, "login")
    mkswap(swap, size="4MiB")
    login.swapon(swap)
    for mapping in login.mappings[1:]:
        mapping.munmap()
    heap.munmap()
    login.swap_ns.checkpoint(image)
    machine.verify()
    again = Machine.restart(image)
    assert contents(again) == {(login.pid, heap.addr, 0): before}
    again.close()
    machine.close()


def test_no_room_in_the_area(tmp_path: Path) -> None:
    swap, image = tmp_path / "s1", tmp_path / "job.ckpt"
    machine, login = boot(swap, size="100KiB")
    heap = login.mmap("200KiB")
    heap.touch(write=True, tag="x")
    before = contents(machine)
    with pytest.raises(OSError, match="slots are free") as caught:
        login.swap_ns.checkpoint(image)
    assert caught.value.errno == errno.ENOSPC
    machine.verify()
    assert contents(machine) == before and not image.exists()
    machine.close()


def test_without_contents(tmp_path: Path) -> None:
    swap, image = tmp_path / "s1", tmp_path / "job.ckpt"
    machine, login = boot(swap, contents=False)
    login.mmap("2MiB").touch(write=True)
    login.swap_ns.checkpoint(image, kind="pinned")
    there = copied(tmp_path / "there", image, swap)
    again = restart(there[0], swapfile=there[1])
    for step in range(3):
        work(machine, step)
        work(again, step)
    assert picture(again) == picture(machine)
    machine.close()
    again.close()


def test_a_wrong_byte_in_a_page_is_found(tmp_path: Path) -> None:
    swap, image = tmp_path / "s1", tmp_path / "job.ckpt"
    _, login = boot(swap)
    heap = login.mmap("80KiB")
    heap.touch(write=True, tag="x")
    login.swap_ns.checkpoint(image)
    slot = int(read_image(image).slot.values()[3])
    with open(swap, "r+b") as file:
        file.seek(slot * PAGE + 1234)
        file.write(b"\x01")
    assert verify(image) == [slot]
    again = restart(image)
    heap = again.tasks[2].mappings[0]
    with pytest.raises(OSError, match=f"slot {slot}: its checksum is wrong") as caught:
        heap.read(0, heap.length)
    assert caught.value.errno == errno.EIO and caught.value.filename == str(swap)
    assert heap.read(4 * PAGE, 1) == b"x"
    again.verify()
    again.close()


OPTIONS: list[dict[str, Any]] = [
    {"statistics": "stale", "seed": 3},
    {"statistics": "stale", "statistics_phase": 1_000_000},
    {"tlb": "natural", "seed": 4},
    {"tlb": "fresh"},
    {"readahead": "vma"},
    {"plug": "own"},
    {"swap_cluster": "per-cpu"},
    {"swap_cluster": "per-cpu-device", "swap_scope": "private"},
    {"swap_cluster": "per-cpu-tier", "swap_scope": "tiers", "allowed_aware": True},
    {"statistics": "stale", "tlb": "natural", "readahead": "vma", "plug": "nested"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_options_go_on(options: dict[str, Any], tmp_path: Path) -> None:
    """What they remember is in the image: the restarted machine counts as the first one does."""
    swap, image = tmp_path / "s1", tmp_path / "job.ckpt"
    machine, login = boot(swap, **options)
    family(login, 5)
    work(machine, 5)
    login.swap_ns.checkpoint(image, kind="pinned")
    there = copied(tmp_path / "there", image, swap)
    again = restart(there[0], swapfile=there[1])
    for name in {"statistics", "tlb", "readahead", "plug", *options} - {"seed", "statistics_phase"}:
        assert getattr(again.options, name) == getattr(machine.options, name)
    for step in range(4):
        work(machine, step, 2)
        work(again, step, 2)
        assert picture(again) == picture(machine), step
        assert lists(again) == lists(machine), step
    machine.close()
    again.close()


@pytest.mark.parametrize("profile", ["2.6.25", "6.18"])
def test_the_area_has_the_priority_that_it_had_among_others(tmp_path: Path, profile: str) -> None:
    with Machine("4MiB", profile) as machine:
        logins = []
        for name in ("s1", "s2"):
            mkswap(tmp_path / name, size="1MiB")
            logins.append(machine.init.clone(sf.SIGCHLD | sf.NEWSWAP | sf.NEWIPC))
            logins[-1].swapon(tmp_path / name)
        before = logins[1].swap_ns.areas[0].priority
        logins[1].swap_ns.checkpoint(tmp_path / "job.ckpt")
    with Machine.restart(tmp_path / "job.ckpt") as again:
        (area,) = again.areas.values()
        assert area.priority == before < min(-1, logins[0].swap_ns.areas[0].priority + 1)
        again.verify()
