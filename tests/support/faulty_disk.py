"""A disk that fails at one of its calls."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from swapfast.checkpoint.disk import Disk


@dataclass
class FaultyDisk(Disk):
    """Fails at one of its calls, before it was done or after."""

    at: int
    code: int
    after: bool = False
    calls: list[str] = field(default_factory=list)

    def _call(self, what: str) -> bool:
        self.calls.append(what)
        return len(self.calls) - 1 == self.at

    def _fail(self) -> OSError:
        return OSError(self.code, os.strerror(self.code))

    def create(self, path: str) -> int:
        if self._call("create"):
            raise self._fail()
        return super().create(path)

    def write(self, fd: int, data: bytes | memoryview, at: int) -> None:
        if self._call("write"):
            super().write(fd, memoryview(data)[: len(data) // 2] if not self.after else data, at)
            raise self._fail()
        super().write(fd, data, at)

    def allocate(self, fd: int, size: int) -> None:
        if self._call("allocate"):
            raise self._fail()
        super().allocate(fd, size)

    def clone(self, source: int, start: int, size: int, fd: int, at: int) -> bool:
        if self._call("clone"):
            raise self._fail()
        return super().clone(source, start, size, fd, at)

    def sync(self, fd: int) -> None:
        if self._call("sync"):
            raise self._fail()
        super().sync(fd)

    def sync_data(self, fd: int) -> None:
        if self._call("sync_data"):
            raise self._fail()
        super().sync_data(fd)

    def rename(self, source: str, target: str) -> None:
        failing = self._call("rename")
        if not failing or self.after:
            super().rename(source, target)
        if failing:
            raise self._fail()

    def sync_folder(self, path: str) -> None:
        if self._call("sync_folder"):
            raise self._fail()
        super().sync_folder(path)
