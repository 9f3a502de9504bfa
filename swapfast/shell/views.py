"""Files of /proc as a simulated machine has them, for real processes.

- ``Views``: texts in memory, one for each file and each swap namespace.

Who opens one gets a descriptor of its own, at the beginning, for reading. What is read through it
later is what is so then: the text is replaced when the machine has changed.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from swapfast.kernel.meminfo import render_meminfo
from swapfast.kernel.procfs import render_vmstat, swaps, vmstat
from swapfast.kernel.state import Task

__all__ = ["FILES", "Views"]


def _vmstat(task: Task) -> str:
    return render_vmstat(vmstat(task.kernel))


def _swaps(task: Task) -> str:
    return swaps(task.kernel, task)


FILES: dict[str, Callable[[Task], str]] = {
    "swaps": _swaps,
    "meminfo": render_meminfo,
    "vmstat": _vmstat,
}


class Views:
    """Texts of a machine, in memory."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, int], tuple[int, Task, bytes]] = {}

    def open(self, name: str, task: Task) -> int:
        """A new descriptor of a file as a task sees it.

        Raises
        ------
        OSError
            EMFILE, ENFILE, ENOMEM: this process can have no more.
        """
        key = (name, task.swap_ns.number)
        if key not in self._made:
            fd = os.memfd_create(f"proc-{name}", os.MFD_CLOEXEC)
            os.fchmod(fd, 0o444)
            self._made[key] = (fd, task, b"")
            self._write(key)
        return os.open(f"/proc/self/fd/{self._made[key][0]}", os.O_RDONLY | os.O_CLOEXEC)

    def refresh(self) -> None:
        """The machine has changed: what was opened shows it."""
        for key in list(self._made):
            self._write(key)

    def _write(self, key: tuple[str, int]) -> None:
        fd, task, before = self._made[key]
        text = FILES[key[0]](task).encode("utf-8", "surrogateescape")
        if text != before:
            os.pwrite(fd, text, 0)
            os.ftruncate(fd, len(text))
            self._made[key] = (fd, task, text)

    def forget(self, namespace: int) -> None:
        """A swap namespace is no more."""
        for key in [key for key in self._made if key[1] == namespace]:
            os.close(self._made.pop(key)[0])

    def close(self) -> None:
        """Let all of them go; what others have open stays as it is."""
        for fd, _, _ in self._made.values():
            os.close(fd)
        self._made.clear()
