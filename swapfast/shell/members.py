"""Which process is in which swap namespace: known by its real IPC namespace.

- ``Members``: IPC namespaces and the tasks of the simulated machine that stand for them.
- ``Session``: one shell: its listener, and the task that it began as.

A swap namespace needs an IPC namespace of its own (CLONE_NEWSWAP needs CLONE_NEWIPC), so every
one of them has a real IPC namespace, which fork(2) hands down and which an orphan keeps. An IPC
namespace that was not seen before belongs to the clone3(2) or unshare(2) on the way to it, or
else to whom its ancestors belong to. It is over when no process is in it any more.
"""

from __future__ import annotations

import errno
import os
import select
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from swapfast.kernel.state import Task
from swapfast.shell.caller import born_at, children_of, ipc_inode, parent_of, thread_group

__all__ = ["Members", "Session"]

MOST_ANCESTORS = 64
TICK = 0.02  # seconds; what /proc says of times is rounded


@dataclass(eq=False)
class Session:
    """One shell.

    Attributes
    ----------
    listener : int
        Where its calls come from.
    task : Task
        What it began as.
    inode : int
        The IPC namespace that it began in.
    users : int
        Its user namespace: who has capabilities there has them in the simulated machine.
    root : int or None
        Without a user namespace of its own: the user who is root of the simulated machine.
    """

    listener: int
    task: Task
    inode: int
    users: int
    root: int | None


@dataclass(eq=False)
class Home:
    """An IPC namespace that stands for a swap namespace.

    Attributes
    ----------
    task : Task
    pin : int
        Keeps the namespace, so that its number is not given to another one.
    witness : int
        A descriptor of a process in it.
    """

    task: Task
    pin: int
    witness: int


def _uptime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(eq=False)
class Pending:
    """A clone3 or unshare that the kernel does now.

    Attributes
    ----------
    caller, parent : int
        The thread that calls, and the process whose child it will be (0: none, an unshare).
    before : int
        The caller's IPC namespace.
    task : Task
        What a new IPC namespace stands for.
    since : float
        Seconds since the computer booted.
    mend : callable
        Puts back what was changed in the caller's memory.
    """

    caller: int
    parent: int
    before: int
    task: Task
    mend: Callable[[], None]
    since: float = field(default_factory=_uptime)

    @property
    def alive(self) -> bool:
        """Whether the caller is; a zombie is in no namespace."""
        with suppress(OSError):
            return ipc_inode(self.caller) != 0
        return False


