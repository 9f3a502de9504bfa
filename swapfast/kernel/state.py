"""Every noun of a kernel, as plain data.

- ``Kernel``: what exists. ``Task``, ``Mm``, ``Mapping``: who runs, and what is mapped where.
- ``SwapArea``, ``SwapNamespace``: where pages go, and who may use it.

What a noun can do is asked of the table of system calls (`calls`): no noun knows a verb. Who asks
is looked at here and nowhere else: the machine has power and is whole (EBADF), and the task is
alive (ESRCH).
"""

from __future__ import annotations

import errno
import os
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from swapfast import _core
from swapfast import flags as f
from swapfast.core import area_table
from swapfast.errors import TaskKilled, system_error
from swapfast.index_space import IndexSpace, Numbers
from swapfast.kernel.calls import SystemCalls
from swapfast.kernel.changes import Changes
from swapfast.kernel.device import SimulatedDevice
from swapfast.kernel.files import Files
from swapfast.kernel.groups import GroupRow, Groups
from swapfast.kernel.options import KernelOptions
from swapfast.kernel.profile import Profile
from swapfast.kernel.ranks import Ranks
from swapfast.kernel.records import Kind, OomRecord, ShmidDs, SysInfo, Wipe
from swapfast.kernel.rules import Rules
from swapfast.kernel.shared import IpcNamespace, Segment, SharedObject
from swapfast.kernel.tiers import Tiers
from swapfast.units import PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import MutableSequence

    from numpy.typing import ArrayLike

    from swapfast.core.area_table import AreaInfo
    from swapfast.swapfile import SwapBacking

__all__ = ["MOST_PAGES", "Kernel", "Mapping", "Mm", "SwapArea", "SwapNamespace", "Task"]

ALL_CAPABILITIES = frozenset({f.CAP_SYS_ADMIN, f.CAP_SYS_RESOURCE, f.CAP_SYS_RAWIO})
FIRST_ADDRESS = 0x7F00_0000_0000
MOST_PAGES = 1 << 31  # a reference has 31 bits for the page


class Kernel:
    """One kernel; made by `boot.boot`.

    Parameters
    ----------
    options : KernelOptions
    calls : SystemCalls

    Attributes
    ----------
    rules : Rules
    overcommit : {0, 1, 2}
        /proc/sys/vm/overcommit_memory, which may change while it runs.
    core : Core
        Memory, page tables, slots: all that is a number.
    init : Task
        pid 1.
    tasks : dict of int to Task
        Live tasks and zombies, by pid.
    areas : dict of int to SwapArea
        Areas that are on, by type.
    area_of_file : dict
        The same by (st_dev, st_ino), or by name where there is no file.
    files : Files
        The swapfiles of areas.
    ranks : Ranks
        Default priorities.
    tiers : Tiers
        Ranges of priorities.
    groups : Groups
        Memory groups.
    objects : set of SharedObject
    log : list of str
        The console.
    oom_records : list of OomRecord
    changes : Changes
        Calls that change these tables.
    """

    init: Task
    page_size = PAGE_SIZE

    def __init__(self, options: KernelOptions, calls: Calls) -> None:
        self.options, self.calls = options, calls
        self.profile: Profile = options.profile
        self.rules: Rules = options.rules
        self.contents, self.overcommit = options.contents, options.overcommit
        self.changes = Changes(self.give_up)
        self.core = _core.Core(
            options.pages, self.profile.modern, options.contents, **options.of_core()
        )
        block = _core.PAGES_PER_BLOCK
        self.page_space = IndexSpace(block, block, 0xFFFFFF00, "mapped pages")
        self.slot_space = IndexSpace(_core.SLOTS_PER_CLUSTER, 0, 0xFFFFFE00, "swap slots")
        self.mm_numbers, self.area_types = Numbers(1), Numbers(0)
        self.log: list[str] = []
        self.groups = Groups(self.core, options.policy)
        self.tasks: dict[int, Task] = {}
        self.areas: dict[int, SwapArea] = {}
        self.area_of_file: dict[tuple[int, int] | str, SwapArea] = {}
        self.files: Files[SwapArea] = Files(self.core, self.log)
        self.objects: set[SharedObject] = set()
        self.ranks = Ranks(self.profile.default_priority)
        self.tiers = Tiers()
        self.oom_kills = 0
        self.oom_records: list[OomRecord] = []
        self.next_pid = self.next_namespace = 1

    @property
    def bits(self) -> int:
        """Word size that programs see."""
        return self.options.bits

    @property
    def now(self) -> int:
        """Simulated nanoseconds since boot."""
        return self.core.now

    def read_files(self) -> None:
        """A program is started: page cache that was dropped is read again, out of free memory."""
        self.core.read_files(self.options.cached)

    def new_namespace_number(self) -> int:
        """A number no namespace of this machine has had."""
        self.next_namespace += 1
        return self.next_namespace - 1

    def check_wiped(self, namespace: SwapNamespace | None) -> None:
        """Log slots that could not be wiped; OSError if they are of this namespace, once."""
        self.files.check_wiped(self.areas.values(), namespace)

    def check_usable(self) -> None:
        """Raise OSError (EBADF) if the machine is powered off or broken."""
        if self.changes.frame is not None:
            self.changes.check()
        self.core.check()

    def ask(self) -> Calls:
        """The table of system calls, if the machine is usable."""
        self.check_usable()
        return self.calls

    def give_up(self, why: str) -> None:
        """Let every file go; later calls fail with this sentence."""
        self.core.close(why)
        for area in self.areas.values():
            area.backing.close()


