"""The machine that is asked: its files under /proc and /sys, read and never written here.

- ``Host``: a root folder, who runs, and questions with one answer each.
- ``Group``: the files of a memory control group, v1 or v2.

Tests give another root, with a tree of plain files in it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from swapfast.running import V2, Running, running

__all__ = ["Group", "Host", "read_table"]

KERNEL = ("kernel_stack", "pagetables", "sec_pagetables", "percpu", "sock", "vmalloc", "slab")


@dataclass(frozen=True, slots=True)
class Group:
    """A memory control group: its folder, and what its files are called.

    Source: Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst.
    """

    path: Path
    version: int

    @property
    def limit(self) -> Path:
        """Bytes that the group may use."""
        return self.path / ("memory.max" if self.version == 2 else "memory.limit_in_bytes")

    @property
    def events(self) -> Path:
        """Has a line "oom_kill N"."""
        return self.path / ("memory.events" if self.version == 2 else "memory.oom_control")

    @property
    def stat(self) -> Path:
        """The statistics; reading them makes the kernel bring them up to date."""
        return self.path / "memory.stat"

    @property
    def tasks(self) -> Path:
        """A process that writes 0 here moves itself into the group."""
        return self.path / "cgroup.procs"

    @property
    def peak(self) -> Path:
        """Bytes that the group used at most."""
        return self.path / ("memory.peak" if self.version == 2 else "memory.max_usage_in_bytes")

    def child(self, path: str) -> Group:
        """The group ``path`` below this one."""
        return Group(self.path / path.strip("/"), self.version)

    def charged(self) -> int:
        """Bytes that the statistics know of: pages, and the kernel's own for the group.

        Those of groups below count too. ``memory.current`` would count what CPUs took in advance
        as well.

        Raises
        ------
        OSError
            No such file.
        KeyError
            The statistics of this kernel lack a name.
        """
        stat = read_table(self.stat)
        if self.version == 2:
            kernel = stat.get("kernel")  # since Linux 5.18
            if kernel is None:
                kernel = sum(stat.get(name, 0) for name in KERNEL)
            return stat["anon"] + stat["file"] + kernel
        kernel = int((self.path / "memory.kmem.usage_in_bytes").read_text())
        return stat["total_rss"] + stat["total_cache"] + kernel


def read_table(path: Path) -> dict[str, int]:
    """Lines "name number" as a dict; other lines are left out."""
    pairs = (line.split() for line in path.read_text().splitlines())
    return {p[0].rstrip(":"): int(p[1]) for p in pairs if len(p) >= 2 and p[1].isdigit()}


def _free_disk(path: Path) -> int:
    return shutil.disk_usage(path).free


@dataclass(frozen=True, slots=True)
class Host:
    """Where to look.

    Parameters
    ----------
    root : path
        Folder with ``proc`` and ``sys``.
    uid : int
        Effective user.
    page_size : int
        Bytes.
    cpus : tuple of int
        Processors that this process may use.
    free_disk : callable
        Free bytes of the file system that holds a folder.
    """

    root: Path = Path("/")
    uid: int = field(default_factory=os.geteuid)
    page_size: int = field(default_factory=lambda: os.sysconf("SC_PAGE_SIZE"))
    cpus: tuple[int, ...] = field(default_factory=lambda: tuple(sorted(os.sched_getaffinity(0))))
    free_disk: Callable[[Path], int] = _free_disk

    def path(self, name: str) -> Path:
        """The file ``/name`` of this host."""
        return self.root / name

    def text(self, name: str) -> str | None:
        """What is in the file ``/name``, stripped; None when there is no such file."""
        try:
            return self.path(name).read_text().strip()
        except OSError:
            return None

    def running(self) -> Running:
        """Which kernel runs here.

        Raises
        ------
        ValueError
            lru_gen/enabled says what no kernel does.
        """
        return running(self.root)

    def group(self, name: str) -> Group | None:
        """A group of that name below the memory controller's root; None: there is no controller."""
        version = self.running().cgroup
        if version == 1:
            return Group(self.path(f"sys/fs/cgroup/memory/{name}"), 1)
        control = self.control()
        return None if control is None else Group(control.parent / name, 2)

    def control(self) -> Path | None:
        """cgroup v2: the file that gives controllers to the groups below the root."""
        for folder in V2:
            if "memory" in (self.text(f"{folder}/cgroup.controllers") or "").split():
                return self.path(f"{folder}/cgroup.subtree_control")
        return None

    def limits_swap(self) -> bool | None:
        """Whether groups have a limit of swap, too; None: no group is there to see it in."""
        version = self.running().cgroup
        if version == 1:
            return self.path("sys/fs/cgroup/memory/memory.memsw.limit_in_bytes").exists()
        control = self.control()
        below = sorted(control.parent.glob("*/memory.max")) if control is not None else []
        return below[0].with_name("memory.swap.max").exists() if below else None

    def swaps(self) -> list[str]:
        """Swap areas that are on, as /proc/swaps names them."""
        lines = (self.text("proc/swaps") or "").splitlines()[1:]
        return [line.split()[0] for line in lines if line.strip()]

    def available(self) -> int:
        """MemAvailable in bytes; 0 when unknown."""
        try:
            return read_table(self.path("proc/meminfo")).get("MemAvailable", 0) * 1024
        except OSError:
            return 0

    def file_system(self, folder: Path) -> str:
        """Type of the file system that ``folder`` is on; "unknown" when no mount is found."""
        where = os.path.realpath(folder)
        best, kind = -1, "unknown"
        for line in (self.text("proc/self/mounts") or "").splitlines():
            parts = line.split()
            if len(parts) < 3:
                continue
            point = parts[1].encode().decode("unicode_escape")  # a blank is written \040
            inside = where == point or where.startswith(point.rstrip("/") + "/")
            if inside and len(point) >= best:  # the later of two mounts on one point is on top
                best, kind = len(point), parts[2]
        return kind
