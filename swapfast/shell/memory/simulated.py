"""The simulated side of real address spaces.

- ``Simulated``: which task stands for which of them, their pieces, and what happens where no page
  is to be had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

from swapfast import flags as f
from swapfast.errors import KernelPanic, TaskKilled, said
from swapfast.kernel.batches import account
from swapfast.kernel.mmap import new_mapping
from swapfast.kernel.oom import no_page
from swapfast.kernel.state import Task
from swapfast.machine import Machine
from swapfast.shell.members import Session
from swapfast.shell.memory import _moves, _tracee
from swapfast.shell.memory._faults import Faults
from swapfast.shell.memory._mirror import WINDOW_SHIFT, Mirror
from swapfast.shell.memory.fence import SCRATCH
from swapfast.shell.memory.keeper import WRITE
from swapfast.shell.memory.ranges import Ranges
from swapfast.shell.memory.space import Space, Thread
from swapfast.units import PAGE_SIZE

__all__ = ["Simulated"]

PAGES = 1 << WINDOW_SHIFT  # of a window


class Simulated:
    """Simulated address spaces beside real ones.

    Parameters
    ----------
    machine : Machine
    task_of : callable
        The task that stands for the namespace of a process.
    say : callable
        Writes a line on the console.

    Attributes
    ----------
    faults : Mirror
    spaces : dict of int to Space
        By the number of their simulated mm.
    """

    def __init__(
        self,
        machine: Machine,
        task_of: Callable[[int, Session], Task],
        say: Callable[[str], None],
    ) -> None:
        self._machine, self._task_of, self._say = machine, task_of, say
        self._mirror = Mirror(machine.core, SCRATCH, self._window, self._shortage, self._look)
        self.faults: Faults = self._mirror
        self.spaces: dict[int, Space] = {}
        self._new: dict[int, Task] = {}  # by the number of their mm, until their space is there
        self._tasks: dict[Space, Task] = {}

    def begin(self, thread: Thread) -> int:
        """A task for a program that has just been started.

        Raises
        ------
        OSError
            EAGAIN: there are too many.
        """
        assert thread.session is not None
        parent = self._task_of(thread.tid, thread.session)
        return self._made(parent.clone(f.SIGCHLD, _name(thread.tid)))

    def fork(self, parent: Space, pid: int) -> int:
        """A task for a copy."""
        return self._made(self._tasks[parent].clone(f.SIGCHLD, _name(pid)))

    def _made(self, task: Task) -> int:
        self._new[task.mm.number] = task
        return task.mm.number

    def enter(self, space: Space) -> None:
        """A real address space is there."""
        self._mirror.add(space.mm, space.uffd, space.memory, space.pid, space.twin)
        self.spaces[space.mm] = space
        self._tasks[space] = self._new.pop(space.mm)

    def copy(self, parent: Space, child: Space) -> None:
        """The child's pages are its parent's."""
        self.enter(child)
        for mapping in self._tasks[child].mappings:
            number = mapping.addr // PAGE_SIZE >> WINDOW_SHIFT
            self._mirror.window(child.mm, number, mapping.number)
        _moves.copy(self._mirror, parent.mm, child.mm)

    def leave(self, space: Space, goes_on: bool = False) -> None:
        """A real address space is no more."""
        self._account(space)
        self._drop(space)
        task = self._tasks.pop(space, None)
        if task is not None and task.alive:
            parent = task.parent
            task.exit()
            if parent is not None and task.state == "zombie":
                with suppress(OSError):
                    parent.wait(task.pid)

    def reap(self) -> None:
        """Programs end whose tasks were killed, or whose memory cannot be reached any more."""
        for space in list(self.spaces.values()):
            if not self._tasks[space].alive:
                self._drop(space)
                space.kill()
            elif self._mirror.is_lost(space.mm):
                self._say(f"process {space.pid}: its helper was killed, and so is it")
                self.leave(space)
                space.kill()

    def kill(self, space: Space, why: str) -> None:
        """A program ends, for it cannot be simulated."""
        self._say(f"process {space.pid} is killed: {why}")
        space.kill()

    def _drop(self, space: Space) -> None:
        if self.spaces.get(space.mm) is space:
            del self.spaces[space.mm]
            self._mirror.remove(space.mm)

    def _account(self, space: Space) -> None:
        task = self._tasks.get(space)
        if space.mm in self.spaces and task is not None and task.alive:
            account(task, *self._mirror.counted(space.mm))

    # copies, and what else changes

    def before_copy(self, space: Space, written: Iterable[int]) -> None:
        """Every page is protected, and those which the kernel writes to are there."""
        for address in written:
            self._mirror.fault(space.mm, address, WRITE)
        if space.mm not in self.spaces:
            return
        for first, end in space.ranges:
            _tracee.protect(space.uffd, first, end - first)
        _moves.protect(self._mirror, space.mm)

    def detach(self, space: Space, address: int) -> None:
        """A page that the kernel has copied already is its own here as well."""
        _moves.detach(self._mirror, space.mm, address)

    def is_there(self, space: Space, address: int, write: bool) -> bool:
        """Whether a page can be read, or written, without a fault."""
        return _moves.is_there(self._mirror, space.mm, address, write)

    def forget(self, space: Space, address: int, size: int) -> None:
        """A range is unmapped, or empty again."""
        _moves.forget(self._mirror, space.mm, address, size)

    def move(self, space: Space, address: int, to: int, size: int) -> None:
        """Pages have another address."""
        _moves.move(self._mirror, space.mm, address, to, size)

    def counts(self) -> dict[str, int]:
        """Pages that went to and fro, since it began."""
        return self._mirror.counts()

    # what the mirror asks

    def _window(self, mm: int, number: int) -> int:
        space = self.spaces[mm]
        address = number * PAGES * PAGE_SIZE
        kernel = self._machine.kernel
        with kernel.changes.of("mmap"):
            return new_mapping(self._tasks[space].mm, PAGES, address, name="program").number

    def _look(self) -> None:
        for space in self.spaces.values():
            self._machine.kernel.files.look(self._tasks[space].swap_ns.areas)
        self.reap()

    def _shortage(self, mm: int, status: int) -> bool:
        """Somebody dies; whether to try again."""
        space = self.spaces[mm]
        for one in self.spaces.values():
            self._account(one)
            _map_exactly(self._tasks[one], one.ranges)
        try:
            no_page(self._machine.kernel, self._tasks[space], status)
        except TaskKilled:
            pass
        except KernelPanic as error:
            self._say(f"Kernel panic: {error}")
            for one in list(self.spaces.values()):
                one.kill()
            return False
        except OSError as error:
            self.kill(space, said(error))
            return False
        self.reap()
        return mm in self.spaces


def _map_exactly(task: Task, ranges: Ranges) -> None:
    """The OOM killer sees what is mapped, not the pieces that it lies in."""
    for mapping in task.mappings:
        first = mapping.addr
        runs = ranges.within(first, first + PAGES * PAGE_SIZE)
        pages = [((a - first) // PAGE_SIZE, (b - first) // PAGE_SIZE) for a, b in runs]
        mapping.ranges = tuple(pages) or ((0, 1),)


def _name(pid: int) -> str:
    with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as text:
        return text.read().strip()
