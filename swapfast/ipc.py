"""Shared memory: objects that several tasks map, and System V segments in IPC namespaces.

- ``SharedObject``: the pages behind MAP_SHARED|MAP_ANONYMOUS and behind a segment.
- ``Segment``, ``ShmidDs``: a System V segment and what shmctl(IPC_STAT) tells of it.
- ``IpcNamespace``: segments by id and key; ids are valid inside only.

Sources: ipc/shm.c (sys_shmget, do_shmat, sys_shmctl), shmget(2), shmat(2), shmctl(2).
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING

from swapfast import flags as f
from swapfast.core import mapping_table
from swapfast.errors import system_error
from swapfast.units import PAGE_SIZE

if TYPE_CHECKING:
    from swapfast.machine import Machine
    from swapfast.tasks import Task

__all__ = ["IpcNamespace", "Segment", "SharedObject", "ShmidDs"]

SHMMNI = 4096  # segments of one namespace
SHMMIN = 1  # bytes
IPCMNI = 32768  # an id is a sequence number times this, plus a place in the table


class SharedObject:
    """Pages that belong to an inode, not to an mm; they live as long as somebody refers to them.

    Attributes
    ----------
    pages : int
    base : int
        Page index of its first page.
    number : int
        Its mapping number in the core.
    references : int
        Mappings, plus one while a segment names it.
    """

    def __init__(self, machine: Machine, pages: int, owner: int, group: int) -> None:
        self.machine = machine
        self.pages = pages
        self.references = 0
        self.base = machine.page_space.take(pages)
        try:
            self.number = mapping_table.add(
                machine.core, machine.OBJECT, self.base, pages, 0, owner, group
            )
        except BaseException:
            machine.page_space.give(self.base, pages)
            raise
        machine.objects.add(self)

    def get(self) -> SharedObject:
        """One more reference."""
        self.references += 1
        return self

    def put(self) -> None:
        """One reference less; the last one frees pages and slots."""
        self.references -= 1
        if self.references == 0:
            mapping_table.remove(self.machine.core, self.number)
            self.machine.page_space.give(self.base, self.pages)
            self.machine.objects.discard(self)


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


class Segment:
    """A System V shared memory segment."""

    __slots__ = ("object", "removed", "shmid", "status")

    def __init__(
        self, shmid: int, object: SharedObject, status: ShmidDs, removed: bool = False
    ) -> None:
        self.shmid = shmid
        self.object = object
        self.status = status
        self.removed = removed


class IpcNamespace:
    """System V segments; a task in another namespace sees none of them.

    Attributes
    ----------
    number : int
        0 is the initial namespace.
    tasks : int
        Live tasks in it.
    """

    __slots__ = ("_sequence", "number", "segments", "tasks")

    def __init__(self, number: int, _sequence: int = 0) -> None:
        self.number = number
        self.tasks = 0
        self.segments: dict[int, Segment] = {}
        self._sequence = _sequence

    def get(self, task: Task, key: int, size: int, flags: int) -> int:
        """shmget(2): the id of the segment of that key, made if IPC_CREAT says so.

        Raises
        ------
        OSError
            ENOENT: no such key, and no IPC_CREAT; EEXIST: IPC_CREAT|IPC_EXCL of an existing key;
            EINVAL: size 0 for a new one, or more than an existing one has; EACCES: no permission;
            ENOSPC: SHMMNI segments; ENOMEM.
        """
        if key != f.IPC_PRIVATE:
            for segment in self.segments.values():
                if segment.status.key == key and not segment.removed:
                    return self._existing(task, segment, size, flags)
            if not flags & f.IPC_CREAT:
                raise system_error(errno.ENOENT, f"no segment has key {key:#x}; add IPC_CREAT")
        if size < SHMMIN:
            raise system_error(errno.EINVAL, f"a segment of {size} bytes; the least is {SHMMIN}")
        pages = -(-size // PAGE_SIZE)
        task.machine.check_overcommit(task, pages)
        if len(self.segments) >= SHMMNI:
            raise system_error(errno.ENOSPC, f"{SHMMNI} segments (SHMMNI) are in use; remove some")
        try:
            object_ = SharedObject(task.machine, pages, task.swap_ns.owner, task.group)
        except MemoryError as error:
            raise system_error(errno.ENOMEM, str(error)) from None
        taken = {s % IPCMNI for s in self.segments}
        shmid = self._sequence * IPCMNI + next(n for n in range(SHMMNI) if n not in taken)
        self._sequence += 1
        status = ShmidDs(size, 0, task.pid, 0, flags & 0o777, task.uid, key)
        self.segments[shmid] = Segment(shmid, object_.get(), status)
        return shmid

    def _existing(self, task: Task, segment: Segment, size: int, flags: int) -> int:
        if flags & f.IPC_CREAT and flags & f.IPC_EXCL:
            raise system_error(errno.EEXIST, f"key {segment.status.key:#x} has a segment already")
        if size > segment.status.size:
            raise system_error(
                errno.EINVAL, f"the segment has {segment.status.size} bytes, not {size}"
            )
        self.check_access(task, segment, write=bool(flags & 0o222))
        return segment.shmid

    def find(self, shmid: int) -> Segment:
        """The segment of an id.

        Raises
        ------
        OSError
            EINVAL: no such id in this namespace; EIDRM: removed, and another has its place.
        """
        segment = self.segments.get(shmid)
        if segment is not None:
            return segment
        if any(s % IPCMNI == shmid % IPCMNI for s in self.segments):
            raise system_error(errno.EIDRM, f"segment {shmid} was removed; get the new one's id")
        raise system_error(errno.EINVAL, f"no segment {shmid} in this IPC namespace")

    def check_access(self, task: Task, segment: Segment, *, write: bool) -> None:
        """Permission bits: owner's, then others'.

        Raises
        ------
        OSError
            EACCES.
        """
        if task.uid == 0:
            return
        bits = segment.status.mode >> 6 if task.uid == segment.status.uid else segment.status.mode
        need = 6 if write else 4
        if bits & need != need:
            raise system_error(errno.EACCES, f"segment {segment.shmid} denies it by its mode")

    def detached(self, segment: Segment, pid: int) -> None:
        """A mapping of it is gone (pid 0: it never was); a removed segment goes with the last."""
        segment.status.nattch -= 1
        segment.status.lpid = pid or segment.status.lpid
        if segment.removed and segment.status.nattch == 0:
            self._destroy(segment)

    def remove(self, task: Task, shmid: int) -> None:
        """shmctl(IPC_RMID): it goes when nobody has it attached.

        Raises
        ------
        OSError
            EINVAL, EIDRM: as `find`; EPERM: neither owner nor creator nor privileged.
        """
        segment = self.find(shmid)
        if task.uid not in (0, segment.status.uid):
            raise system_error(errno.EPERM, f"segment {shmid} belongs to uid {segment.status.uid}")
        segment.removed = True
        segment.status.mode |= 0o1000
        if segment.status.nattch == 0:
            self._destroy(segment)

    def clear(self) -> None:
        """The last task left: its segments go (ipc/shm.c, shm_exit_ns)."""
        for segment in list(self.segments.values()):
            segment.removed = True
            if segment.status.nattch == 0:
                self._destroy(segment)

    def _destroy(self, segment: Segment) -> None:
        if self.segments.pop(segment.shmid, None) is not None:
            segment.object.put()
