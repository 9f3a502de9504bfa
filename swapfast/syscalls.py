"""The table of system calls, filled in.

- ``SYSTEM_CALLS``: what `swapfast.kernel.calls` asks for, one line a call.

Two checks come before all others, here and nowhere else: the machine has power and is whole
(EBADF), and the task that calls is alive (ESRCH).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from swapfast.errors import system_error
from swapfast.kernel import batches, cgroup, clone, mmap, procfs, shm, swapon, wiping
from swapfast.kernel import exit as exit_
from swapfast.kernel.records import Kind, Wipe
from swapfast.kernel.state import Calls, Mapping, MemoryGroup, SwapArea, SwapNamespace, Task
from swapfast.swapfile.files import named

__all__ = ["SYSTEM_CALLS"]

P = ParamSpec("P")
R = TypeVar("R")


def of_task(call: Callable[Concatenate[Task, P], R]) -> Callable[Concatenate[Task, P], R]:
    """A call of a task."""

    @wraps(call)
    def checked(task: Task, /, *args: P.args, **kwargs: P.kwargs) -> R:
        task.kernel.check_usable()
        if task.state != "running":
            raise system_error(errno.ESRCH, f"process {task.pid} ({task.name}) is {task.state}")
        return call(task, *args, **kwargs)

    return checked


def of_mapping(call: Callable[Concatenate[Mapping, P], R]) -> Callable[Concatenate[Mapping, P], R]:
    """A call on a mapping; which task pays is found out later."""

    @wraps(call)
    def checked(mapping: Mapping, /, *args: P.args, **kwargs: P.kwargs) -> R:
        mapping.mm.kernel.check_usable()
        return call(mapping, *args, **kwargs)

    return checked


def of_group(
    call: Callable[Concatenate[MemoryGroup, P], R],
) -> Callable[Concatenate[MemoryGroup, P], R]:
    """A call on a memory group."""

    @wraps(call)
    def checked(group: MemoryGroup, /, *args: P.args, **kwargs: P.kwargs) -> R:
        group.kernel.check_usable()
        return call(group, *args, **kwargs)

    return checked


def set_wipe(area: SwapArea, wipe: Wipe) -> None:
    """Wipe an area from now on, or not any more."""
    wiping.check_wipe(wipe)
    area.namespace.kernel.core.check()
    wiping.begin(area, wipe)


def checkpoint(
    ns: SwapNamespace,
    path: str | os.PathLike[str],
    *,
    kind: Kind = "in-place",
    parent: str | os.PathLike[str] | None = None,
    checksums: bool = True,
) -> None:
    """Checkpoint a namespace; see `swapfast.checkpoint.checkpoint`."""
    from swapfast.checkpoint import checkpoint as write  # half of an import of the package

    ns.kernel.check_usable()
    with named(os.fspath(path)):
        write(ns.kernel, ns, path, kind=kind, parent=parent, checksums=checksums)


class _Table:
    def __init__(self) -> None:
        self.clone = of_task(clone.clone)
        self.unshare = of_task(clone.unshare)
        self.exit = of_task(exit_.exit)
        self.kill = of_task(exit_.kill)
        self.wait = of_task(exit_.wait)
        self.setuid = of_task(clone.setuid)
        self.mmap = of_task(mmap.mmap)
        self.munmap = of_mapping(mmap.munmap)
        self.count = of_mapping(mmap.count)
        self.write = of_mapping(batches.write)
        self.read = of_mapping(batches.read)
        self.touch = of_mapping(batches.touch)
        self.shmget = of_task(shm.shmget)
        self.shmat = of_task(shm.shmat)
        self.shmdt = of_task(shm.shmdt)
        self.shmctl = of_task(shm.shmctl)
        self.swapon = of_task(swapon.swapon)
        self.swapoff = of_task(swapon.swapoff)
        self.set_wipe = set_wipe
        self.checkpoint = checkpoint
        self.enter_group = of_group(cgroup.enter)
        self.close_group = of_group(cgroup.close)
        self.sysinfo = of_task(procfs.sysinfo)
        self.read_proc_swaps = of_task(procfs.read_proc_swaps)


SYSTEM_CALLS: Calls = _Table()
