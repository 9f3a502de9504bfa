"""The end of a task: _exit(2), kill(2), wait(2).

- ``exit``, ``kill``, ``wait``: the system calls.
- ``die(task, code, signal)``, ``reap(task)``: memory goes; then the process table's entry does.

The last task of a namespace takes its areas along, and nobody is killed for that. Sources:
kernel/exit.c (do_exit, exit_notify, wait_task_zombie), kernel/signal.c of 2.6.25 and 6.18.
"""

from __future__ import annotations

import errno

from swapfast import flags as f
from swapfast.errors import system_error
from swapfast.kernel import areas, mmap, scopes, segments
from swapfast.kernel.state import Kernel, SwapNamespace, Task

__all__ = ["die", "exit", "kill", "reap", "wait"]


def exit(task: Task, code: int = 0) -> None:
    """End a task by its own will; see `Task.exit`."""
    if task.parent is None:
        raise system_error(errno.EPERM, "init does not exit; drop the machine instead")
    die(task, code & 0xFF, 0)


def kill(task: Task, pid: int, sig: int = f.SIGKILL) -> None:
    """End another; see `Task.kill`."""
    target = task.kernel.tasks.get(pid)
    if target is None:
        raise system_error(errno.ESRCH, f"no process {pid}")
    if not 0 <= sig <= 64:
        raise system_error(errno.EINVAL, f"{sig} is not a signal; they are 0 to 64")
    if task.uid not in (0, target.uid):
        raise system_error(errno.EPERM, f"process {pid} belongs to uid {target.uid}")
    if sig and target.alive and target.parent is not None:
        die(target, 0, sig)


def wait(task: Task, pid: int = -1) -> tuple[int, int, int]:
    """The status of a child that ended; see `Task.wait`."""
    mine = [c for c in task.children if pid in (-1, c.pid)]
    if not mine:
        raise system_error(errno.ECHILD, f"process {task.pid} has no such child")
    for child in mine:
        if child.state == "zombie":
            with task.kernel.changes.of("wait"):
                reap(child)
            return child.pid, child.exit_code, child.term_signal
    return 0, 0, 0


def die(task: Task, code: int, signal: int) -> None:
    """do_exit: memory is freed, children go to init, the parent may wait for the status."""
    with task.kernel.changes.of("exit"):
        _leave(task, code, signal)


def _leave(task: Task, code: int, signal: int) -> None:
    task.state = "zombie"
    task.exit_code, task.term_signal = code, signal
    kernel, init = task.kernel, task.kernel.init
    task.mm.users.discard(task)
    if not task.mm.users:
        mmap.teardown(task.mm, task.pid)
    if task.offspring:
        for child in task.children:
            child.parent = init
            init.offspring[child.pid] = child
            if child.state == "zombie":
                reap(child)
        task.offspring = {}
    task.ipc_ns.tasks -= 1
    if task.ipc_ns.tasks == 0:
        segments.clear(kernel, task.ipc_ns)
    task.swap_ns.tasks -= 1
    if task.swap_ns.tasks == 0:
        _leave_alone(kernel, task.swap_ns)
    if task.parent is init:
        reap(task)


def _leave_alone(kernel: Kernel, ns: SwapNamespace) -> None:
    """The last task of a namespace left: rule ``last_exit``."""
    for area in list(ns.areas):
        area.orphaned = True
        if kernel.rules.last_exit == "swapoff":
            try:
                areas.turn_off(kernel, area, areas.nobody_dies)
            except OSError as error:
                kernel.log.append(f"swapoff of {area.path} at the end of its namespace: {error}")
    if not ns.areas:
        scopes.drop_swap_namespace(kernel, ns)


def reap(task: Task) -> None:
    """release_task: the pid is free."""
    task.state = "dead"
    if task.parent is not None:
        task.parent.offspring.pop(task.pid, None)
    task.kernel.tasks.pop(task.pid, None)
