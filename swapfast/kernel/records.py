"""What system calls return, and words that they take: plain values.

- ``SysInfo``: sysinfo(2). ``ShmidDs``: shmctl(2).
- ``OomRecord``: whom the OOM killer took, and why.
- ``Wipe``, ``Kind``: how a swapfile is wiped, and how a namespace is checkpointed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

__all__ = ["Kind", "OomRecord", "ShmidDs", "SysInfo", "Wipe"]

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


@dataclass(frozen=True, slots=True)
class OomRecord:
    """One kill of the OOM killer (mm/oom_kill.c, __oom_kill_process).

    Attributes
    ----------
    time_ns : int
        Simulated nanoseconds since boot.
    trigger_pid : int
    trigger_name : str
        Who asked for the page; init, where a limit was written.
    level : str
        "machine", or the path of the memory group at whose limit there was no page.
    victim_pid : int
    victim_name : str
    cgroup : str
        Path of the victim's memory group.
    rss, swap : int
        The victim's pages in memory and in swap.
    free : int
        Free pages of the machine.
    free_slots_allowed : int
        Free slots that the trigger could have had: in the areas of its swap namespace, and within
        memory.swap.max of its memory group and of all above.
    free_slots : int
        Free slots in all areas.
    scanned : int
        Pages that reclaim had scanned until then, since boot.
    rule : str
        Among whom the victim was chosen: "kernel", or what option ``oom_scope`` says.
    """

    time_ns: int
    trigger_pid: int
    trigger_name: str
    level: str
    victim_pid: int
    victim_name: str
    cgroup: str
    rss: int
    swap: int
    free: int
    free_slots_allowed: int
    free_slots: int
    scanned: int
    rule: str
