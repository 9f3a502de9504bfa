"""Memory groups as people hold them.

- ``MemoryGroup``: a limit, and nothing else.
- ``Cgroup``: a directory of cgroup v2 with its files. ``Limits``: those that take an amount.

Sources: Documentation/admin-guide/cgroup-v2.rst, mm/memcontrol.c (memory_files, swap_files) of
6.18.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypedDict, overload

from swapfast.core import memcg_table
from swapfast.kernel.groups import GroupRow
from swapfast.kernel.state import Kernel, Task
from swapfast.units import PAGE_SIZE, parse_size

__all__ = ["LIMITS", "Amount", "Cgroup", "Limits", "MemoryGroup", "text_of"]

#: What takes an amount, and its file, in the order in which several are set: memory.max kills.
LIMITS = {
    "min": "memory.min",
    "low": "memory.low",
    "swap_max": "memory.swap.max",
    "swap_high": "memory.swap.high",
    "high": "memory.high",
    "max": "memory.max",
}

Amount = int | str | None  # bytes, "64MiB", None: no limit


class Limits(TypedDict, total=False):
    """Amounts by name; None is "max"."""

    min: Amount
    low: Amount
    swap_max: Amount
    swap_high: Amount
    high: Amount
    max: Amount


def text_of(amount: Amount) -> str:
    """What is written to a file for an amount.

    Raises
    ------
    ValueError
        Not a size.
    """
    return "max" if amount is None or amount == "max" else str(parse_size(amount))


class MemoryGroup:
    """A set of tasks with a limit on the pages they hold in memory.

    Attributes
    ----------
    row : GroupRow
        Its place among the others.
    number : int
        Its number in the core.
    """

    def __init__(self, kernel: Kernel, row: GroupRow) -> None:
        self.kernel, self.row, self.number = kernel, row, row.number

    @property
    def policy(self) -> str:
        """Its replacement policy."""
        return memcg_table.info(self.kernel.core, self.number)["policy"]

    def add(self, task: Task) -> None:
        """Charge what the task's address space maps from now on to this group.

        What it has mapped already stays where it is, as in Linux without move_charge.
        """
        self.kernel.ask().enter_group(self.row, task)

    @property
    def max(self) -> int:
        """The limit in bytes, 0 for none."""
        return memcg_table.info(self.kernel.core, self.number)["limit"] * PAGE_SIZE

    @property
    def current(self) -> int:
        """Bytes in memory that are charged here."""
        return memcg_table.info(self.kernel.core, self.number)["usage"] * PAGE_SIZE

    def close(self) -> None:
        """Forget the group; nothing may be charged to it any more.

        Raises
        ------
        ValueError
            Mappings are still charged to it, or tasks are in it.
        """
        self.kernel.ask().close_group(self.kernel, self.row)


class _Limit:
    """An attribute of a cgroup that is an amount: bytes, or None for "max"."""

    def __set_name__(self, _: object, name: str) -> None:
        self.file = LIMITS[name]

    @overload
    def __get__(self, cgroup: None, _: object) -> _Limit: ...
    @overload
    def __get__(self, cgroup: Cgroup, _: object) -> int | None: ...
    def __get__(self, cgroup: Cgroup | None, _: object) -> int | _Limit | None:
        if cgroup is None:
            return self
        text = cgroup[self.file].strip()
        return None if text == "max" else int(text)

    def __set__(self, cgroup: Cgroup, amount: Amount) -> None:
        cgroup[self.file] = text_of(amount)


class Cgroup(MemoryGroup):
    """A cgroup of version 2: made by `Machine.cgroup`, never directly.

    Its files are read and written as items: ``cgroup["memory.high"] = "64M"``, and
    ``cgroup["memory.high"]`` is the text that Linux prints. Iteration gives their names. What is
    asked most is an attribute, too; amounts are bytes there, and None is "max".

    Attributes
    ----------
    max, high : int or None
        memory.max and memory.high. Both reclaim when they are set below what is used, and a max
        that cannot be reached kills.
    low, min : int or None
        memory.low and memory.min: what reclaim from above leaves alone, if it can, or anyway.
    swap_max, swap_high : int or None
        memory.swap.max and memory.swap.high. Nothing is read back when they are set.

    Notes
    -----
    Two objects of the same cgroup are equal. Errors are those of the file system: ENOENT if there
    is no such file, or if the cgroup was removed; EINVAL for a text that the file does not take.
    """

    min = _Limit()
    low = _Limit()
    high = _Limit()
    swap_max = _Limit()
    swap_high = _Limit()
    max = _Limit()  # type: ignore[assignment]  # 0 is a limit here

    @property
    def path(self) -> str:
        """From the root of all cgroups, which is "/"."""
        return self.row.path

    @property
    def parent(self) -> Cgroup | None:
        """The one above; the root has none."""
        return None if self.row.parent is None else Cgroup(self.kernel, self.row.parent)

    @property
    def children(self) -> dict[str, Cgroup]:
        """Those right below by name, in order of creation."""
        return {name: Cgroup(self.kernel, row) for name, row in self.row.children.items()}

    def __getitem__(self, name: str) -> str:
        return self.kernel.ask().read_group(self.kernel, self.row, name)

    def __setitem__(self, name: str, text: str | int) -> None:
        self.kernel.ask().write_group(self.kernel, self.row, name, str(text))

    def __iter__(self) -> Iterator[str]:
        return iter(self.kernel.ask().list_group(self.kernel, self.row))

    def add(self, task: Task) -> None:
        """Write a task's pid to cgroup.procs: what it maps from now on is charged here.

        What it has mapped already stays where it is, as in Linux.

        Raises
        ------
        OSError
            EBUSY: this cgroup has children, and is not the root; ESRCH: the task is dead.
        """
        self["cgroup.procs"] = task.pid

    @property
    def current(self) -> int:
        """memory.current: bytes in memory, of all below too."""
        return int(self["memory.current"])

    @property
    def peak(self) -> int:
        """memory.peak: the most that `current` has been."""
        return int(self["memory.peak"])

    @property
    def swap_current(self) -> int:
        """memory.swap.current: bytes in swap, of all below too."""
        return int(self["memory.swap.current"])

    @property
    def swap_peak(self) -> int:
        """memory.swap.peak: the most that `swap_current` has been."""
        return int(self["memory.swap.peak"])

    @property
    def oom_group(self) -> bool:
        """memory.oom.group: whether all tasks in it and below die when one has to."""
        return self["memory.oom.group"] == "1\n"

    @oom_group.setter
    def oom_group(self, together: bool) -> None:
        self["memory.oom.group"] = int(together)

    @property
    def events(self) -> dict[str, int]:
        """memory.events: low, high, max, oom, oom_kill, oom_group_kill; of all below too."""
        return _counts(self["memory.events"])

    @property
    def swap_events(self) -> dict[str, int]:
        """memory.swap.events: high, max, fail; of all below too."""
        return _counts(self["memory.swap.events"])

    def stat(self) -> dict[str, int]:
        """memory.stat: sizes in bytes and counts, of all below too, as far as they are known."""
        return _counts(self["memory.stat"])

    def reclaim(self, size: int | str) -> int:
        """Free memory of this cgroup and of all below it, as a write to memory.reclaim.

        Parameters
        ----------
        size : int or str
            Bytes, or "64MiB", rounded down to pages.

        Returns
        -------
        int
            Bytes that were freed: fewer, where the file says EAGAIN, or a few more.
        """
        pages = parse_size(size) // PAGE_SIZE
        return self.kernel.ask().reclaim_group(self.kernel, self.row, pages) * PAGE_SIZE

    def close(self) -> None:
        """rmdir(2): the one above keeps what it counted.

        Raises
        ------
        OSError
            EBUSY: it has tasks or children, is the root, or something is still charged to it.
        """
        self.kernel.ask().rmdir_group(self.kernel, self.row)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cgroup) and self.row is other.row

    def __hash__(self) -> int:
        return hash(self.row)

    def __repr__(self) -> str:
        return f"<Cgroup {self.path}{' (removed)' if self.row.gone else ''}>"


def _counts(text: str) -> dict[str, int]:
    return {name: int(number) for name, number in map(str.split, text.splitlines())}
