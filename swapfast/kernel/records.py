"""What system calls return, and words that they take: plain values.

- ``SysInfo``: sysinfo(2). ``ShmidDs``: shmctl(2).
- ``Wipe``, ``Kind``: how a swapfile is wiped, and how a namespace is checkpointed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

__all__ = ["Kind", "ShmidDs", "SysInfo", "Wipe"]

Wipe = Literal["none", "on-free", "on-swapoff"]
Kind = Literal["in-place", "pinned", "snapshot", "incremental"]


class SysInfo(NamedTuple):
    """sysinfo(2), in bytes (mem_unit 1).

    Attributes
    ----------
    totalram, freeram, sharedram, bufferram, totalswap, freeswap : int
    procs : int
        Live tasks.
    mem_unit : int
    """

    totalram: int
    freeram: int
    sharedram: int
    bufferram: int
    totalswap: int
    freeswap: int
    procs: int
    mem_unit: int = 1


@dataclass(slots=True)
class ShmidDs:
    """What shmctl(IPC_STAT) returns.

    Attributes
    ----------
    size : int
        Bytes as asked for.
    nattch : int
        Attached mappings.
    cpid, lpid : int
        Creator, and who attached or detached last (0: nobody).
    mode : int
        Permission bits, and 0o1000 (SHM_DEST) once it is marked for removal.
    uid, key : int
    """

    size: int
    nattch: int
    cpid: int
    lpid: int
    mode: int
    uid: int
    key: int
