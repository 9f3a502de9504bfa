"""Programs that are recorded by windows, each with a trace in the making.

- ``Windows``: the keeper of their pages.
- ``Process``: what one of them touched.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from swapfast.record._window import Window
from swapfast.record.recording import References
from swapfast.shell.memory._faults import Faults
from swapfast.shell.memory.fence import SCRATCH
from swapfast.shell.memory.keeper import WRITE
from swapfast.shell.memory.space import Space, Thread

__all__ = ["Process", "Windows"]

BATCH_MOST = 32  # pages that go at once: each batch is a system call of the program's twin
PARTS = 2  # of a window; one of them at most goes at once
COMMAND_MOST = 4096  # bytes


@dataclass(frozen=True)
class Process:
    """A process, as the last program that it was.

    Attributes
    ----------
    pid : int
    command : tuple of str
    references : References
    """

    pid: int
    command: tuple[str, ...]
    references: References


class Windows:
    """Keeps pages that are out of the windows of programs; see `swapfast.shell.memory.keeper`.

    Parameters
    ----------
    pages : int
        Of each address space, that are there at most.
    first_writes : bool
        See `References`.
    say : callable
        Told a line about a program that cannot go on.

    Attributes
    ----------
    faults : Window
    spaces : dict of int to Space
    ended : list of Process
        In the order of their ends.
    """

    def __init__(self, pages: int, first_writes: bool, say: Callable[[str], None]) -> None:
        self._window = Window(pages, max(1, min(pages // PARTS, BATCH_MOST)), SCRATCH)
        self._first_writes, self._say = first_writes, say
        self.faults: Faults = self._window
        self.spaces: dict[int, Space] = {}
        self.ended: list[Process] = []
        self._commands: dict[int, tuple[str, ...]] = {}
        self._numbers = 0
        self._closed = False

    @property
    def seen(self) -> int:
        """References so far."""
        return self._window.seen

    def begin(self, thread: Thread) -> int:
        """A program has just been started: a number for its address space."""
        return self._begin(_command(thread.tid))

    def fork(self, parent: Space, pid: int) -> int:
        """The same for a copy."""
        return self._begin(self._commands[parent.mm])

    def _begin(self, command: tuple[str, ...]) -> int:
        self._numbers += 1
        self._window.begin(self._numbers)
        self._commands[self._numbers] = command
        return self._numbers

    def enter(self, space: Space) -> None:
        """An address space is there."""
        self._window.add(space.mm, space.uffd, space.memory, space.pid, space.twin)
        self.spaces[space.mm] = space

    def copy(self, parent: Space, child: Space) -> None:
        """Its pages are those of its parent, and all but the last ones are out."""
        self.enter(child)
        self._window.copy(parent.mm, child.mm)

    def leave(self, space: Space, goes_on: bool = False) -> None:
        """It is no more; what it touched stays, unless its process goes on as another program."""
        if self.spaces.pop(space.mm, None) is None:
            return
        if not self._closed and not goes_on:
            self._keep(space)
        self._window.remove(space.mm)
        self._window.end(space.mm)
        del self._commands[space.mm]

    def _keep(self, space: Space) -> None:
        references = References(0, self._first_writes)
        references.stream.feed(self._window.take(space.mm))
        references.end()
        self.ended.append(Process(space.pid, self._commands[space.mm], references))

    def close(self) -> None:
        """What is still there is not recorded any more."""
        for space in self.spaces.values():
            self._keep(space)
        self._window.close()
        self._closed = True

    def reap(self) -> None:
        """Programs end whose memory cannot be reached any more."""
        for space in list(self.spaces.values()):
            if self._window.is_lost(space.mm):
                self._say(f"process {space.pid}: its helper was killed, and so is it")
                self.leave(space)
                space.kill()

    # copies, and what else changes

    def before_copy(self, space: Space, written: Iterable[int]) -> None:
        """All pages go, so that parent and child begin with an empty window."""
        self._window.empty(space.mm)
        for address in written:
            self._window.fault(space.mm, address, WRITE)

    def detach(self, space: Space, address: int) -> None:
        """Nothing is to be done: pages that are there are the kernel's affair."""

    def is_there(self, space: Space, address: int, write: bool) -> bool:
        """Whether a page is in the window."""
        return self._window.is_there(space.mm, address)

    def forget(self, space: Space, address: int, size: int) -> None:
        """A range is unmapped, or empty again."""
        self._window.forget(space.mm, address, size)

    def move(self, space: Space, address: int, to: int, size: int) -> None:
        """Pages have another address."""
        self._window.move(space.mm, address, to, size)


def _command(pid: int) -> tuple[str, ...]:
    """The program and its arguments, or the first of them."""
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        words = file.read(COMMAND_MOST).removesuffix(b"\0").split(b"\0")
    return tuple(map(os.fsdecode, words))
