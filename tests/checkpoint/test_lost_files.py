"""A swapfile that is truncated, punched or replaced while on: an error, not the process's end."""

from __future__ import annotations

import ctypes
import errno
import faulthandler
import os
from pathlib import Path

import numpy as np
import pytest

import swapfast as sf
from swapfast.core import area_table, mapping_table, slot_pins
from swapfast.kernel.state import Mapping
from swapfast.machine import Machine
from swapfast.swapfile import SwapBacking, mkswap

PAGE = 4096
PUNCH = 0x2 | 0x1  # FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
POLICIES = ("linux-6.18", "linux-6.18-mglru", "linux-2.6.25", "lru", "fifo", "clock")


def two_logins(
    tmp_path: Path, policy: str = "linux-6.18"
) -> tuple[Machine, list[Mapping], list[Path]]:
    """Two namespaces, each with a file and a heap of which about half is swapped out."""
    machine = Machine("512KiB", "2.6.25" if policy == "linux-2.6.25" else "6.18", policy=policy)
    heaps, paths = [], []
    for name in ("a", "b"):
        path = tmp_path / name
        mkswap(path, size="2MiB")
        login = machine.init.clone(sf.NEWSWAP | sf.NEWIPC, name)
        login.swapon(path)
        heap = login.mmap("400KiB")
        for page in range(heap.pages):
            heap.write(page * PAGE, f"{name}{page}".encode())
        heaps.append(heap)
        paths.append(path)
    for page in range(20):
        heaps[0].read(page * PAGE, 1)  # so that some of the first heap is in memory again
    return machine, heaps, paths


def text(heap: Mapping, page: int) -> bytes:
    return heap.read(page * PAGE, 5).rstrip(b"\0")


def swapped(machine: Machine, heap: Mapping) -> list[int]:
    return [int(p) for p in mapping_table.swapped(machine.core, heap.number)]


@pytest.fixture
def unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file changes after the check, so that only the guard is left."""
    monkeypatch.setattr(SwapBacking, "fault", lambda self: None)


@pytest.mark.parametrize("policy", POLICIES)
def test_truncated_under_the_copy(tmp_path: Path, policy: str, unwatched: None) -> None:
    machine, (a, b), paths = two_logins(tmp_path, policy)
    out = swapped(machine, a)
    assert len(out) > 20
    os.truncate(paths[0], PAGE)
    failed = 0
    for page in range(a.pages):
        try:
            assert text(a, page) == f"a{page}".encode()
        except OSError as error:
            assert error.errno == errno.EIO and error.filename == str(paths[0])
            assert "slot" in error.strerror
            failed += 1
        machine.verify()
    assert 0 < failed <= len(out)
    # The other namespace goes on, under pressure: pages of the first cannot leave any more.
    before = machine.vmstat()["pswpout"]
    for _ in range(3):
        for page in range(b.pages):
            assert text(b, page) == f"b{page}".encode()
            b.write(page * PAGE, f"b{page}".encode())
        machine.verify()
    assert machine.vmstat()["pswpout"] > before
    machine.close()


@pytest.mark.parametrize("policy", POLICIES)
def test_a_failed_swap_out_loses_no_page(tmp_path: Path, policy: str, unwatched: None) -> None:
    machine, (a, b), paths = two_logins(tmp_path, policy)
    here = [p for p in range(a.pages) if p not in swapped(machine, a)]
    assert len(here) >= 10
    for page in here:
        a.write(page * PAGE, f"A{page}".encode())
    os.truncate(paths[0], PAGE)
    assert area_table.info(machine.core, 0)["writeok"]
    for _ in range(6):  # pressure from the other one
        b.touch(write=True)
    machine.verify()
    assert not area_table.info(machine.core, 0)["writeok"]  # a write was tried, and failed
    kept = [p for p in here if p not in swapped(machine, a)]
    for page in kept:
        assert text(a, page) == f"A{page}".encode()
    machine.close()


@pytest.mark.parametrize(
    ("damage", "code"), [("truncate", errno.EIO), ("punch", errno.EIO), ("replace", errno.ESTALE)]
)
def test_damage_that_makes_no_signal(tmp_path: Path, damage: str, code: int) -> None:
    """Half a page, a hole, another file of that name: reads of zeroes or of the old file."""
    machine, (a, b), paths = two_logins(tmp_path)
    out = swapped(machine, a)
    if damage == "truncate":
        os.truncate(paths[0], os.path.getsize(paths[0]) - 100)
    elif damage == "replace":
        other = tmp_path / "other"
        other.write_bytes(bytes(PAGE))
        other.rename(paths[0])
    else:
        libc = ctypes.CDLL(None, use_errno=True)
        with open(paths[0], "r+b") as file:
            length = ctypes.c_long(16 * PAGE)
            if libc.fallocate(file.fileno(), PUNCH, ctypes.c_long(8 * PAGE), length):
                pytest.skip("this file system punches no holes")
    resident = next(p for p in range(a.pages) if p not in out)
    assert text(a, resident) == f"a{resident}".encode()
    with pytest.raises(OSError, match="slot") as caught:
        for page in out:
            a.read(page * PAGE, 5)
    assert caught.value.errno == code and caught.value.filename == str(paths[0])
    assert any(str(paths[0]) in line for line in machine.log)
    for page in range(b.pages):
        assert text(b, page) == f"b{page}".encode()
    machine.verify()
    with pytest.raises(OSError):
        b.mm.kernel.tasks[2].swapoff(paths[0])
    machine.verify()
    machine.close()


def test_a_look_that_fails_says_nothing_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint does not begin then; everything else goes on, and nothing is given up."""
    machine, (a, _), paths = two_logins(tmp_path)
    with monkeypatch.context() as patch:

        def fail(path: object) -> None:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))

        patch.setattr(os, "lstat", fail)
        for page in range(a.pages):
            assert text(a, page) == f"a{page}".encode()
        with pytest.raises(PermissionError) as caught:
            a.mm.kernel.tasks[2].swap_ns.checkpoint(tmp_path / "image")
        assert caught.value.filename == str(paths[0])
    assert not machine.log
    a.mm.kernel.tasks[2].swap_ns.checkpoint(tmp_path / "image", kind="pinned")
    machine.verify()
    machine.close()


def test_other_handlers_keep_their_turn(tmp_path: Path, unwatched: None) -> None:
    """A handler that is installed later does not take ours away, nor ours the other's."""
    machine, (a, _), paths = two_logins(tmp_path)
    on = faulthandler.is_enabled()
    with open(tmp_path / "dump", "w+") as dump:
        faulthandler.enable(dump)
        out = swapped(machine, a)
        os.truncate(paths[0], PAGE)
        with pytest.raises(OSError, match="slot"):
            for page in out:
                a.read(page * PAGE, 5)
        dump.seek(0)
        assert dump.read() == ""
        faulthandler.disable()
    if on:
        faulthandler.enable()
    machine.close()


def test_checksum_against_one_written_down() -> None:
    """XXH64 of 4096 zero bytes is fixed by its specification; ours folds it."""
    page = np.zeros(PAGE, dtype=np.uint8)
    first = slot_pins.checksum(page)
    assert slot_pins.checksum(page) == first
    seen = {first}
    for bit in range(0, 8 * PAGE, 97):
        page[bit // 8] ^= 1 << bit % 8
        seen.add(slot_pins.checksum(page))
        page[bit // 8] ^= 1 << bit % 8
    assert len(seen) == 1 + len(range(0, 8 * PAGE, 97))
    with pytest.raises(ValueError, match="4096"):
        slot_pins.checksum(page[:100].copy())
