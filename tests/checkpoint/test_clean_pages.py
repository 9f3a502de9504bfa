"""Slots that a checkpoint keeps: pages that are only read need no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import swapfast as sf
from swapfast.core import area_table
from swapfast.kernel.rules import Rules
from swapfast.kernel.state import Mapping, Task
from swapfast.machine import Machine
from swapfast.swapfile import mkswap
from tests.support.jobs import PAGE

PAGES = 90


def started(folder: Path, profile: str, slots: int, shared: bool) -> Machine:
    """A job of 90 pages that may have 60 in memory."""
    mkswap(folder / "s", size=(slots + 1) * PAGE)
    rules = Rules(shared_pages="first-toucher")
    machine = Machine(200 * PAGE, profile, overcommit=1, cache=0, rules=rules)
    group = machine.memory_group(max=60 * PAGE)
    job = machine.init.clone(sf.NEWSWAP | sf.NEWIPC, "job")
    group.add(job)
    job.swapon(folder / "s")
    heap = job.mmap(PAGES * PAGE, shared=shared)
    for page in range(PAGES):
        heap.write(page * PAGE, b"%06d" % page)
    return machine


def job_of(machine: Machine) -> tuple[Task, Mapping]:
    task = next(t for t in machine.tasks.values() if t.parent is not None)
    return task, task.mappings[0]


def right(heap: Mapping, but: dict[int, bytes]) -> bool:
    return all(heap.read(page * PAGE, 6) == but.get(page, b"%06d" % page) for page in range(PAGES))


@pytest.mark.parametrize("shared", [False, True], ids=["private", "shared"])
@pytest.mark.parametrize("slots", [91, 99, 129, 181])
@pytest.mark.parametrize("profile", ["6.18", "2.6.25"])
@pytest.mark.parametrize("how", ["restart", "pinned", "snapshot"])
def test_a_job_that_reads_needs_no_new_slot(
    tmp_path: Path, profile: str, slots: int, shared: bool, how: Any
) -> None:
    machine = started(tmp_path, profile, slots, shared)
    task, heap = job_of(machine)
    if how == "restart":
        task.swap_ns.checkpoint(tmp_path / "i")
        machine.close()
        machine = Machine.restart(tmp_path / "i")
        task, heap = job_of(machine)
    else:
        task.swap_ns.checkpoint(tmp_path / "i", kind=how)
    written = machine.vmstat()["pswpout"]
    for _ in range(3):
        heap.touch()
        machine.verify()
    assert right(heap, {})
    if how != "snapshot":  # whose job has all its slots for itself
        assert machine.vmstat()["pswpout"] == written and machine.core.counters()["no_slot"] == 0
        used = area_table.info(machine.core, machine.areas[0].number)["inuse"]
        assert used == PAGES
    machine.close()


@pytest.mark.parametrize("shared", [False, True], ids=["private", "shared"])
@pytest.mark.parametrize("profile", ["6.18", "2.6.25"])
def test_what_is_written_is_not_taken_for_clean(tmp_path: Path, profile: str, shared: bool) -> None:
    """Written through a mapping that goes away; then pushed out by others, and read again."""
    machine = started(tmp_path, profile, 180, shared)
    task, heap = job_of(machine)
    task.swap_ns.checkpoint(tmp_path / "i", kind="pinned")
    heap.touch()
    child = task.fork("child")
    mine = heap.inherited_by(child)
    but = {}
    for turn in range(4):
        for page in range(turn, PAGES, 7):
            text = b"%d-%04d" % (turn, page)
            if shared:
                mine.write(page * PAGE, text)
            else:
                heap.write(page * PAGE, text)
            but[page] = text
        if turn == 2:
            child.exit()
            mine = heap
        heap.touch()
        machine.verify()
        assert right(heap, but)
    task.swap_ns.checkpoint(tmp_path / "i", kind="in-place")
    machine.close()
    with Machine.restart(tmp_path / "i") as again:
        assert right(job_of(again)[1], but)