@dataclass(eq=False, repr=False, slots=True)
class Task:
    """One task of a machine; made by `clone`, never directly.

    Attributes
    ----------
    kernel : Kernel
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
    utime_ns, start_ns : int
        Simulated time it ran or waited, and since when it is there; nanoseconds.
    """

    kernel: Kernel
    pid: int
    name: str
    parent: Task | None
    mm: Mm
    swap_ns: SwapNamespace
    ipc_ns: IpcNamespace
    start_ns: int = 0
    uid: int = 0
    capabilities: frozenset[int] = ALL_CAPABILITIES
    namespaces: dict[int, int] = field(default_factory=dict)
    offspring: dict[int, Task] = field(default_factory=dict)
    state: Literal["running", "zombie", "dead"] = "running"
    exit_code: int = 0
    term_signal: int = 0
    exit_signal: int = f.SIGCHLD
    nice: int = 0
    oom_adj: int = 0
    oom_score_adj: int = 0
    oom_victim_first: bool = False  # PF_SWAPOFF, oom_task_origin
    min_flt: int = 0
    maj_flt: int = 0
    utime_ns: int = 0

    # identity

    @property
    def ppid(self) -> int:
        """The parent's pid, 0 for init."""
        return 0 if self.parent is None else self.parent.pid

    @property
    def children(self) -> list[Task]:
        """Live ones and zombies, the oldest first."""
        return list(self.offspring.values())

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

    def _ask(self) -> Calls:
        """The table of system calls, for a task that is alive in a machine that has power."""
        self.kernel.check_usable()
        if self.state != "running":
            raise system_error(errno.ESRCH, f"process {self.pid} ({self.name}) is {self.state}")
        return self.kernel.calls

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
        return self._ask().clone(self, flags, name)

    def fork(self, name: str | None = None) -> Task:
        """fork(2): clone(SIGCHLD)."""
        return self.clone(f.SIGCHLD, name)

    def unshare(self, flags: int) -> None:
        """unshare(2): leave shared parts. A swap namespace is made by clone only.

        Raises
        ------
        OSError
            EINVAL: unknown bits, CLONE_NEWSWAP, or VM, SIGHAND, THREAD while the mm is shared;
            EPERM: CLONE_NEW* without CAP_SYS_ADMIN.
        """
        self._ask().unshare(self, flags)

    def exit(self, code: int = 0) -> None:
        """_exit(2): memory is freed, children go to init, the parent may wait for the status.

        Raises
        ------
        OSError
            EPERM: init does not exit; ESRCH: dead already.
        """
        self._ask().exit(self, code)

    def kill(self, pid: int, sig: int = f.SIGKILL) -> None:
        """kill(2) with a signal that ends its target.

        Raises
        ------
        OSError
            In this order: ESRCH, no such process; EINVAL, no such signal; EPERM, not the same user.
        """
        self._ask().kill(self, pid, sig)

    def wait(self, pid: int = -1) -> tuple[int, int, int]:
        """waitpid(2) with WNOHANG: (pid, exit code, signal) of a child that ended, or (0, 0, 0).

        Raises
        ------
        OSError
            ECHILD: no such child.
        """
        return self._ask().wait(self, pid)

    def setuid(self, uid: int) -> None:
        """setuid(2): leaving uid 0 drops every capability.

        Raises
        ------
        OSError
            EPERM: not privileged; EINVAL: not a user id.
        """
        self._ask().setuid(self, uid)

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
        return self._ask().mmap(self, length, shared=shared, readonly=readonly, name=name)

    def shmget(self, key: int, size: int, flags: int) -> int:
        """shmget(2): the id of the segment of that key, made if IPC_CREAT says so.

        Raises
        ------
        OSError
            ENOENT: no such key, and no IPC_CREAT; EEXIST: IPC_CREAT|IPC_EXCL of an existing key;
            EINVAL: size 0 for a new one, or more than an existing one has; EACCES: no permission;
            ENOSPC: SHMMNI segments; ENOMEM.
        """
        return self._ask().shmget(self, key, size, flags)

    def shmat(self, shmid: int, *, readonly: bool = False) -> Mapping:
        """shmat(2): map a segment.

        Raises
        ------
        OSError
            EINVAL: no such id here; EIDRM: removed; EACCES: denied by its mode; ENOMEM.
        """
        return self._ask().shmat(self, shmid, readonly=readonly)

    def shmdt(self, mapping: Mapping) -> None:
        """shmdt(2): unmap a segment.

        Raises
        ------
        OSError
            EINVAL: not an attached segment of this process.
        """
        self._ask().shmdt(self, mapping)

    def shmctl(self, shmid: int, command: int) -> ShmidDs | None:
        """shmctl(2): IPC_STAT returns a ShmidDs, IPC_RMID marks the segment for removal.

        Raises
        ------
        OSError
            EINVAL: no such id, or another command; EIDRM; EACCES; EPERM.
        """
        return self._ask().shmctl(self, shmid, command)

    # swap

    def swapon(self, path: str | os.PathLike[str], flags: int = 0, *, wipe: Wipe = "none") -> None:
        """swapon(2): turn on a swapfile in this task's swap namespace.

        Parameters
        ----------
        path : path
            A real file with a swap header.
        flags : int
            SWAP_FLAG_PREFER | priority, 0 to 32767; discard flags are accepted (6.18 only);
            SWAP_FLAG_PRIVATE, with option ``swap_scope="private"``.
        wipe : {"none", "on-free", "on-swapoff"}
            Whether old bytes in the file are overwritten, see `wiping`; no kernel has that.

        Raises
        ------
        OSError
            EINVAL: unknown flags (6.18), not a swapfile, bad header, holes; EPERM: no
            CAP_SYS_ADMIN, MAX_SWAPFILES areas are on, or a child namespace has its one area; EBUSY:
            the file is on, in whatever namespace or process; ENOENT, EACCES, ENFILE, ...: as
            open(2) says.
        ValueError
            ``wipe`` is no such word.
        """
        self._ask().swapon(self, path, flags, wipe=wipe)

    def swapoff(self, path: str | os.PathLike[str]) -> None:
        """swapoff(2): read every page in the area back, and turn it off.

        Raises
        ------
        OSError
            EPERM: no CAP_SYS_ADMIN; ENOENT, ...: as open(2) says; EINVAL: not an area that is on in
            this namespace; ENOMEM: memory could not hold its pages (the area stays on, whole);
            EINTR: the caller was killed meanwhile (the same); EIO, ENOSPC, ...: a page could not be
            read, or old bytes could not be wiped (the same).
        """
        self._ask().swapoff(self, path)

    def sysinfo(self) -> SysInfo:
        """sysinfo(2); what it counts inside a child namespace is rule ``sysinfo``."""
        return self._ask().sysinfo(self)

    def read_proc_swaps(self) -> str:
        """/proc/swaps as this task sees it."""
        return self._ask().read_proc_swaps(self)

    def killed(self) -> TaskKilled:
        """The exception that tells its own operation that it is no more."""
        return TaskKilled(self.pid, self.name, self.term_signal or f.SIGKILL)

    def __repr__(self) -> str:
        return f"<Task {self.pid} {self.name} {self.state}>"


