"""Tasks and their system calls.

- ``Task``: clone, fork, unshare, exit, wait, kill, setuid, sysinfo, swapon, swapoff, mmap, shm*.
- ``SysInfo``: what sysinfo(2) returns.

A failed call changes nothing. Sources: clone(2), unshare(2), wait(2), mmap(2), sysinfo(2),
shmget(2), shmat(2), shmctl(2); kernel/fork.c and kernel/exit.c of 2.6.25 and 6.18.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Literal, NamedTuple

from swapfast import flags as f
from swapfast.core import mapping_table
from swapfast.errors import TaskKilled, system_error
from swapfast.ipc import IpcNamespace, SharedObject, ShmidDs
from swapfast.mappings import MOST_PAGES, Mapping, Mm
from swapfast.namespaces import check_clone_flags, check_clone_rights, check_unshare
from swapfast.swapping import swapoff, swapon
from swapfast.units import PAGE_SIZE, parse_size

if TYPE_CHECKING:
    from swapfast.machine import Machine
    from swapfast.namespaces import SwapNamespace
    from swapfast.wiping import Wipe

__all__ = ["SysInfo", "Task"]

ALL_CAPABILITIES = frozenset({f.CAP_SYS_ADMIN, f.CAP_SYS_RESOURCE, f.CAP_SYS_RAWIO})


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


class Task:
    """One task of a machine; made by `clone`, never directly.

    Attributes
    ----------
    pid, uid : int
    name : str
        comm, at most 15 characters in the kernel's messages.
    parent : Task or None
    children : list of Task
    state : {"running", "zombie", "dead"}
    exit_code : int
    term_signal : int
        0, or the signal that ended it.
    swap_ns : SwapNamespace
    ipc_ns : IpcNamespace
    mm : Mm
    nice, oom_adj, oom_score_adj : int
        What the OOM killer looks at: -17 (oom_adj) and -1000 (oom_score_adj) exempt a task.
    min_flt, maj_flt : int
        Faults of its own.
    utime_ns : int
        Simulated time it ran or waited, nanoseconds.
    """

    def __init__(
        self,
        machine: Machine,
        pid: int,
        name: str,
        parent: Task | None,
        mm: Mm,
        swap_ns: SwapNamespace,
        ipc_ns: IpcNamespace,
    ) -> None:
        self.machine = machine
        self.pid = pid
        self.name = name
        self.parent = parent
        self._children: dict[int, Task] = {}
        self.mm = mm
        self.swap_ns = swap_ns
        self.ipc_ns = ipc_ns
        self.uid: int = 0 if parent is None else parent.uid
        self.capabilities: frozenset[int] = (
            ALL_CAPABILITIES if parent is None else parent.capabilities
        )
        self.namespaces: dict[int, int] = {} if parent is None else dict(parent.namespaces)
        self.state: Literal["running", "zombie", "dead"] = "running"
        self.exit_code = 0
        self.term_signal = 0
        self.exit_signal = f.SIGCHLD
        self.nice = self.oom_adj = self.oom_score_adj = 0
        self.oom_victim_first = False  # PF_SWAPOFF, oom_task_origin
        self.min_flt = self.maj_flt = 0
        self.utime_ns = 0
        self.start_ns = machine.now
        mm.users.add(self)
        swap_ns.tasks += 1
        ipc_ns.tasks += 1

    # identity

    @property
    def ppid(self) -> int:
        """The parent's pid, 0 for init."""
        return 0 if self.parent is None else self.parent.pid

    @property
    def children(self) -> list[Task]:
        """Live ones and zombies, the oldest first."""
        return list(self._children.values())

    def adopt(self, child: Task) -> None:
        """One more child, the youngest."""
        self._children[child.pid] = child

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.state == "running"

    @property
    def group(self) -> int:
        """Memory group of its mm."""
        return self.mm.group

    @property
    def mappings(self) -> tuple[Mapping, ...]:
        """What is mapped, in order of creation."""
        return tuple(self.mm.mappings.values())

    def mapping_at(self, addr: int) -> Mapping:
        """The mapping that contains an address.

        Raises
        ------
        OSError
            EFAULT: nothing is mapped there.
        """
        for mapping in self.mm.mappings.values():
            if mapping.addr <= addr < mapping.addr + mapping.length:
                return mapping
        raise system_error(errno.EFAULT, f"process {self.pid} maps nothing at {addr:#x}")

    def capable(self, capability: int) -> bool:
        """capable(): whether it has a capability."""
        return capability in self.capabilities

    def _check_alive(self) -> None:
        self.machine.check_usable()
        if self.state != "running":
            raise system_error(errno.ESRCH, f"process {self.pid} ({self.name}) is {self.state}")

    # processes

    def clone(self, flags: int = f.SIGCHLD, name: str | None = None) -> Task:
        """clone(2): a new task.

        Parameters
        ----------
        flags : int
            CLONE_* and the exit signal in the low byte. CLONE_NEWSWAP (bit 32) makes a swap
            namespace without an area; it needs CLONE_NEWIPC and excludes CLONE_VM.
        name : str, optional
            comm of the child; the parent's by default.

        Returns
        -------
        Task

        Raises
        ------
        OSError
            In this order: EINVAL, flags that exclude each other; EAGAIN, too many tasks; EPERM,
            CLONE_NEW* without CAP_SYS_ADMIN; ENOMEM, no memory for the child.
        TaskKilled
            Rule ``inherited_swap="swap-in"``: the OOM killer took the caller meanwhile.
        """
        self._check_alive()
        machine, profile = self.machine, self.machine.profile
        check_clone_flags(flags, modern=profile.modern)
        machine.check_task_limit(self)
        check_clone_rights(
            flags,
            modern=profile.modern,
            privileged=self.capable(f.CAP_SYS_ADMIN),
            child=not self.swap_ns.initial,
            rules=machine.rules,
        )
        new_swap = bool(flags & f.CLONE_NEWSWAP)
        with machine.changes.of("clone"):
            child = self._make_child(flags, name or self.name)
        if new_swap and machine.rules.inherited_swap == "swap-in":
            child._read_in_inherited()
            if not self.alive:
                raise self.killed()
        return child

    def _make_child(self, flags: int, name: str) -> Task:
        machine = self.machine
        new_swap = bool(flags & f.CLONE_NEWSWAP)
        swap_ns = machine.new_swap_namespace() if new_swap else self.swap_ns
        ipc_ns = machine.new_ipc_namespace() if flags & f.CLONE_NEWIPC else self.ipc_ns
        try:
            mm = self.mm if flags & f.CLONE_VM else self.mm.fork(swap_ns)
        except MemoryError as error:
            if new_swap:
                machine.drop_swap_namespace(swap_ns)
            raise system_error(errno.ENOMEM, str(error)) from None
        child = machine.new_task(name, self, mm, swap_ns, ipc_ns)
        child.exit_signal = flags & f.CSIGNAL
        child._enter_namespaces(flags)
        return child

    def fork(self, name: str | None = None) -> Task:
        """fork(2): clone(SIGCHLD)."""
        return self.clone(f.SIGCHLD, name)

    def _enter_namespaces(self, flags: int) -> None:
        for flag in (
            f.CLONE_NEWNS,
            f.CLONE_NEWUTS,
            f.CLONE_NEWUSER,
            f.CLONE_NEWPID,
            f.CLONE_NEWNET,
        ):
            if flags & flag:
                self.namespaces[flag] = self.machine.new_namespace_number()

    def _read_in_inherited(self) -> None:
        try:
            for mapping in self.mappings:
                if not mapping.shared:
                    mapping.touch(mapping_table.swapped(self.machine.core, mapping.number))
        except TaskKilled:
            self._reap()
            raise system_error(
                errno.ENOMEM, "memory could not hold what the child inherits from swap"
            ) from None

    def unshare(self, flags: int) -> None:
        """unshare(2): leave shared parts. A swap namespace is made by clone only.

        Raises
        ------
        OSError
            EINVAL: unknown bits, CLONE_NEWSWAP, or VM, SIGHAND, THREAD while the mm is shared;
            EPERM: CLONE_NEW* without CAP_SYS_ADMIN.
        """
        self._check_alive()
        check_unshare(
            flags,
            modern=self.machine.profile.modern,
            privileged=self.capable(f.CAP_SYS_ADMIN),
            alone=len(self.mm.users) == 1,
        )
        with self.machine.changes.of("unshare"):
            self._enter_namespaces(flags)
            if flags & f.CLONE_NEWIPC:
                left, self.ipc_ns = self.ipc_ns, self.machine.new_ipc_namespace()
                self.ipc_ns.tasks += 1
                left.tasks -= 1
                if left.tasks == 0:
                    left.clear()

    def exit(self, code: int = 0) -> None:
        """_exit(2): memory is freed, children go to init, the parent may wait for the status.

        Raises
        ------
        OSError
            EPERM: init does not exit; ESRCH: dead already.
        """
        self._check_alive()
        if self.parent is None:
            raise system_error(errno.EPERM, "init does not exit; drop the machine instead")
        self._die(code & 0xFF, 0)

    def kill(self, pid: int, sig: int = f.SIGKILL) -> None:
        """kill(2) with a signal that ends its target.

        Raises
        ------
        OSError
            In this order: ESRCH, no such process; EINVAL, no such signal; EPERM, not the same user.
        """
        self._check_alive()
        target = self.machine.tasks.get(pid)
        if target is None:
            raise system_error(errno.ESRCH, f"no process {pid}")
        if not 0 <= sig <= 64:
            raise system_error(errno.EINVAL, f"{sig} is not a signal; they are 0 to 64")
        if self.uid not in (0, target.uid):
            raise system_error(errno.EPERM, f"process {pid} belongs to uid {target.uid}")
        if sig and target.alive and target.parent is not None:
            target._die(0, sig)

    def _die(self, code: int, signal: int) -> None:
        with self.machine.changes.of("exit"):
            self._leave(code, signal)

    def _leave(self, code: int, signal: int) -> None:
        self.state = "zombie"
        self.exit_code, self.term_signal = code, signal
        machine = self.machine
        self.mm.users.discard(self)
        if not self.mm.users:
            self.mm.teardown(self.pid)
        for child in self.children:
            child.parent = machine.init
            machine.init.adopt(child)
            if child.state == "zombie":
                child._reap()
        self._children = {}
        self.ipc_ns.tasks -= 1
        if self.ipc_ns.tasks == 0:
            self.ipc_ns.clear()
        self.swap_ns.tasks -= 1
        if self.swap_ns.tasks == 0:
            machine.swap_namespace_emptied(self.swap_ns)
        if self.parent is machine.init:
            self._reap()

    def _reap(self) -> None:
        self.state = "dead"
        if self.parent is not None:
            self.parent._children.pop(self.pid, None)
        self.machine.tasks.pop(self.pid, None)

    def wait(self, pid: int = -1) -> tuple[int, int, int]:
        """waitpid(2) with WNOHANG: (pid, exit code, signal) of a child that ended, or (0, 0, 0).

        Raises
        ------
        OSError
            ECHILD: no such child.
        """
        self._check_alive()
        mine = [c for c in self.children if pid in (-1, c.pid)]
        if not mine:
            raise system_error(errno.ECHILD, f"process {self.pid} has no such child")
        for child in mine:
            if child.state == "zombie":
                with self.machine.changes.of("wait"):
                    child._reap()
                return child.pid, child.exit_code, child.term_signal
        return 0, 0, 0

    def setuid(self, uid: int) -> None:
        """setuid(2): leaving uid 0 drops every capability.

        Raises
        ------
        OSError
            EPERM: not privileged; EINVAL: not a user id.
        """
        self._check_alive()
        if uid < 0:
            raise system_error(errno.EINVAL, f"{uid} is not a user id")
        if self.uid not in (0, uid):
            raise system_error(errno.EPERM, f"uid {self.uid} may not become {uid}")
        self.uid = uid
        if uid != 0:
            self.capabilities = frozenset()

    # memory

    def mmap(
        self,
        length: int | str,
        *,
        shared: bool = False,
        readonly: bool = False,
        name: str = "",
    ) -> Mapping:
        """mmap(2) of anonymous memory.

        Parameters
        ----------
        length : int or str
            Bytes, or "512MiB".
        shared : bool
            MAP_SHARED rather than MAP_PRIVATE.
        readonly : bool
            PROT_READ alone.
        name : str, optional
            Shown in smaps.

        Raises
        ------
        OSError
            EINVAL: length 0; ENOMEM: more than the overcommit policy allows.
        """
        self._check_alive()
        pages = -(-parse_size(length) // PAGE_SIZE)
        if pages == 0:
            raise system_error(errno.EINVAL, "a mapping has at least one byte")
        if pages >= MOST_PAGES:
            raise system_error(errno.ENOMEM, "a mapping has less than 8 TiB; map several")
        self.machine.check_overcommit(self, pages)
        machine = self.machine
        object_ = None
        with machine.changes.of("mmap"):
            try:
                if shared:
                    object_ = SharedObject(machine, pages, machine.shared_owner(), self.group).get()
                address = self.mm.place(pages)
                mapping = Mapping(
                    self.mm, pages, address, name=name, shared=object_, readonly=readonly
                )
            except MemoryError as error:
                raise system_error(errno.ENOMEM, str(error)) from None
            finally:
                if object_ is not None:
                    object_.put()  # the mapping, if there is one, has a reference of its own
            return mapping

    def shmget(self, key: int, size: int, flags: int) -> int:
        """shmget(2): the id of a System V segment; errors as `IpcNamespace.get`."""
        self._check_alive()
        with self.machine.changes.of("shmget"):
            return self.ipc_ns.get(self, key, size, flags)

    def shmat(self, shmid: int, *, readonly: bool = False) -> Mapping:
        """shmat(2): map a segment.

        Raises
        ------
        OSError
            EINVAL: no such id here; EIDRM: removed; EACCES: denied by its mode; ENOMEM.
        """
        self._check_alive()
        segment = self.ipc_ns.find(shmid)
        self.ipc_ns.check_access(self, segment, write=not readonly)
        pages = segment.object.pages
        with self.machine.changes.of("shmat"):
            try:
                mapping = Mapping(
                    self.mm,
                    pages,
                    self.mm.place(pages),
                    name=f"SYSV{segment.status.key & 0xFFFFFFFF:08x}",
                    shared=segment.object,
                    readonly=readonly,
                    segment=segment,
                    ipc=self.ipc_ns,
                )
            except MemoryError as error:
                raise system_error(errno.ENOMEM, str(error)) from None
            segment.status.nattch += 1
            segment.status.lpid = self.pid
        return mapping

    def shmdt(self, mapping: Mapping) -> None:
        """shmdt(2): unmap a segment.

        Raises
        ------
        OSError
            EINVAL: not an attached segment of this process.
        """
        self._check_alive()
        if mapping.segment is None or self.mm.mappings.get(mapping.addr) is not mapping:
            raise system_error(errno.EINVAL, "no segment is attached there")
        with self.machine.changes.of("shmdt"):
            del self.mm.mappings[mapping.addr]
            mapping._release(self.pid)

    def shmctl(self, shmid: int, command: int) -> ShmidDs | None:
        """shmctl(2): IPC_STAT returns a ShmidDs, IPC_RMID marks the segment for removal.

        Raises
        ------
        OSError
            EINVAL: no such id, or another command; EIDRM; EACCES; EPERM.
        """
        self._check_alive()
        if command == f.IPC_RMID:
            with self.machine.changes.of("shmctl"):
                self.ipc_ns.remove(self, shmid)
            return None
        if command != f.IPC_STAT:
            raise system_error(errno.EINVAL, "shmctl knows IPC_STAT and IPC_RMID")
        segment = self.ipc_ns.find(shmid)
        self.ipc_ns.check_access(self, segment, write=False)
        status = segment.status
        return ShmidDs(
            status.size,
            status.nattch,
            status.cpid,
            status.lpid,
            status.mode,
            status.uid,
            status.key,
        )

    # swap

    def swapon(self, path: str | os.PathLike[str], flags: int = 0, *, wipe: Wipe = "none") -> None:
        """swapon(2) in this task's swap namespace; ``wipe`` and errors as `swapping.swapon`."""
        self._check_alive()
        swapon(self.machine, self, path, flags, wipe)

    def swapoff(self, path: str | os.PathLike[str]) -> None:
        """swapoff(2): read everything back and turn it off; errors as `swapping.swapoff`."""
        self._check_alive()
        swapoff(self.machine, self, path)

    def sysinfo(self) -> SysInfo:
        """sysinfo(2); what it counts inside a child namespace is rule ``sysinfo``."""
        self._check_alive()
        machine = self.machine
        memory = machine.core.memory()
        total, free = memory["total_swap"], memory["free_swap"]
        if machine.rules.sysinfo == "namespaced" and not self.swap_ns.initial:
            infos = [area.info for area in self.swap_ns.areas]
            total = sum(i["pages"] for i in infos)
            free = sum(i["pages"] - i["inuse"] for i in infos)
        return SysInfo(
            totalram=memory["total"] * PAGE_SIZE,
            freeram=memory["free"] * PAGE_SIZE,
            sharedram=0,
            bufferram=0,
            totalswap=total * PAGE_SIZE,
            freeswap=free * PAGE_SIZE,
            procs=sum(t.alive for t in machine.tasks.values()),
        )

    def read_proc_swaps(self) -> str:
        """/proc/swaps as this task sees it."""
        self._check_alive()
        return self.machine.proc_swaps(self)

    def killed(self) -> TaskKilled:
        """The exception that tells its own operation that it is no more."""
        return TaskKilled(self.pid, self.name, self.term_signal or f.SIGKILL)

    def __repr__(self) -> str:
        return f"<Task {self.pid} {self.name} {self.state}>"
