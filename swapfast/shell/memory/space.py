"""Real address spaces whose pages come and go.

- ``Space``: one of them. ``Thread``: who runs in it.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field

from swapfast.shell.members import Session
from swapfast.shell.memory.ranges import Ranges

__all__ = ["Call", "Space", "Thread"]

Call = tuple[int, tuple[int, ...]]  # number and arguments


@dataclass(eq=False)
class Space:
    """A real address space.

    Attributes
    ----------
    pid : int
        A process that has it.
    uffd, memory : int
        Its userfaultfd, and /proc/PID/mem.
    twin : int
        A process that shares it, is always stopped, and makes calls in it.
    brk : int
        Where its heap ends.
    mm : int
        Its number, given by who keeps its pages.
    ranges : Ranges
        What of it is watched.
    members : set of int
        Threads, and vfork children until they call exec.
    """

    pid: int
    uffd: int
    memory: int
    twin: int
    brk: int
    mm: int
    ranges: Ranges = field(default_factory=Ranges)
    members: set[int] = field(default_factory=set)

    def kill(self) -> None:
        """All who are in it end."""
        for pid in {self.pid, *self.members}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def close(self) -> None:
        """Let its descriptors go."""
        for fd in (self.uffd, self.memory):
            with suppress(OSError):
                os.close(fd)


@dataclass(eq=False)
class Thread:
    """A thread that is traced.

    Attributes
    ----------
    tid : int
    session : Session or None
        The shell that it belongs to, if it belongs to one.
    space : Space or None
        None: it has not called exec since the shell began.
    fenced : bool
        It has the filter.
    """

    tid: int
    session: Session | None
    space: Space | None = None
    fenced: bool = False
