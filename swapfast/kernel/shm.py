"""System V shared memory: shmget(2), shmat(2), shmdt(2), shmctl(2).

Sources: ipc/shm.c (sys_shmget, do_shmat, sys_shmctl), shmget(2), shmat(2), shmctl(2).
"""

from __future__ import annotations

import errno
from dataclasses import replace

from swapfast import flags as f
from swapfast.errors import system_error
from swapfast.kernel import mmap, segments
from swapfast.kernel.overcommit import check_overcommit
from swapfast.kernel.records import ShmidDs
from swapfast.kernel.shared import IpcNamespace, Segment
from swapfast.kernel.state import Mapping, Task
from swapfast.units import PAGE_SIZE

__all__ = ["shmat", "shmctl", "shmdt", "shmget"]

SHMMNI = 4096  # segments of one namespace
SHMMIN = 1  # bytes
IPCMNI = 32768  # an id is a sequence number times this, plus a place in the table


def shmget(task: Task, key: int, size: int, flags: int) -> int:
    """The id of the segment of that key; see `Task.shmget`."""
    with task.kernel.changes.of("shmget"):
        return _get(task, task.ipc_ns, key, size, flags)


def _get(task: Task, ipc: IpcNamespace, key: int, size: int, flags: int) -> int:
    if key != f.IPC_PRIVATE:
        for segment in ipc.segments.values():
            if segment.status.key == key and not segment.removed:
                return _existing(task, segment, size, flags)
        if not flags & f.IPC_CREAT:
            raise system_error(errno.ENOENT, f"no segment has key {key:#x}; add IPC_CREAT")
    if size < SHMMIN:
        raise system_error(errno.EINVAL, f"a segment of {size} bytes; the least is {SHMMIN}")
    pages = -(-size // PAGE_SIZE)
    check_overcommit(task, pages)
    if len(ipc.segments) >= SHMMNI:
        raise system_error(errno.ENOSPC, f"{SHMMNI} segments (SHMMNI) are in use; remove some")
    try:
        one = segments.new_object(task.kernel, pages, task.swap_ns.scope, task.group)
    except MemoryError as error:
        raise system_error(errno.ENOMEM, str(error)) from None
    taken = {s % IPCMNI for s in ipc.segments}
    shmid = ipc.sequence * IPCMNI + next(n for n in range(SHMMNI) if n not in taken)
    ipc.sequence += 1
    status = ShmidDs(size, 0, task.pid, 0, flags & 0o777, task.uid, key)
    ipc.segments[shmid] = Segment(shmid, segments.get(one), status)
    return shmid


def _existing(task: Task, segment: Segment, size: int, flags: int) -> int:
    if flags & f.IPC_CREAT and flags & f.IPC_EXCL:
        raise system_error(errno.EEXIST, f"key {segment.status.key:#x} has a segment already")
    if size > segment.status.size:
        raise system_error(errno.EINVAL, f"the segment has {segment.status.size} bytes, not {size}")
    _check_access(task, segment, write=bool(flags & 0o222))
    return segment.shmid


def _find(ipc: IpcNamespace, shmid: int) -> Segment:
    segment = ipc.segments.get(shmid)
    if segment is not None:
        return segment
    if any(s % IPCMNI == shmid % IPCMNI for s in ipc.segments):
        raise system_error(errno.EIDRM, f"segment {shmid} was removed; get the new one's id")
    raise system_error(errno.EINVAL, f"no segment {shmid} in this IPC namespace")


def _check_access(task: Task, segment: Segment, *, write: bool) -> None:
    # Permission bits: the owner's, or the others'.
    if task.uid == 0:
        return
    bits = segment.status.mode >> 6 if task.uid == segment.status.uid else segment.status.mode
    need = 6 if write else 4
    if bits & need != need:
        raise system_error(errno.EACCES, f"segment {segment.shmid} denies it by its mode")


def shmat(task: Task, shmid: int, *, readonly: bool = False) -> Mapping:
    """Map a segment; see `Task.shmat`."""
    segment = _find(task.ipc_ns, shmid)
    _check_access(task, segment, write=not readonly)
    pages = segment.object.pages
    with task.kernel.changes.of("shmat"):
        try:
            mapping = mmap.new_mapping(
                task.mm,
                pages,
                mmap.place(task.mm, pages),
                name=f"SYSV{segment.status.key & 0xFFFFFFFF:08x}",
                shared=segment.object,
                readonly=readonly,
                segment=segment,
                ipc=task.ipc_ns,
            )
        except MemoryError as error:
            raise system_error(errno.ENOMEM, str(error)) from None
        segment.status.nattch += 1
        segment.status.lpid = task.pid
    return mapping


def shmdt(task: Task, mapping: Mapping) -> None:
    """Unmap a segment; see `Task.shmdt`."""
    if mapping.segment is None or task.mm.mappings.get(mapping.addr) is not mapping:
        raise system_error(errno.EINVAL, "no segment is attached there")
    with task.kernel.changes.of("shmdt"):
        del task.mm.mappings[mapping.addr]
        mmap.release(mapping, task.pid)


def shmctl(task: Task, shmid: int, command: int) -> ShmidDs | None:
    """IPC_STAT and IPC_RMID; see `Task.shmctl`."""
    if command == f.IPC_RMID:
        with task.kernel.changes.of("shmctl"):
            _remove(task, shmid)
        return None
    if command != f.IPC_STAT:
        raise system_error(errno.EINVAL, "shmctl knows IPC_STAT and IPC_RMID")
    segment = _find(task.ipc_ns, shmid)
    _check_access(task, segment, write=False)
    return replace(segment.status)


def _remove(task: Task, shmid: int) -> None:
    segment = _find(task.ipc_ns, shmid)
    if task.uid not in (0, segment.status.uid):
        raise system_error(errno.EPERM, f"segment {shmid} belongs to uid {segment.status.uid}")
    segment.status.mode |= 0o1000
    segments.remove(task.kernel, task.ipc_ns, segment)
