"""The table of system calls, filled in.

- ``SYSTEM_CALLS``: what `swapfast.kernel.calls` asks for, one line a call.

The nouns have looked at who asks: see `swapfast.kernel.state`.
"""

from __future__ import annotations

import os

from swapfast.kernel import batches, cgroup, clone, mmap, procfs, shm, swapon, wiping
from swapfast.kernel import exit as exit_
from swapfast.kernel.records import Kind
from swapfast.kernel.state import Calls, SwapNamespace

__all__ = ["SYSTEM_CALLS"]


def checkpoint(
    ns: SwapNamespace,
    path: str | os.PathLike[str],
    *,
    kind: Kind = "in-place",
    parent: str | os.PathLike[str] | None = None,
    checksums: bool = True,
) -> None:
    """Checkpoint a namespace; see `swapfast.checkpoint.checkpoint`."""
    from swapfast.checkpoint import checkpoint as write  # half of an import of the package
    from swapfast.swapfile.files import named

    with named(os.fspath(path)):
        write(ns.kernel, ns, path, kind=kind, parent=parent, checksums=checksums)


class _Table:
    def __init__(self) -> None:
        self.clone = clone.clone
        self.unshare = clone.unshare
        self.exit = exit_.exit
        self.kill = exit_.kill
        self.wait = exit_.wait
        self.setuid = clone.setuid
        self.mmap = mmap.mmap
        self.munmap = mmap.munmap
        self.count = mmap.count
        self.write = batches.write
        self.read = batches.read
        self.touch = batches.touch
        self.shmget = shm.shmget
        self.shmat = shm.shmat
        self.shmdt = shm.shmdt
        self.shmctl = shm.shmctl
        self.swapon = swapon.swapon
        self.swapoff = swapon.swapoff
        self.set_wipe = wiping.begin
        self.checkpoint = checkpoint
        self.enter_group = cgroup.enter
        self.close_group = cgroup.close
        self.rmdir_group = cgroup.rmdir
        self.list_group = cgroup.list_files
        self.read_group = cgroup.read
        self.write_group = cgroup.write
        self.reclaim_group = cgroup.reclaim
        self.sysinfo = procfs.sysinfo
        self.read_proc_swaps = procfs.read_proc_swaps


SYSTEM_CALLS: Calls = _Table()
