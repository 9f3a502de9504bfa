"""clone(2), unshare(2), setuid(2): a new task, and what one shares with others.

Sources: clone(2), unshare(2), setuid(2); kernel/fork.c and kernel/nsproxy.c of 2.6.25 and 6.18.
"""

from __future__ import annotations

import errno

from swapfast import flags as f
from swapfast.core import mapping_table
from swapfast.errors import TaskKilled, system_error
from swapfast.kernel import mmap, scopes, segments
from swapfast.kernel.batches import touch
from swapfast.kernel.clone_flags import check_clone_flags, check_clone_rights, check_unshare
from swapfast.kernel.exit import reap
from swapfast.kernel.shared import IpcNamespace
from swapfast.kernel.state import Kernel, Task
from swapfast.kernel.tasks import check_task_limit, new_task

__all__ = ["clone", "setuid", "unshare"]


def clone(task: Task, flags: int = f.SIGCHLD, name: str | None = None) -> Task:
    """A new task; see `Task.clone`."""
    kernel = task.kernel
    check_clone_flags(flags, modern=kernel.profile.modern)
    check_task_limit(task)
    check_clone_rights(
        flags,
        modern=kernel.profile.modern,
        privileged=task.capable(f.CAP_SYS_ADMIN),
        child=not task.swap_ns.initial,
        rules=kernel.rules,
    )
    with kernel.changes.of("clone"):
        child = _make_child(task, flags, name or task.name)
    if flags & f.CLONE_NEWSWAP and kernel.rules.inherited_swap == "swap-in":
        _read_in_inherited(child)
        if not task.alive:
            raise task.killed()
    return child


def _make_child(task: Task, flags: int, name: str) -> Task:
    kernel = task.kernel
    new_swap = bool(flags & f.CLONE_NEWSWAP)
    swap_ns = scopes.new_swap_namespace(kernel) if new_swap else task.swap_ns
    ipc_ns = _new_ipc_namespace(kernel) if flags & f.CLONE_NEWIPC else task.ipc_ns
    try:
        mm = task.mm if flags & f.CLONE_VM else mmap.fork_mm(task.mm, swap_ns)
    except MemoryError as error:
        if new_swap:
            scopes.drop_swap_namespace(kernel, swap_ns)
        raise system_error(errno.ENOMEM, str(error)) from None
    child = new_task(kernel, name, task, mm, swap_ns, ipc_ns)
    child.exit_signal = flags & f.CSIGNAL
    _enter_namespaces(child, flags)
    return child


def _new_ipc_namespace(kernel: Kernel) -> IpcNamespace:
    return IpcNamespace(kernel.new_namespace_number())


def _enter_namespaces(task: Task, flags: int) -> None:
    for flag in (f.CLONE_NEWNS, f.CLONE_NEWUTS, f.CLONE_NEWUSER, f.CLONE_NEWPID, f.CLONE_NEWNET):
        if flags & flag:
            task.namespaces[flag] = task.kernel.new_namespace_number()


def _read_in_inherited(child: Task) -> None:
    try:
        for mapping in child.mappings:
            if not mapping.shared:
                touch(mapping, mapping_table.swapped(child.kernel.core, mapping.number))
    except TaskKilled:
        reap(child)
        raise system_error(
            errno.ENOMEM, "memory could not hold what the child inherits from swap"
        ) from None


def unshare(task: Task, flags: int) -> None:
    """Leave shared parts; see `Task.unshare`."""
    kernel = task.kernel
    check_unshare(
        flags,
        modern=kernel.profile.modern,
        privileged=task.capable(f.CAP_SYS_ADMIN),
        alone=len(task.mm.users) == 1,
    )
    with kernel.changes.of("unshare"):
        _enter_namespaces(task, flags)
        if flags & f.CLONE_NEWIPC:
            left, task.ipc_ns = task.ipc_ns, _new_ipc_namespace(kernel)
            task.ipc_ns.tasks += 1
            left.tasks -= 1
            if left.tasks == 0:
                segments.clear(kernel, left)


def setuid(task: Task, uid: int) -> None:
    """Become another user; see `Task.setuid`."""
    if uid < 0:
        raise system_error(errno.EINVAL, f"{uid} is not a user id")
    if task.uid not in (0, uid):
        raise system_error(errno.EPERM, f"uid {task.uid} may not become {uid}")
    task.uid = uid
    if uid != 0:
        task.capabilities = frozenset()