@dataclass(eq=False, repr=False, slots=True)
class Mm:
    """One address space, shared by threads and clone(CLONE_VM) children.

    Attributes
    ----------
    kernel : Kernel
    number : int
        Its number in the core, for the swap token.
    swap_ns : SwapNamespace
        Where its private pages may go.
    group : int
        Memory group that new mappings are charged to, by its number.
    users : set of Task
        Tasks that run in it.
    mappings : dict
        Address to Mapping, in order of creation.
    next_address : int
        Where the next mapping goes.
    """

    kernel: Kernel
    number: int
    swap_ns: SwapNamespace
    group: int
    users: set[Task] = field(default_factory=set)
    mappings: dict[int, Mapping] = field(default_factory=dict)
    next_address: int = FIRST_ADDRESS

    @property
    def total_vm(self) -> int:
        """Virtual pages."""
        return sum(m.mapped_pages for m in self.mappings.values())


@dataclass(eq=False, repr=False, slots=True)
class Mapping:
    """A run of pages of one address space: private memory, or a window on a `SharedObject`.

    Attributes
    ----------
    mm : Mm
    addr : int
        First address.
    pages : int
        Length in pages, as mapped.
    base, number : int
        Page index of its first page, and its number, in the core.
    name : str
    readonly : bool
        Writes are refused.
    object : SharedObject or None
    segment, ipc : Segment and IpcNamespace, or None
        Of which segment it is a window.
    ranges : tuple of (int, int)
        Runs of pages that are still mapped, (first, one past the last), ascending.
    """

    mm: Mm
    addr: int
    pages: int
    base: int
    number: int
    name: str = ""
    readonly: bool = False
    object: SharedObject | None = None
    segment: Segment | None = None
    ipc: IpcNamespace | None = None
    ranges: tuple[tuple[int, int], ...] = field(init=False)

    def __post_init__(self) -> None:
        self.ranges = ((0, self.pages),)

    @property
    def shared(self) -> bool:
        """Whether writes are seen by everybody who maps the object."""
        return self.object is not None

    @property
    def length(self) -> int:
        """Bytes, as mapped."""
        return self.pages * PAGE_SIZE

    @property
    def mapped_pages(self) -> int:
        """Pages not unmapped since."""
        return sum(end - first for first, end in self.ranges)

    @property
    def alive(self) -> bool:
        """Whether anything of it is mapped."""
        return bool(self.ranges)

    def count(self) -> tuple[int, int, int]:
        """(resident, swapped, zero page) pages, as the page table shows them."""
        return self.mm.kernel.ask().count(self)

    def inherited_by(self, child: Task) -> Mapping:
        """The same range in a task that was forked or cloned from this one."""
        return child.mapping_at(self.addr)

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Store bytes, faulting pages in as needed.

        Parameters
        ----------
        offset : int
            Bytes from the start of the mapping.
        data : bytes-like

        Raises
        ------
        OSError
            EFAULT: not mapped, or read only; EINVAL: the machine has no contents; EIO: a swapfile
            is gone; ESRCH: the task is dead.
        TaskKilled
            The OOM killer chose this task. Bytes before the fault are written.
        """
        self.mm.kernel.ask().write(self, offset, data)

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of a range, faulting pages in as needed.

        Raises
        ------
        OSError, TaskKilled
            As `write`.
        """
        return self.mm.kernel.ask().read(self, offset, length)

    def touch(
        self,
        pages: ArrayLike | slice | None = None,
        write: bool | ArrayLike = False,
        *,
        tag: str | None = None,
    ) -> None:
        """Reference pages in order: the hot path.

        Parameters
        ----------
        pages : array of int, slice or None
            Page numbers of this mapping; None: all of them, ascending.
        write : bool or array of bool
            One for all, or one for each reference.
        tag : str, optional
            With contents: each write stamps its page with this text, the page and the number of
            the reference.

        Raises
        ------
        ValueError
            A page outside the mapping.
        OSError, TaskKilled
            As `write`.
        """
        self.mm.kernel.ask().touch(self, pages, write, tag=tag)

    def munmap(self, offset: int = 0, length: int | None = None) -> None:
        """Unmap a range, or all of it; pages and slots nobody else refers to are freed.

        Raises
        ------
        OSError
            EINVAL: the offset is not a multiple of the page size, or the length is 0 or outside;
            EIO, ENOSPC, ...: it is unmapped, but a slot could not be wiped.
        """
        self.mm.kernel.ask().munmap(self, offset, length)

    def __repr__(self) -> str:
        kind: Literal["shared", "private"] = "shared" if self.shared else "private"
        return f"<Mapping {self.addr:#x} {kind} {self.pages} pages>"


