"""The simulated side of real address spaces.

- ``Simulated``: which task stands for which of them, their pieces, and what happens where no page
  is to be had.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress

from swapfast import flags as f
from swapfast.errors import KernelPanic, TaskKilled, said
from swapfast.kernel.batches import account
from swapfast.kernel.mmap import new_mapping
from swapfast.kernel.oom import no_page
from swapfast.kernel.state import Task
from swapfast.machine import Machine
from swapfast.shell.memory import _moves
from swapfast.shell.memory._mirror import WINDOW_SHIFT, Mirror
from swapfast.shell.memory.fence import SCRATCH
from swapfast.shell.memory.space import Space
from swapfast.units import PAGE_SIZE

__all__ = ["Simulated"]

PAGES = 1 << WINDOW_SHIFT  # of a window


class Simulated:
    """Simulated address spaces beside real ones.

    Parameters
    ----------
    machine : Machine
    say : callable
        Writes a line on the console.

    Attributes
    ----------
    mirror : Mirror
    spaces : dict of int to Space
        By the number of their simulated mm.
    """

    def __init__(self, machine: Machine, say: Callable[[str], None]) -> None:
        self._machine, self._say = machine, say
        self.mirror = Mirror(machine.core, SCRATCH, self._window, self._shortage, self._look)
        self.spaces: dict[int, Space] = {}

    def begin(self, parent: Task, name: str) -> Task:
        """A task for a program that has just been started.

        Raises
        ------
        OSError
            EAGAIN: there are too many.
        """
        return parent.clone(f.SIGCHLD, name)

    def enter(self, space: Space) -> None:
        """A real address space is there."""
        self.mirror.add(space.mm, space.uffd, space.memory, space.pid, space.twin)
        self.spaces[space.mm] = space

    def copy(self, parent: Space, child: Space) -> None:
        """The child's pages are its parent's."""
        self.enter(child)
        for mapping in child.task.mappings:
            number = mapping.addr // PAGE_SIZE >> WINDOW_SHIFT
            self.mirror.window(child.mm, number, mapping.number)
        _moves.copy(self.mirror, parent.mm, child.mm)

    def leave(self, space: Space) -> None:
        """A real address space is no more."""
        self._account(space)
        self._drop(space)
        task = space.task
        if task.alive:
            parent = task.parent
            task.exit()
            if parent is not None and task.state == "zombie":
                with suppress(OSError):
                    parent.wait(task.pid)

    def reap(self) -> None:
        """Programs end whose tasks were killed, or whose memory cannot be reached any more."""
        for space in list(self.spaces.values()):
            if not space.task.alive:
                self._drop(space)
                self._kill(space)
            elif self.mirror.is_lost(space.mm):
                self._say(f"process {space.pid}: its helper was killed, and so is it")
                self.leave(space)
                self._kill(space)

    def kill(self, space: Space, why: str) -> None:
        """A program ends, for it cannot be simulated."""
        self._say(f"process {space.pid} is killed: {why}")
        self._kill(space)

    def _kill(self, space: Space) -> None:
        for pid in {space.pid, *space.members}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _drop(self, space: Space) -> None:
        if self.spaces.get(space.mm) is space:
            del self.spaces[space.mm]
            self.mirror.remove(space.mm)

    def _account(self, space: Space) -> None:
        if space.mm in self.spaces and space.task.alive:
            account(space.task, *self.mirror.counted(space.mm))

    # what the mirror asks

    def _window(self, mm: int, number: int) -> int:
        space = self.spaces[mm]
        address = number * PAGES * PAGE_SIZE
        kernel = self._machine.kernel
        with kernel.changes.of("mmap"):
            return new_mapping(space.task.mm, PAGES, address, name="program").number

    def _look(self) -> None:
        for space in self.spaces.values():
            self._machine.kernel.files.look(space.task.swap_ns.areas)
        self.reap()

    def _shortage(self, mm: int, status: int) -> bool:
        """Somebody dies; whether to try again."""
        space = self.spaces[mm]
        for one in self.spaces.values():
            self._account(one)
            _map_exactly(one)
        try:
            no_page(self._machine.kernel, space.task, status)
        except TaskKilled:
            pass
        except KernelPanic as error:
            self._say(f"Kernel panic: {error}")
            for one in list(self.spaces.values()):
                self._kill(one)
            return False
        except OSError as error:
            self.kill(space, said(error))
            return False
        self.reap()
        return mm in self.spaces


def _map_exactly(space: Space) -> None:
    """The OOM killer sees what is mapped, not the pieces that it lies in."""
    for mapping in space.task.mappings:
        first = mapping.addr
        runs = space.ranges.within(first, first + PAGES * PAGE_SIZE)
        pages = [((a - first) // PAGE_SIZE, (b - first) // PAGE_SIZE) for a, b in runs]
        mapping.ranges = tuple(pages) or ((0, 1),)