class Members:
    """IPC namespaces and the tasks that stand for them."""

    def __init__(self) -> None:
        self.witnesses = select.epoll()
        self._homes: dict[int, Home] = {}
        self._pending: list[Pending] = []

    @property
    def waiting(self) -> bool:
        """Whether somebody is on the way to a new IPC namespace, so that every call may tell."""
        return any(one.alive for one in self._pending)

    def task_of(self, pid: int, session: Session) -> Task:
        """The task that stands for a process.

        Raises
        ------
        OSError
            The process is gone, or may not be looked at.
        """
        inode = ipc_inode(pid)
        if inode == session.inode:
            return session.task
        home = self._homes.get(inode)
        if home is None:
            found = self._guess(pid, session)
            if isinstance(found, Task):
                return self.settle(pid, inode, found).task
            return self._arrived(found, pid, inode)
        return home.task

    def settle(self, pid: int, inode: int, task: Task) -> Home:
        """From now on the IPC namespace of a process stands for a task.

        Raises
        ------
        OSError
            The process is gone, or is in another one by now.
        """
        pin = os.open(f"/proc/{pid}/ns/ipc", os.O_RDONLY | os.O_CLOEXEC)
        try:
            if os.fstat(pin).st_ino != inode:
                raise OSError(errno.ESRCH, f"process {pid} is another one by now")
            witness = os.pidfd_open(thread_group(pid))
        except BaseException:
            os.close(pin)
            raise
        self.witnesses.register(witness, select.EPOLLIN)
        home = self._homes[inode] = Home(task, pin, witness)
        return home

    def _guess(self, pid: int, session: Session) -> Task | Pending:
        """Whose a new IPC namespace is, by the ancestors of a process in it."""
        child = pid
        for _ in range(MOST_ANCESTORS):
            for one in self._pending:
                if one.parent == 0 and one.caller == child:
                    return one
            parent = parent_of(child)
            for one in self._pending:
                if one.parent == parent:
                    return one
            if parent <= 1:
                break
            try:
                inode = ipc_inode(parent)
            except OSError:
                break
            if inode == session.inode:
                return session.task
            if inode in self._homes:
                return self._homes[inode].task
            child = parent
        return self._pending[0] if self._pending else session.task

    def expect(self, one: Pending) -> None:
        """The kernel is about to make a new IPC namespace."""
        self._pending.append(one)

    def _arrived(self, one: Pending, pid: int, inode: int) -> Task:
        """A process is in a new IPC namespace; while it cannot be settled, it is still expected."""
        home = self.settle(pid, inode, one.task)
        self._forget(one)
        return home.task

    def _forget(self, one: Pending) -> None:
        self._pending.remove(one)
        one.mend()

    def back(self, pid: int) -> None:
        """A thread calls again: what it had asked for is done by now."""
        for one in [p for p in self._pending if p.caller == pid]:
            with suppress(OSError):
                self._look_for(one)
            if one in self._pending:  # refused by the kernel, or over already
                self._forget(one)
                if one.parent and one.task.alive:
                    one.task.exit()

    def _look_for(self, one: Pending) -> None:
        made = [*children_of(one.caller), *children_of(one.parent)] if one.parent else [one.caller]
        for child in made:
            with suppress(OSError):
                inode = ipc_inode(child)
                if inode != one.before and inode not in self._homes:
                    self._arrived(one, child, inode)
                    return

    def forsaken(self) -> list[Task]:
        """Tasks whose process was killed before anything was known of it, and its maker too."""
        lost = [one for one in self._pending if not one.alive]
        born = self._strangers() if lost else []
        over = [one for one in lost if all(start < one.since - TICK for start in born)]
        for one in over:
            self._pending.remove(one)
        return [one.task for one in over if one.parent]

    def _strangers(self) -> list[float]:
        """When processes began that are in IPC namespaces which stand for nothing yet."""
        found = []
        known = {*self._homes, *(one.before for one in self._pending), ipc_inode(os.getpid())}
        for name in filter(str.isdigit, os.listdir("/proc")):
            with suppress(OSError):
                if ipc_inode(int(name)) not in known:
                    found.append(born_at(int(name)))
        return found

    def gone(self) -> list[Task]:
        """Look after IPC namespaces whose witness ended; tasks that nobody is behind any more."""
        over = []
        for fd, _ in self.witnesses.poll(0):
            for inode, home in list(self._homes.items()):
                if home.witness == fd:
                    self.witnesses.unregister(fd)
                    os.close(fd)
                    home.witness = self._other_witness(inode)
                    if home.witness >= 0:
                        self.witnesses.register(home.witness, select.EPOLLIN)
                        continue
                    os.close(home.pin)
                    del self._homes[inode]
                    over.append(home.task)
        return [task for task in over if not self.stands(task)]

    def stands(self, task: Task) -> bool:
        """Whether an IPC namespace stands for a task."""
        return any(home.task is task for home in self._homes.values())

    def _other_witness(self, inode: int) -> int:
        """A descriptor of any process in an IPC namespace; -1: there is none."""
        for _ in range(2):  # one that is born while this looks has a parent that was there before
            for name in os.listdir("/proc"):
                if not name.isdigit():
                    continue
                try:
                    if ipc_inode(int(name)) == inode:
                        return os.pidfd_open(int(name))
                except OSError:
                    continue
        return -1

    def close(self) -> None:
        """Let all descriptors go."""
        for home in self._homes.values():
            os.close(home.pin)
            os.close(home.witness)
        self._homes.clear()
        self.witnesses.close()