@dataclass(eq=False, repr=False, slots=True)
class SwapArea:
    """One swap area that is on.

    Attributes
    ----------
    type : int
        Its number in the kernel's table of areas, the type of its swap entries.
    number : int
        Its number in the core.
    base : int
        The core's entry of its slot 0.
    backing : SwapBacking or SimulatedDevice
    standing : int
        Its place among priorities, before others left: see `Ranks`.
    namespace : SwapNamespace
    orphaned : bool
        Its namespace is gone; the host may swap it off.
    private : bool
        Only cgroups that name it use it (SWAP_FLAG_PRIVATE).
    wipe : {"none", "on-free", "on-swapoff"}
        Whether old bytes in the file are overwritten; `set_wipe` changes it.
    """

    type: int
    number: int
    base: int
    backing: SwapBacking | SimulatedDevice
    standing: int
    namespace: SwapNamespace
    wipe: Wipe = "none"
    orphaned: bool = False
    private: bool = False

    @property
    def priority(self) -> int:
        """Where it stands among the others, as /proc/swaps shows it."""
        return self.namespace.kernel.ranks.priority(self.standing)

    @priority.setter
    def priority(self, value: int) -> None:
        self.standing = value
        area_table.renumber(self.namespace.kernel.core, [self.number], [value])

    @property
    def path(self) -> str:
        """The file's name as /proc/swaps shows it."""
        return self.backing.path

    @property
    def kind(self) -> str:
        """``file``, or ``partition`` for a device."""
        return "partition" if isinstance(self.backing, SimulatedDevice) else "file"

    @property
    def info(self) -> AreaInfo:
        """pages, inuse, pswpin, pswpout, ... of the core."""
        info = area_table.info(self.namespace.kernel.core, self.number)
        info["prio"] = self.priority
        return info

    @property
    def size(self) -> int:
        """Usable bytes."""
        return self.info["pages"] * PAGE_SIZE

    @property
    def used(self) -> int:
        """Bytes in slots that are in use."""
        return self.info["inuse"] * PAGE_SIZE

    def set_wipe(self, wipe: Wipe) -> None:
        """Wipe it from now on, or not any more; an image does not say so, a restart begins anew.

        Raises
        ------
        ValueError
            ``wipe`` is no such word.
        OSError
            EIO, ENOSPC, ...: slots that are free already, in an area in use, could not be wiped.
        """
        self.namespace.kernel.ask().set_wipe(self, wipe)

    def __repr__(self) -> str:
        return f"<SwapArea {self.type} {self.path} priority {self.standing}>"


