"""A machine at the moment before a system call, for rows of a table of errors."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import swapfast as sf
from tests.support.swapfiles import PAGE, swapfile


class World:
    """``init`` and ``nobody`` on a machine; ``s`` and ``t``, swapfiles that are off.

    What a row sets up is kept under a name: ``w.has(heap=w.init.mmap(PAGE))``, then ``w.heap``.
    """

    def __init__(
        self, folder: Path, profile: str, patch: pytest.MonkeyPatch, memory: str, **options: Any
    ) -> None:
        self.folder, self.patch, self.profile = folder, patch, profile
        self.machine = sf.Machine(memory, profile, **options)
        self.init = self.machine.init
        self.nobody = self.init.fork("nobody")
        self.s, self.t = swapfile(folder / "s"), swapfile(folder / "t")
        self.none = folder / "none"

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"no row has set up {name!r}")

    def has(self, **things: Any) -> None:
        """Keep things for the call."""
        self.__dict__.update(things)

    def make(self, name: str, pages: int = 20) -> Path:
        """One more swapfile that is off."""
        return swapfile(self.folder / name, pages)

    def files(self) -> tuple[Path, ...]:
        """What a call must leave alone."""
        return tuple(sorted(p for p in self.folder.iterdir() if p.is_file()))

    def area_of(self, number: int) -> Any:
        """The swap area with this number, or None."""
        return self.machine.areas.get(number)

    def forks(self, count: int) -> None:
        """Until there are so many tasks."""
        while len(self.machine.tasks) < count:
            self.init.fork()

    def segment(self, key: int = 5, size: int = PAGE, mode: int = 0o600) -> int:
        """A new segment of System V shared memory."""
        return self.init.shmget(key, size, sf.IPC_CREAT | mode)

    def opening_fails(self, code: int, call: Callable[[], object]) -> None:
        """Call it while files cannot be opened for writing."""
        really = os.open

        def refuse(name: Any, flags: int, *rest: Any, **more: Any) -> int:
            if flags & os.O_RDWR:
                raise OSError(code, os.strerror(code))
            return really(name, flags, *rest, **more)

        self.patch.setattr(os, "open", refuse)
        try:
            call()
        finally:
            self.patch.undo()

    def no_room(self, space: Any, call: Callable[[], object], runs: int = 0) -> None:
        """Call it while an index space has so many runs left."""
        take, taken = space.take, 0

        def limited(n: int) -> int:
            nonlocal taken
            taken += 1
            if taken > runs:
                raise MemoryError(f"no run of {n} is left")
            found: int = take(n)
            return found

        self.patch.setattr(space, "take", limited)
        try:
            call()
        finally:
            self.patch.undo()


def set_word(path: Path, at: int, value: int) -> None:
    """Write a word into a file: of a header, say."""
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(struct.pack("=I", value))


def sparse(path: Path) -> None:
    """A file without blocks behind its header."""
    size = path.stat().st_size
    with open(path, "r+b") as file:
        file.truncate(PAGE)
        file.truncate(size)
