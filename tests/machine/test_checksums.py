"""A checksum a slot: bytes that changed in the swapfile are noticed, where that is wanted."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

import swapfast as sf
from swapfast.core import mapping_table
from swapfast.kernel.swapon import turn_off_for
from swapfast.swapfile import mkswap

PAGE = 4096
PAGES = 150


def job(path: Path, profile: str, checksums: bool) -> tuple[sf.Machine, sf.Task]:
    """A task with more pages than fit, each with its number in it."""
    mkswap(path, size=2000 * PAGE)
    machine = sf.Machine("4MiB", profile, overcommit=1, page_cluster=0, checksums=checksums)
    machine.init.swapon(path)
    task = machine.init.fork("job")
    machine.memory_group(50 * PAGE).add(task)
    heap = task.mmap(PAGES * PAGE)
    for page in range(PAGES):
        heap.write(page * PAGE, b"%4d" % page * 1024)
    return machine, task


def slot_of(machine: sf.Machine, task: sf.Task, page: int) -> int:
    (heap,) = task.mappings
    return int(mapping_table.state(machine.core, heap.number, page, 1)[1][0])


def spoil(path: Path, slot: int) -> None:
    with open(path, "r+b", buffering=0) as file:
        old = os.pread(file.fileno(), 1, slot * PAGE + 1234)
        os.pwrite(file.fileno(), bytes([old[0] ^ 4]), slot * PAGE + 1234)


@pytest.mark.parametrize("profile", ["2.6.25", "6.18"])
def test_a_changed_bit_is_eio_with_file_and_slot(tmp_path: Path, profile: str) -> None:
    machine, task = job(tmp_path / "s", profile, checksums=True)
    (heap,) = task.mappings
    slot = slot_of(machine, task, 3)
    spoil(tmp_path / "s", slot)
    with pytest.raises(OSError, match=f"slot {slot}: its checksum is wrong") as caught:
        heap.read(3 * PAGE, 4)
    assert caught.value.errno == errno.EIO
    assert caught.value.filename == str(tmp_path / "s")
    # Nothing else is lost, and the page is as it was: once more the same answer.
    with pytest.raises(OSError, match=f"slot {slot}: its checksum is wrong"):
        heap.read(3 * PAGE, 4)
    for page in (*range(3), *range(4, PAGES)):
        assert heap.read(page * PAGE, PAGE) == b"%4d" % page * 1024
    spoil(tmp_path / "s", slot)  # the bit is right again
    assert heap.read(3 * PAGE, 4) == b"   3"
    machine.verify()
    machine.close()


def test_without_them_the_bytes_are_what_the_file_has(tmp_path: Path) -> None:
    machine, task = job(tmp_path / "s", "6.18", checksums=False)
    (heap,) = task.mappings
    spoil(tmp_path / "s", slot_of(machine, task, 3))
    assert heap.read(3 * PAGE, PAGE) != b"   3" * 1024
    machine.close()


def test_swapoff_meets_it_too_and_leaves_the_area_on(tmp_path: Path) -> None:
    mkswap(tmp_path / "s", size=2000 * PAGE)
    machine = sf.Machine("4MiB", overcommit=1, page_cluster=0, checksums=True)
    machine.init.swapon(tmp_path / "s")
    task, hog = machine.init.fork(), machine.init.fork()
    heap = task.mmap(20 * PAGE)
    heap.write(0, bytes(range(1, 251)) * 320)
    hog.mmap(1500 * PAGE).write(0, b"x" * 1500 * PAGE)
    hog.exit()
    slot, area = slot_of(machine, task, 7), machine.areas[0]
    assert slot
    spoil(tmp_path / "s", slot)
    with pytest.raises(OSError, match=f"slot {slot}: its checksum is wrong"):
        turn_off_for(machine.init, area)
    assert machine.areas[0] is area and area.info["writeok"]
    spoil(tmp_path / "s", slot)
    turn_off_for(machine.init, area)
    assert heap.read(0, 80_000) == bytes(range(1, 251)) * 320
    machine.close()


def test_slots_that_are_written_again_have_their_new_checksum(tmp_path: Path) -> None:
    machine, task = job(tmp_path / "s", "6.18", checksums=True)
    (heap,) = task.mappings
    for turn in range(3):
        for page in range(PAGES):
            heap.write(page * PAGE, b"%4d" % (page + turn) * 1024)
    for page in range(PAGES):
        assert heap.read(page * PAGE, PAGE) == b"%4d" % (page + 2) * 1024
    machine.close()


def test_a_machine_without_contents_has_none_to_keep() -> None:
    machine = sf.Machine("4MiB", contents=False, overcommit=1, checksums=True)
    machine.add_swap("4MiB")
    machine.init.fork().mmap("6MiB").touch(range(1536), write=True)
    assert machine.vmstat()["pswpout"] > 0
