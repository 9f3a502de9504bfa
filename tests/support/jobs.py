"""Machines with a job in a child swap namespace, and work for it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np

import swapfast as sf
from swapfast import flags as f
from swapfast.kernel.state import Task
from swapfast.machine import Machine
from swapfast.swapfile import mkswap

PAGE = 4096
POLICIES = ("linux-6.18", "linux-6.18-mglru", "linux-2.6.25", "lru", "fifo", "clock")


def boot(
    path: Path,
    *,
    memory: str = "1MiB",
    size: str = "8MiB",
    policy: str = "linux-6.18",
    **options: Any,
) -> tuple[Machine, Task]:
    """A machine, and the first task of a child namespace with a swapfile on."""
    mkswap(path, size=size)
    profile = "2.6.25" if policy == "linux-2.6.25" else "6.18"
    machine = Machine(memory, profile, policy=policy, **options)
    login = machine.init.clone(sf.NEWSWAP | sf.NEWIPC, "login")
    login.swapon(path)
    return machine, login


def family(login: Task, seed: int = 1) -> None:
    """Forks with copies and common pages, a thread, a zombie, segments, shared memory, holes."""
    rng = np.random.default_rng(seed)
    heap = login.mmap("600KiB", name="heap")
    heap.touch(rng.integers(0, heap.pages, 400), rng.random(400) < 0.6, tag="login")
    child = login.fork("child")
    grandchild = child.fork("grandchild")
    login.clone(f.CLONE_VM | f.SIGCHLD, "thread")
    shared = login.mmap("100KiB", shared=True, name="shared")
    shared.touch(write=True, tag="shared")
    shmid = login.shmget(0x1234, 50 * 1024, f.IPC_CREAT | 0o600)
    segment = login.shmat(shmid)
    segment.touch(slice(0, 9), write=True, tag="segment")
    child.shmat(shmid, readonly=True).touch(slice(0, 5))
    unused = login.shmget(0x77, 3 * PAGE, f.IPC_CREAT | 0o600)
    login.shmat(unused).touch(write=True, tag="removed")
    login.shmctl(unused, f.IPC_RMID)
    holes = child.mmap("200KiB", name="holes")
    holes.touch(write=True, tag="holes")
    holes.munmap(8 * PAGE, 5 * PAGE)
    holes.munmap(20 * PAGE, 1 * PAGE)
    child.mmap("64KiB", name="untouched")
    child.mmap("64KiB", name="zeroes").touch()
    heap.inherited_by(child).touch(slice(0, 50), write=True, tag="child")
    heap.inherited_by(grandchild).touch(slice(30, 90), write=True, tag="grandchild")
    grandchild.fork("zombie").exit(7)
    grandchild.setuid(1000)
    login.oom_score_adj = 5
    wide = login.mmap("1200KiB", name="wide")
    wide.touch(write=True, tag="wide")
    child.mappings[0].touch(rng.integers(0, heap.pages, 300), rng.random(300) < 0.3)


def work(machine: Machine, seed: int, rounds: int = 6) -> None:
    """References and system calls that depend on nothing but the tasks and the seed."""
    rng = np.random.default_rng(seed)
    for _ in range(rounds):
        for task in [t for t in machine.tasks.values() if t.alive and t.parent is not None]:
            if not task.alive:
                continue
            for mapping in task.mappings:
                if not task.alive:  # a touch may have been its last
                    break
                n = 60
                inside = np.concatenate([np.arange(a, b) for a, b in mapping.ranges])
                pages = inside[rng.integers(0, inside.size, n)]
                writes = np.zeros(n, dtype=bool) if mapping.readonly else rng.random(n) < 0.4
                with contextlib.suppress(sf.TaskKilled, OSError):
                    mapping.touch(pages, writes)
        alive = [t for t in machine.tasks.values() if t.alive and t.parent is not None]
        if alive:
            task = alive[int(rng.integers(0, len(alive)))]
            match int(rng.integers(0, 4)):
                case 0 if len(alive) < 8:
                    task.fork("late")
                case 1:
                    with contextlib.suppress(sf.TaskKilled, OSError):
                        task.mmap("80KiB").touch(write=True)
                case 2 if len(alive) > 4:
                    task.exit(3)
                case _:
                    pass
