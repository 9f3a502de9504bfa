"""A job of two tasks in a folder of its own, small enough to be made a thousand times."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

from swapfast.checkpoint import restart
from swapfast.kernel.state import SwapNamespace
from swapfast.machine import Machine
from tests.support.jobs import PAGE, boot
from tests.support.seen import contents

JOB, AREA = "job", "area"


def namespace_of(machine: Machine) -> SwapNamespace:
    return next(t.swap_ns for t in machine.tasks.values() if t.parent is not None)


def small_job(folder: Path) -> Machine:
    """A family of two that fits in a swapfile twice its size."""
    machine, login = boot(folder / AREA, memory="256KiB", size="640KiB")
    heap = login.mmap("120KiB", name="heap")
    heap.touch(write=True, tag="begin")
    shmid = login.shmget(5, 3 * PAGE, 0o1600)
    login.shmat(shmid).touch(write=True, tag="shm")
    child = login.fork("child")
    heap.inherited_by(child).touch(slice(3, 9), write=True, tag="child")
    return machine


def scribble(machine: Machine, text: str, seed: int) -> None:
    """Write to some pages of everybody, and read others; pressure moves pages."""
    rng = random.Random(seed)
    for task in [t for t in machine.tasks.values() if t.alive and t.parent is not None]:
        for mapping in task.mappings:
            for _ in range(8):
                page = rng.randrange(mapping.pages)
                mapping.write(page * PAGE + 100, f"{text} {task.pid} {page}".encode())
                mapping.read(rng.randrange(mapping.pages) * PAGE, 10)


def seen_in(folder: Path) -> dict[Any, Any]:
    """What a restart from copies of the files sees."""
    copy = folder.parent / f"{folder.name}.seen"
    shutil.copytree(folder, copy)
    with restart(copy / JOB, swapfile=copy / AREA) as machine:
        seen = contents(machine)
    shutil.rmtree(copy)
    return seen
