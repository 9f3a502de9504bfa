"""Real address spaces whose memory is simulated.

- ``Space``: one of them. ``Thread``: who runs in it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field

from swapfast.kernel.state import Task
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
    task : Task
        What stands for it in the simulated machine.
    ranges : Ranges
        What of it is simulated.
    members : set of int
        Threads, and vfork children until they call exec.
    """

    pid: int
    uffd: int
    memory: int
    twin: int
    brk: int
    task: Task
    ranges: Ranges = field(default_factory=Ranges)
    members: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.mm = self.task.mm.number

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
    session : Session
        The shell that it belongs to.
    space : Space or None
        None: it has not called exec since the shell began.
    fenced : bool
        It has the filter.
    """

    tid: int
    session: Session
    space: Space | None = None
    fenced: bool = False
