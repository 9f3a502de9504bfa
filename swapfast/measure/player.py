"""The process that is measured: plays a trace in a memory group, says what it cost.

- ``python -m swapfast.measure.player TRACE LIMIT GROUP VERSION PARENT``: one JSON object.
- ``Area``: memory that is swapped, in a process of which all else is locked.
- ``enter(path, group, cpus)``: read a trace, lock, move into the group: a ``Stage``.

So that exactly LIMIT pages are there for the trace, everything else is either locked before the
process moves into the group, and charged outside it, or is in the group before the limit is set,
and added to it: page tables, mainly. Statistics of a group lag by up to 2 s, so they are waited for
before they are read.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import resource
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swapfast.measure._walk import walk
from swapfast.measure.host import Group
from swapfast.measure.readings import grown, readings
from swapfast.traces import open_trace
from swapfast.traces.trace import PAGE_MASK
from swapfast.units import PAGE_SIZE

__all__ = ["Area", "Stage", "die_with", "enter", "main", "major_faults"]

EVERY = 64  # references between two flushes of the TLB
SCRATCH = 64 * PAGE_SIZE  # more than the 33 pages that x86 flushes one by one
TABLE = 512 * PAGE_SIZE  # bytes that a page of the lowest page table maps
SETTLE = 2.5  # seconds; the kernel brings all statistics up to date every 2
MCL_CURRENT, MCL_FUTURE, PR_SET_PDEATHSIG = 1, 2, 1  # include/uapi
FAILED = ctypes.c_void_p(-1).value

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
for _name in ("munmap", "mlock", "munlock"):
    getattr(libc, _name).argtypes = [ctypes.c_void_p, ctypes.c_size_t]
for _name in ("mprotect", "madvise"):
    getattr(libc, _name).argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def _check(result: int, what: str) -> None:
    if result:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


class Area:
    """Private anonymous memory without rights, until ``open`` gives them.

    Made before the rest of the process is locked: memory without rights is not brought in by that.

    Parameters
    ----------
    size : int
        Bytes.

    Raises
    ------
    OSError
        ENOMEM: no room in the address space, or beyond what is overcommitted.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        address = libc.mmap(None, size, 0, flags, -1, 0)
        if address == FAILED:
            _check(1, f"mmap of {size} bytes")
        self.address: int = address

    def open(self) -> None:
        """Unlock it, make it readable and writable, in small pages."""
        _check(libc.munlock(self.address, self.size), "munlock")
        protection = mmap.PROT_READ | mmap.PROT_WRITE
        _check(libc.mprotect(self.address, self.size, protection), "mprotect")
        if libc.madvise(self.address, self.size, mmap.MADV_NOHUGEPAGE):
            code = ctypes.get_errno()
            if code != 22:  # EINVAL: a kernel without huge pages
                raise OSError(code, "madvise(MADV_NOHUGEPAGE)")

    def make_tables(self) -> None:
        """Have all page tables made: reads map the shared zero page, which costs no memory."""
        for at in (*range(0, self.size, TABLE), self.size - 1):
            ctypes.c_ubyte.from_address(self.address + at).value  # noqa: B018 - the read is it

    def close(self) -> None:
        """Give it back."""
        _check(libc.munmap(self.address, self.size), "munmap")


@dataclass(frozen=True, slots=True)
class Stage:
    """A process that is ready to play.

    Attributes
    ----------
    refs : uint32 array
        Checked: every page is in the area.
    area, scratch : Area
    stat : int
        File descriptor of the statistics.
    """

    refs: NDArray[np.uint32]
    area: Area
    scratch: Area
    stat: int


def enter(path: str, group: Group, cpus: set[int], stat: Path) -> Stage:
    """Read a trace, lock all that there is, move into the group, and have page tables made.

    Parameters
    ----------
    path : str
        The trace.
    group : Group
    cpus : set of int
        Where the process may run.
    stat : Path
        The statistics that are read between references.

    Raises
    ------
    OSError
        A call was refused.
    ValueError
        The trace has changed.
    """
    trace = open_trace(path)
    refs = np.array(trace.refs)  # nobody changes these any more: they are not checked again
    if int((refs & PAGE_MASK).max()) >= trace.pages:
        raise ValueError(f"{path}: changed while it was read")
    area, scratch = Area(trace.pages * PAGE_SIZE), Area(SCRATCH)
    os.sched_setaffinity(0, cpus)
    _check(libc.mlockall(MCL_CURRENT | MCL_FUTURE), "mlockall")
    area.open()
    scratch.open()
    ctypes.memset(scratch.address, 1, SCRATCH)
    _check(libc.mlock(scratch.address, SCRATCH), "mlock")
    file = os.open(stat, os.O_RDONLY | os.O_CLOEXEC)
    os.pread(file, 8192, 0)  # its buffer is made now
    group.tasks.write_text("0")
    area.make_tables()
    return Stage(refs, area, scratch, file)


def die_with(parent: int) -> bool:
    """Have the kernel end this process when its parent ends; False: it is gone already."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.getppid() == parent


def main(argv: list[str]) -> int:
    """Play; arguments as in the module's description."""
    path, limit, folder, version, parent = argv
    if not die_with(int(parent)):
        return 1
    group = Group(Path(folder), int(version))
    stage = enter(path, group, {min(os.sched_getaffinity(0))}, group.stat)
    time.sleep(SETTLE)
    group.limit.write_text(str(group.charged() + int(limit) * PAGE_SIZE))
    before, faults = readings(group), major_faults()
    walk(stage.refs, stage.area.address, stage.scratch.address, SCRATCH, stage.stat, EVERY)
    faults = major_faults() - faults
    time.sleep(SETTLE)
    print(json.dumps({"majflt": faults, **grown(before, readings(group))}))
    return 0


def major_faults() -> int:
    """Of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_majflt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
