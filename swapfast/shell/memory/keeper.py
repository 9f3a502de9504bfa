"""Who decides which pages of real programs are there, and has the bytes of those that are not.

- ``WRITE``: the flag of a fault that writes.
- ``Keeper``: what `swapfast.shell.memory.follow` asks of it: the simulated machine here, a window
  of the last pages in `swapfast.record`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from swapfast.shell.memory._faults import Faults
from swapfast.shell.memory.space import Space, Thread

__all__ = ["WRITE", "Keeper"]

WRITE = 1  # UFFD_PAGEFAULT_FLAG_WRITE


class Keeper(Protocol):
    """Keeps pages that are not there.

    Attributes
    ----------
    faults : Faults
        What answers the programs' faults.
    spaces : dict of int to Space
        Address spaces that take part, by number.
    """

    faults: Faults
    spaces: dict[int, Space]

    def begin(self, thread: Thread) -> int:
        """Whose program has just been started: a number for its address space.

        Raises
        ------
        OSError
            There are too many.
        """

    def fork(self, parent: Space, pid: int) -> int:
        """The same for a copy."""

    def enter(self, space: Space) -> None:
        """An address space is there; nothing of it is watched yet."""

    def copy(self, parent: Space, child: Space) -> None:
        """The same for a copy: its pages are those of its parent."""

    def leave(self, space: Space, goes_on: bool) -> None:
        """It is no more; ``goes_on``: its process runs another program."""

    def reap(self) -> None:
        """Look after programs that cannot go on."""

    def before_copy(self, space: Space, written: Iterable[int]) -> None:
        """It is about to be copied; the kernel will write to these addresses meanwhile."""

    def detach(self, space: Space, address: int) -> None:
        """The kernel has made a copy of a page for who wrote to it, while all was copied."""

    def is_there(self, space: Space, address: int, write: bool) -> bool:
        """Whether a page can be read, or written, without a fault."""

    def forget(self, space: Space, address: int, size: int) -> None:
        """A range is unmapped, or empty again."""

    def move(self, space: Space, address: int, to: int, size: int) -> None:
        """mremap(2): pages have another address, where their next write is a fault."""
