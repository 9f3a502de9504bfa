"""The table of system calls: what a program may ask a kernel for, one line a call.

- ``SystemCalls``: the signatures. A task, a mapping or a namespace knows this table and no module
  above it; `swapfast.syscalls` fills it in. A test may hand in one of its own.
- ``GroupCalls``: those of memory groups.

The nouns are type variables here, so that the table lies below them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol, TypeVar

from swapfast.kernel.records import Kind, ShmidDs, SysInfo, Wipe

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["GroupCalls", "SystemCalls"]

Kernel = TypeVar("Kernel", contravariant=True)
Task = TypeVar("Task")
Mapping = TypeVar("Mapping")
Area = TypeVar("Area", contravariant=True)
Namespace = TypeVar("Namespace", contravariant=True)
Group = TypeVar("Group", contravariant=True)
Entering = TypeVar("Entering", contravariant=True)  # a task, where nothing returns one
Path = str | os.PathLike[str]
Bytes = bytes | bytearray | memoryview


class GroupCalls(Protocol[Kernel, Entering, Group]):
    """The part about memory groups: cgroup.py."""

    def enter_group(self, group: Group, /, task: Entering) -> None:
        """Write a pid to cgroup.procs."""

    def close_group(self, kernel: Kernel, group: Group, /) -> None:
        """Forget a group that has only a limit."""

    def rmdir_group(self, kernel: Kernel, group: Group, /) -> None:
        """rmdir(2) of a cgroup."""

    def list_group(self, kernel: Kernel, group: Group, /) -> list[str]:
        """List the directory of a cgroup."""

    def read_group(self, kernel: Kernel, group: Group, /, name: str) -> str:
        """Read a file of a cgroup."""

    def write_group(self, kernel: Kernel, group: Group, /, name: str, text: str) -> None:
        """Write to a file of a cgroup."""

    def reclaim_group(self, kernel: Kernel, group: Group, /, pages: int) -> int:
        """What a write to memory.reclaim frees."""


class SystemCalls(
    GroupCalls[Kernel, Task, Group], Protocol[Kernel, Task, Mapping, Area, Namespace, Group]
):
    """What each does is told by the method of the noun that has its name."""

    # clone.py, exit.py

    def clone(self, task: Task, /, flags: int, name: str | None) -> Task:
        """clone(2), fork(2)."""

    def unshare(self, task: Task, /, flags: int) -> None:
        """unshare(2)."""

    def exit(self, task: Task, /, code: int) -> None:
        """_exit(2)."""

    def kill(self, task: Task, /, pid: int, sig: int) -> None:
        """kill(2)."""

    def wait(self, task: Task, /, pid: int) -> tuple[int, int, int]:
        """waitpid(2)."""

    def setuid(self, task: Task, /, uid: int) -> None:
        """setuid(2)."""

    # mmap.py, batches.py

    def mmap(
        self, task: Task, /, length: int | str, *, shared: bool, readonly: bool, name: str
    ) -> Mapping:
        """mmap(2)."""

    def munmap(self, mapping: Mapping, /, offset: int, length: int | None) -> None:
        """munmap(2)."""

    def count(self, mapping: Mapping, /) -> tuple[int, int, int]:
        """Pages by state, as mincore(2)."""

    def write(self, mapping: Mapping, /, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Store bytes."""

    def read(self, mapping: Mapping, /, offset: int, length: int) -> bytes:
        """Load bytes."""

    def touch(
        self,
        mapping: Mapping,
        /,
        pages: ArrayLike | slice | None,
        write: bool | ArrayLike,
        *,
        tag: str | None,
    ) -> None:
        """Reference pages."""

    # shm.py

    def shmget(self, task: Task, /, key: int, size: int, flags: int) -> int:
        """shmget(2)."""

    def shmat(self, task: Task, /, shmid: int, *, readonly: bool) -> Mapping:
        """shmat(2)."""

    def shmdt(self, task: Task, /, mapping: Mapping) -> None:
        """shmdt(2)."""

    def shmctl(self, task: Task, /, shmid: int, command: int) -> ShmidDs | None:
        """shmctl(2)."""

    # swapon.py, wiping.py, checkpoint/

    def swapon(self, task: Task, /, path: Path, flags: int, *, wipe: Wipe) -> None:
        """swapon(2)."""

    def swapoff(self, task: Task, /, path: Path) -> None:
        """swapoff(2)."""

    def set_wipe(self, area: Area, /, wipe: Wipe) -> None:
        """Wipe an area from now on, or not any more."""

    def checkpoint(
        self, ns: Namespace, /, path: Path, *, kind: Kind, parent: Path | None, checksums: bool
    ) -> None:
        """Write an image of a namespace."""

    # procfs.py

    def sysinfo(self, task: Task, /) -> SysInfo:
        """sysinfo(2)."""

    def read_proc_swaps(self, task: Task, /) -> str:
        """Read /proc/swaps."""
