"""A task enters the kernel's tables.

- ``new_task``: into the tables, below its parent.
- ``check_task_limit``: how many there may be.

Source: kernel/fork.c (copy_process, fork_init) of 2.6.25 and 6.18.
"""

from __future__ import annotations

import errno

from swapfast import flags as f
from swapfast.errors import system_error
from swapfast.kernel.shared import IpcNamespace
from swapfast.kernel.state import Kernel, Mm, SwapNamespace, Task

__all__ = ["check_task_limit", "new_task"]


def new_task(
    kernel: Kernel,
    name: str,
    parent: Task | None,
    mm: Mm,
    swap_ns: SwapNamespace,
    ipc_ns: IpcNamespace,
) -> Task:
    """Enter a task; who calls has done the checks."""
    task = Task(kernel, kernel.next_pid, name, parent, mm, swap_ns, ipc_ns, kernel.core.now)
    mm.users.add(task)
    swap_ns.tasks += 1
    ipc_ns.tasks += 1
    kernel.next_pid += 1
    kernel.tasks[task.pid] = task
    if parent is not None:
        task.uid, task.capabilities = parent.uid, parent.capabilities
        task.namespaces = dict(parent.namespaces)
        parent.offspring[task.pid] = task
    return task


def check_task_limit(task: Task) -> None:
    """Refuse a clone beyond max_threads, or RLIMIT_NPROC of an unprivileged user.

    Raises
    ------
    OSError
        EAGAIN (kernel/fork.c, copy_process; the limits of fork_init).
    """
    kernel = task.kernel
    most = max(20, kernel.options.pages // 16)
    if len(kernel.tasks) >= most:
        raise system_error(errno.EAGAIN, f"{most} tasks are the most for this memory")
    if task.uid and not task.capable(f.CAP_SYS_RESOURCE):
        mine = sum(t.uid == task.uid for t in kernel.tasks.values())
        if mine >= most // 2:
            raise system_error(errno.EAGAIN, f"uid {task.uid} has {mine} tasks (RLIMIT_NPROC)")