@dataclass(eq=False, repr=False, slots=True)
class SwapNamespace:
    """The filter on swap areas of a set of tasks.

    Attributes
    ----------
    kernel : Kernel
    number : int
        0 is the initial namespace.
    scope : int
        Its number in the core.
    areas : sequence of SwapArea
        Areas that are on in it.
    tasks : int
        Live tasks in it.
    swapped_on : int
        Areas ever turned on in it.
    """

    kernel: Kernel
    number: int
    scope: int
    areas: MutableSequence[SwapArea] = field(default_factory=list)
    tasks: int = 0
    swapped_on: int = 0

    @property
    def owner(self) -> int:
        """`scope` under its old name, with a DeprecationWarning."""
        warnings.warn("SwapNamespace.owner is called scope", DeprecationWarning, stacklevel=2)
        return self.scope

    @property
    def initial(self) -> bool:
        """Whether it is the namespace of the host."""
        return self.number == 0

    def checkpoint(
        self,
        path: str | os.PathLike[str],
        *,
        kind: Kind = "in-place",
        parent: str | os.PathLike[str] | None = None,
        checksums: bool = True,
    ) -> None:
        """Checkpoint its tasks into its swapfile and an image; as `Machine.checkpoint`."""
        self.kernel.ask().checkpoint(self, path, kind=kind, parent=parent, checksums=checksums)

    def __repr__(self) -> str:
        return f"<SwapNamespace {self.number}: {len(self.areas)} areas, {self.tasks} tasks>"


Calls = SystemCalls[Kernel, Task, Mapping, SwapArea, SwapNamespace, GroupRow]
