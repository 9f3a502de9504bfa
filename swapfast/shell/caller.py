"""Who calls: what /proc says of a process.

- ``Rights``: user, groups and capabilities of a caller, as they are at this call.
- ``ipc_inode(pid)``, ``parent_of(pid)``, ``children_of(pid)``: where it belongs.

What it means by a path is `swapfast.shell.places`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from swapfast import flags as f

__all__ = [
    "Rights",
    "children_of",
    "ipc_inode",
    "parent_of",
    "thread_group",
]


def ipc_inode(pid: int) -> int:
    """The IPC namespace of a process, by its number."""
    return os.stat(f"/proc/{pid}/ns/ipc").st_ino


def fields(pid: int, names: tuple[str, ...]) -> list[list[str]]:
    """Some lines of /proc/PID/status, as words."""
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as lines:
        found = {key: rest.split() for key, _, rest in (line.partition(":") for line in lines)}
    return [found.get(name, []) for name in names]


def parent_of(pid: int) -> int:
    """The process that made it, or adopted it."""
    return int(fields(pid, ("PPid",))[0][0])


def thread_group(pid: int) -> int:
    """The process that a thread belongs to."""
    return int(fields(pid, ("Tgid",))[0][0])


def children_of(pid: int) -> list[int]:
    """What a thread has forked; nothing where the kernel does not say so."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as text:
            return [int(word) for word in text.read().split()]
    except OSError:
        return []


@dataclass(frozen=True)
class Rights:
    """What a caller may do.

    Attributes
    ----------
    name : str
        comm.
    uid, fsuid, fsgid : int
        Effective user; user and group at files.
    groups : tuple of int
    capabilities : int
        CapEff.
    users : int
        Its user namespace, in which it has them.
    """

    name: str
    uid: int
    fsuid: int
    fsgid: int
    groups: tuple[int, ...]
    capabilities: int
    users: int

    @classmethod
    def of(cls, pid: int) -> Rights:
        """Those that a process has now."""
        names = ("Name", "Uid", "Gid", "Groups", "CapEff")
        name, uids, gids, groups, caps = fields(pid, names)
        return cls(
            " ".join(name),
            int(uids[1]),
            int(uids[3]),
            int(gids[3]),
            tuple(map(int, groups)),
            int(caps[0], 16),
            os.stat(f"/proc/{pid}/ns/user").st_ino,
        )

    def capable(self, capability: int) -> bool:
        """Whether it has a capability, in its own user namespace."""
        return bool(self.capabilities >> capability & 1)

    @property
    def modelled(self) -> frozenset[int]:
        """Its capabilities among those that the simulated kernel knows."""
        known = (f.CAP_SYS_ADMIN, f.CAP_SYS_RESOURCE, f.CAP_SYS_RAWIO)
        return frozenset(c for c in known if self.capable(c))
