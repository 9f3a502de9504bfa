"""The memory of real programs is that of a simulated machine.

- ``Memory``: what the machine's process holds of it. ``check()``: whether this system allows it.

All is done by one thread: faults, stops and calls are waited for together.
"""

from __future__ import annotations

import errno
import os
import select
import signal
from array import array
from collections.abc import Callable
from contextlib import suppress

from swapfast.errors import system_error
from swapfast.kernel.state import Task
from swapfast.machine import Machine
from swapfast.shell.members import Session
from swapfast.shell.memory import _tracee
from swapfast.shell.memory.follow import Follower
from swapfast.shell.memory.signals import ChildSignals
from swapfast.shell.memory.simulated import Simulated

__all__ = ["Memory", "check"]

MEND = "run it as root, or allow it with: sysctl vm.unprivileged_userfaultfd=1"


def check(what: str = "--own-memory") -> None:
    """Whether pages of programs can be taken away here.

    Parameters
    ----------
    what : str
        What that is wanted for.

    Raises
    ------
    OSError
        ENOSYS, EPERM, EINVAL: it cannot, and what would help.
    """
    if not _tracee.KNOWN:
        raise system_error(errno.ENOSYS, f"{what} is there on x86-64 only")
    try:
        fd = _tracee.user_faults()
    except OSError as error:
        if error.errno == errno.ENOSYS:
            raise system_error(
                errno.ENOSYS, f"{what} needs a kernel with CONFIG_USERFAULTFD"
            ) from None
        raise system_error(
            error.errno or errno.EPERM,
            f"{what} needs userfaultfd(2) for the kernel's own "
            f"accesses, too, which is not allowed here; {MEND}",
        ) from None
    try:
        _tracee.open_faults(fd)
    except OSError:
        raise system_error(
            errno.EINVAL,
            f"{what} needs Linux 5.7 or newer: a userfaultfd that protects pages from writes",
        ) from None
    finally:
        os.close(fd)


class Memory:
    """Programs whose memory is simulated.

    Parameters
    ----------
    machine : Machine
    task_of : callable
        The task that stands for the namespace of a process.
    say : callable
        Writes a line on the console.
    changed : callable
        Called when the machine has something to tell.

    Raises
    ------
    OSError
        As `check`.
    """

    def __init__(
        self,
        machine: Machine,
        task_of: Callable[[int, Session], Task],
        say: Callable[[str], None],
        changed: Callable[[], None],
    ) -> None:
        check()
        self._machine, self._changed = machine, changed
        self._simulated = Simulated(machine, task_of, say)
        self._follower = Follower(self._simulated, say)
        self._outer = select.epoll()
        self._watched: set[int] = set()
        self._signals: ChildSignals | None = None
        self._told = 0

    def follow(self, pid: int, session: Session) -> None:
        """A shell takes part, before it runs its command.

        Raises
        ------
        OSError
            EPERM: it may not be traced.
        """
        if self._signals is None:  # not before: what is forked would block them as well
            self._signals = ChildSignals()
            _tracee.adopt_orphans()
            self._simulated.faults.watch(self._signals.fileno())
            self._simulated.faults.watch(self._outer.fileno())
        self._follower.follow(pid, session)

    def until_ready(self, fds: array[int]) -> None:
        """Do what programs wait for, until one of these descriptors is ready."""
        self._watch(set(fds))
        while True:
            self._follow()
            if self._outer.poll(0):
                return
            self._simulated.faults.serve()

    def _follow(self) -> None:
        if self._signals is not None:
            self._signals.read()
        self._follower.stops()
        self._simulated.reap()
        if len(self._machine.log) != self._told:
            self._told = len(self._machine.log)
            self._changed()

    def _watch(self, fds: set[int]) -> None:
        for fd in self._watched - fds:
            with suppress(OSError):  # closed, and so not watched any more
                self._outer.unregister(fd)
        for fd in fds - self._watched:
            self._outer.register(fd, select.EPOLLIN)
        self._watched = fds

    def bring_in(self, pid: int, arguments: tuple[int, ...], write: bool) -> None:
        """What a call points to can be looked into, which would wait for ever otherwise.

        Parameters
        ----------
        pid : int
            Who calls.
        arguments : tuple of int
            Of its call.
        write : bool
            It can be written as well.
        """
        self._follower.bring_in(pid, arguments, write)

    def status(self, pid: int) -> int:
        """Of a shell that has ended, or that is about to."""
        while pid not in self._follower.ended:
            self._follow()
            if pid not in self._follower.ended:
                self._simulated.faults.serve(100)
        return self._follower.ended.pop(pid)

    def counts(self) -> dict[str, int]:
        """Pages that went to and fro, since it began."""
        return self._simulated.counts()

    def close(self) -> None:
        """All programs end."""
        for space in list(self._simulated.spaces.values()):
            for pid in (space.pid, space.twin):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._outer.close()
