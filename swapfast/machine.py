"""The machine: what exists, in batches to the core.

- ``Machine``: RAM, one kernel profile, tasks, swap areas, namespaces, a console log, a clock.
- ``machine.init`` is the first task; everything else is cloned from it.
- ``run(mapping, refs)``, ``copy(...)``: batches of references and bytes, with the OOM killer
  between them.

Deterministic: the same calls give the same counters to the last digit. A machine belongs to one
thread at a time; different machines run side by side without the GIL.
"""

from __future__ import annotations

import errno
import os
import weakref
from bisect import bisect_right
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from swapfast import _core, procfs
from swapfast import flags as f
from swapfast.areas import SimulatedDevice, SwapArea
from swapfast.changes import Changes
from swapfast.core import area_table, mapping_table, scope_table
from swapfast.errors import system_error
from swapfast.index_space import IndexSpace
from swapfast.ipc import IpcNamespace, SharedObject
from swapfast.mappings import Mapping, Mm
from swapfast.memcg import MemoryGroup
from swapfast.namespaces import Rules, SwapNamespace
from swapfast.oom import out_of_memory
from swapfast.profiles import Profile, find_profile
from swapfast.swapfile.files import named
from swapfast.swapping import add_area, turn_off
from swapfast.tasks import Task
from swapfast.units import PAGE_SIZE, parse_size
from swapfast.wiping import Failures

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping as Dict

    from numpy.typing import NDArray

    from swapfast.swapfile import SwapBacking
    from swapfast.traces import Trace

__all__ = ["PLUG", "READAHEAD", "STATISTICS", "TIMES", "TLB", "Machine"]

#: Simulated costs in nanoseconds. Measured with block and vmscan traces on Linux 6.18, one virtio
#: disk: about 50 us a read.
TIMES = {
    "reference": 20,
    "minor_fault": 1_500,
    "swap_in": 66_000,
    "reclaim": 8_000,
    "scan_page": 600,
    "unmap": 2_200,
    "plug_page": 2_000,
    "flush_request": 1_000,
    "write_request": 3_500,
    "write_page": 2_600,
    "write_latency": 45_000,
}


STATISTICS = ("exact", "stale")
READAHEAD = ("cluster", "vma")
PLUG = ("own", "nested")
TLB = {"off": 0, "natural": 10_000_000, "fresh": 50_000_000}  # ns between flushes, measured
STATISTICS_PERIOD = 2_000_000_000  # ns, FLUSH_TIME in mm/memcontrol.c
LEAST_PAGES = 64  # of RAM
FILES_AT_ONCE = 8  # files that a batch looks at
REPLAY_CHUNK = 1 << 22  # references between two calls of a progress function


class Machine:
    """A simulated computer.

    Parameters
    ----------
    memory : int or str
        RAM: bytes, or "2GiB"; at least 256 KiB.
    profile : {"6.18", "2.6.25"}
        The kernel.
    contents : bool
        Whether pages hold real bytes. Without, every counter is kept and nothing is copied.
    rules : Rules or "strict", optional
        What the RFC leaves open.
    cache : int or str, optional
        Clean page cache at boot, given back before anything is swapped; a 32nd of the memory by
        default.
    bits : {64, 32}
        Word size that programs see.
    overcommit : {0, 1, 2}
        /proc/sys/vm/overcommit_memory: heuristic, always, never.
    policy : str, optional
        Replacement policy of the machine's memory; the profile's by default.
    page_cluster : int, optional
        log2 of the swap read-ahead window, 0 to 5.
    swappiness : int
        0 to 200.
    checksums : bool
        A checksum of each page that is written to a swapfile, compared when it is read back: EIO if
        the bytes are others. 4 bytes a slot, and a third of a microsecond a page each way. Areas of
        a machine that was restarted from an image with checksums have them anyway.
    max_swapfiles : int, optional
        MAX_SWAPFILES, if not the profile's.
    times : dict, optional
        Simulated costs in nanoseconds, by the names of ``TIMES``.
    statistics : {"exact", "stale"}
        Whether reclaim of 6.18 sees the sizes of its lists as they are, or as they were at the last
        refresh, which comes every 2 s (mm/memcontrol.c, flush_memcg_stats_dwork).
    statistics_phase : int, optional
        Nanoseconds until the first refresh, less than 2 s; drawn from ``seed`` by default.
    tlb : {"off", "natural", "fresh"}
        6.18: a processor that remembers translations, so that reclaim takes for idle what is used
        through them. They are lost every 10 ms as in a program left alone ("natural"), or every
        50 ms ("fresh", measured while the statistics were kept current); the first time is drawn
        from ``seed``.
    readahead : {"cluster", "vma"}
        6.18: read ahead what is near in the swap area, as where an area is on a rotating disk, or
        what is near in the address space (mm/swap_state.c, swap_vma_readahead).
    plug : {"own", "nested"}
        6.18: whether what reclaim writes is sent when it is done, or, where read-ahead called it,
        only with the reads, as the block layer does (block/blk-core.c, blk_start_plug). "nested"
        predicts the swap-outs of programs under read-ahead several times better.
    seed : int
        What the drawn options are drawn from.

    Attributes
    ----------
    init : Task
        pid 1.
    tasks : dict of int to Task
        Live tasks and zombies.
    areas : dict of int to SwapArea
        Areas that are on, by type.
    log : list of str
        The console.

    Raises
    ------
    ValueError
        A parameter out of range, with its name.

    Examples
    --------
    >>> machine = Machine("64MiB", profile="2.6.25")
    >>> login = machine.init.clone(f.NEWSWAP | f.NEWIPC)
    >>> heap = login.mmap("1MiB")
    >>> heap.write(0, b"secret")
    >>> heap.read(0, 6)
    b'secret'
    """

    ANON, SHM, OBJECT, OK = _core.ANON, _core.SHM, _core.OBJECT, _core.OK
    IO = _core.IO
    page_size = PAGE_SIZE

    def __init__(
        self,
        memory: int | str,
        profile: str | Profile = "6.18",
        *,
        contents: bool = True,
        rules: Rules | str | None = None,
        cache: int | str | None = None,
        bits: int = 64,
        overcommit: int = 0,
        policy: str | None = None,
        page_cluster: int | None = None,
        swappiness: int = 60,
        checksums: bool = False,
        max_swapfiles: int | None = None,
        times: Dict[str, int] | None = None,
        statistics: str = "exact",
        statistics_phase: int | None = None,
        tlb: str = "off",
        readahead: str = "cluster",
        plug: str = "own",
        seed: int = 0,
    ) -> None:
        self.changes = Changes(self._give_up)
        _machines.add(self)
        self.profile = profile if isinstance(profile, Profile) else find_profile(profile)
        if isinstance(rules, str):
            if rules != "strict":
                raise ValueError(f"rules is a Rules object or 'strict', not {rules!r}")
            rules = Rules.strict()
        if bits not in (32, 64):
            raise ValueError(f"bits is 32 or 64, not {bits}")
        if overcommit not in (0, 1, 2):
            raise ValueError(f"overcommit is 0, 1 or 2, not {overcommit}")
        pages = parse_size(memory) // PAGE_SIZE
        if pages < LEAST_PAGES:
            raise ValueError(
                f"memory is {LEAST_PAGES} pages of {PAGE_SIZE} bytes at least, not {memory!r}"
            )
        cached = pages // 32 if cache is None else parse_size(cache) // PAGE_SIZE
        if not 0 <= cached < pages:
            raise ValueError(f"cache is less than the memory, not {cache!r}")
        self.rules = rules or Rules()
        self.contents = contents
        self.checksums = checksums
        self.bits = bits
        self.overcommit = overcommit
        self.max_swapfiles = max_swapfiles or self.profile.max_swapfiles
        self._cache_at_boot = cached
        self.watermarks = self.profile.watermarks(pages)
        self.core = _core.Core(
            pages,
            self.profile.modern,
            contents,
            mixed_rule=self.rules.mixed_pages,
            shared_strict=self.rules.shared_pages == "strict",
            page_cluster=self.profile.page_cluster if page_cluster is None else page_cluster,
            swappiness=swappiness,
            watermarks=self.watermarks,
            file_cache=cached,
            times={**TIMES, **(times or {})},
            vma_readahead=_is_second(self.profile, "readahead", readahead, READAHEAD),
            nested_plug=_is_second(self.profile, "plug", plug, PLUG),
            **_natural(self.profile, statistics, statistics_phase, tlb, seed),
        )
        # Options whose state a checkpoint does not hold.
        usual = (STATISTICS[0], "off", READAHEAD[0], PLUG[0])
        self.unusual = (statistics, tlb, readahead, plug) != usual
        self.page_space = IndexSpace(
            _core.PAGES_PER_BLOCK, _core.PAGES_PER_BLOCK, 0xFFFFFF00, "mapped pages"
        )
        self.slot_space = IndexSpace(_core.SLOTS_PER_CLUSTER, 0, 0xFFFFFE00, "swap slots")
        self.policy = policy or self.profile.policy
        self.root_group = MemoryGroup(self, 0, self.policy)
        self.log: list[str] = []
        self.tasks: dict[int, Task] = {}
        self.areas: dict[int, SwapArea] = {}
        # By (st_dev, st_ino), or by name where there is no file.
        self.area_of_file: dict[tuple[int, int] | str, SwapArea] = {}
        self.area_types = IndexSpace(1, 0, 1 << 31, "swap areas")
        # The files of areas that have one, in order of the last check, the oldest first.
        self.files: OrderedDict[int, SwapBacking] = OrderedDict()
        self._lost: dict[int, OSError] = {}  # areas whose file is not what it was, and why
        self._unseen: dict[int, OSError] = {}  # areas whose file could not be looked at just now
        self._unwiped = Failures()
        self.objects: set[SharedObject] = set()
        self.least_priority = self.profile.default_priority
        self._left_ranks: list[int] = []
        self._oom_kills = 0
        self._next_pid = 1
        self._next_namespace = 1
        self._mm_numbers = IndexSpace(1, 1, 1 << 31, "address spaces")
        swap_ns = SwapNamespace(0, scope_table.add(self.core), machine=self)
        mm = Mm(self, swap_ns, self.root_group.number)
        self.init = self.new_task("init", None, mm, swap_ns, IpcNamespace(0))

    # ---------------------------------------------------------------- batches

    def run(
        self,
        mapping: Mapping,
        refs: NDArray[np.uint32],
        *,
        tag: str | None = None,
        first_number: int = 0,
        checked: bool = False,
    ) -> None:
        """Replay references of one mapping; bit 31 is a write, the rest the page.

        Parameters
        ----------
        mapping : Mapping
        refs : uint32 array, contiguous
        tag : str, optional
            With contents: writes stamp their pages with this text.
        first_number : int
            Number of ``refs[0]``, for the stamps.
        checked : bool
            The caller made sure that every page is inside.

        Raises
        ------
        ValueError
            A page outside the mapping.
        OSError
            EIO, ESTALE: a swapfile is gone; EFAULT: the mapping is; EIO, ENOSPC, ...: all is done,
            but a slot could not be wiped.
        TaskKilled
            The OOM killer took the task that maps it.
        """
        task = self._payer(mapping)
        raw = None if tag is None else tag.encode("ascii", "replace")[:16].ljust(16)
        before = self._begin(mapping)
        start = 0
        try:
            while True:
                start, status = _core.touch(
                    self.core,
                    mapping.number,
                    refs,
                    start=start,
                    tag=raw,
                    first_number=first_number,
                    checked=checked,
                )
                if status == _core.OK:
                    break
                self.oom_kill(task, status)
        finally:
            self._account(task, before)
        self.check_wiped(task.swap_ns)

    def replay(
        self,
        trace: Trace,
        into: Mapping,
        *,
        tag: str | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Replay a trace into a mapping that has at least its pages.

        Parameters
        ----------
        trace : Trace
        into : Mapping
        tag : str, optional
            With contents: each write stamps its page with this text (16 characters), the page and
            the number of the reference.
        progress : callable, optional
            Called as ``progress(references done, all)``.

        Raises
        ------
        ValueError
            The mapping is too small.
        OSError, TaskKilled
            As `run`.
        """
        if trace.pages > into.pages:
            raise ValueError(f"a trace of {trace.pages} pages into a mapping of {into.pages}")
        n, done = len(trace), 0
        for refs in trace.chunks(REPLAY_CHUNK):
            self.run(into, refs, tag=tag, first_number=done, checked=trace.is_private)
            done += len(refs)
            if progress is not None:
                progress(done, n)

    def copy(self, mapping: Mapping, offset: int, data: memoryview, *, write: bool) -> None:
        """Move bytes between ``data`` and a mapping; errors as `Mapping.write`."""
        if not self.contents:
            raise system_error(
                errno.EINVAL, "this machine has no contents; make it with contents=True"
            )
        task = self._payer(mapping)
        before = self._begin(mapping)
        move = _core.copy_in if write else _core.copy_out
        done = 0
        try:
            while done < len(data):
                step, status = move(self.core, mapping.number, offset + done, data[done:])
                done += step
                if status != _core.OK:
                    self.oom_kill(task, status)
        finally:
            self._account(task, before)
        self.check_wiped(task.swap_ns)

    def _payer(self, mapping: Mapping) -> Task:
        self.check_usable()
        if not mapping.mm.users:
            raise system_error(errno.ESRCH, "the process that mapped this memory is gone")
        if not mapping.alive:
            raise system_error(errno.EFAULT, f"nothing is mapped at {mapping.addr:#x} any more")
        return min(mapping.mm.users, key=lambda t: t.pid)

    def _begin(self, mapping: Mapping) -> tuple[int, int, int]:
        self.check_files(mapping.mm.swap_ns)
        count = self.core.counters()
        return count["pgfault"], count["pgmajfault"], self.now

    def _account(self, task: Task, before: tuple[int, int, int]) -> None:
        count = self.core.counters()
        majors = count["pgmajfault"] - before[1]
        task.maj_flt += majors
        task.min_flt += count["pgfault"] - before[0] - majors
        task.utime_ns += self.now - before[2]

    def check_files(self, namespace: SwapNamespace) -> None:
        """Mark areas as lost whose file was replaced or cut short.

        Tasks that later need a page of one get EIO or ESTALE. Looked at are the files of a
        namespace that has a few, and of all others a few at a time.
        """
        if not self.files:
            return
        if len(namespace.areas) <= FILES_AT_ONCE:
            for area in namespace.areas:
                self._check_file(area.type)
        for _ in range(min(len(self.files), FILES_AT_ONCE)):
            self._check_file(next(iter(self.files)))

    def check_files_of(self, area: SwapArea) -> None:
        """The same for one area alone."""
        self._check_file(area.type)

    def _check_file(self, number: int) -> None:
        backing = self.files.get(number)
        if backing is None:
            return
        self.files.move_to_end(number)
        if number in self._lost:
            return
        self._unseen.pop(number, None)
        try:
            fault = backing.fault()
        except OSError as error:
            self._unseen[number] = error  # the next look tells; the mapping has a guard of its own
            return
        if fault is not None:
            self._lost[number] = fault
            area_table.lost(self.core, self.areas[number].number)
            self.log.append(f"swap area {backing.path}: {fault.strerror}")

    def check_area(self, area: SwapArea) -> None:
        """Raise what `check_files` found out about an area, or why it could not."""
        lost = self._lost.get(area.type) or self._unseen.get(area.type)
        if lost is not None:
            raise system_error(lost.errno or errno.EIO, lost.strerror or "is lost", area.path)

    def check_wiped(self, namespace: SwapNamespace | None) -> None:
        """Log slots that could not be wiped; OSError if they are of this namespace, once."""
        self._unwiped.check(self, namespace)

    def forget_file(self, number: int) -> None:
        """An area is off."""
        self.files.pop(number, None)
        self._lost.pop(number, None)
        self._unseen.pop(number, None)

    def io_error(self) -> OSError:
        """What to raise for the slot that could not be read or written back."""
        number, slot, cause = area_table.bad_slot(self.core)
        area = next(a for a in self.areas.values() if a.number == number)
        lost = self._lost.get(area.type)
        why = _core.BAD_SLOTS[cause] if lost is None else lost.strerror
        code = errno.EIO if lost is None else lost.errno or errno.EIO
        return system_error(code, f"slot {slot}: {why}", area.path)

    def oom_kill(self, current: Task, status: int) -> None:
        """No page was to be had: somebody dies.

        Raises
        ------
        OSError
            It was there, but could not be read back; or there was no room because the swapfile of
            the task's namespace is gone or took no more pages; or nobody in its memory group may be
            killed.
        TaskKilled
            It was the task that asked.
        KernelPanic
            There is nobody.
        """
        if status == _core.IO:
            raise self.io_error()
        for number in self._lost:
            if self.areas[number].namespace is current.swap_ns:
                self.check_area(self.areas[number])
        for area in current.swap_ns.areas:
            if area.info["failed"]:
                number, slot, _ = area_table.bad_slot(self.core)
                where = f"slot {slot}" if number == area.number else "a slot"
                raise system_error(
                    errno.EIO,
                    f"{where} could not be written, it takes no more pages; swap it off and find "
                    "out why",
                    area.path,
                )
        with self.changes.of("the OOM killer"):
            out_of_memory(self, current, current.group if status == _core.OOM_GROUP else None)
        if not current.alive:
            raise current.killed()

    def count_oom_kill(self) -> None:
        """One more for vmstat's oom_kill."""
        self._oom_kills += 1

    # ---------------------------------------------------------------- tasks and namespaces

    def new_task(
        self, name: str, parent: Task | None, mm: Mm, swap_ns: SwapNamespace, ipc_ns: IpcNamespace
    ) -> Task:
        """Enter a task; `Task.clone` has done the checks."""
        task = Task(self, self._next_pid, name, parent, mm, swap_ns, ipc_ns)
        self._next_pid += 1
        self.tasks[task.pid] = task
        if parent is not None:
            parent.adopt(task)
        return task

    def check_task_limit(self, task: Task) -> None:
        """Refuse a clone beyond max_threads, or RLIMIT_NPROC of an unprivileged user.

        Raises
        ------
        OSError
            EAGAIN (kernel/fork.c, copy_process; the limits of fork_init).
        """
        most = max(20, self.core.memory()["total"] // 16)
        if len(self.tasks) >= most:
            raise system_error(errno.EAGAIN, f"{most} tasks are the most for this memory")
        if task.uid and not task.capable(f.CAP_SYS_RESOURCE):
            mine = sum(t.uid == task.uid for t in self.tasks.values())
            if mine >= most // 2:
                raise system_error(errno.EAGAIN, f"uid {task.uid} has {mine} tasks (RLIMIT_NPROC)")

    def new_namespace_number(self) -> int:
        """A number no namespace of this machine has had."""
        self._next_namespace += 1
        return self._next_namespace - 1

    def new_swap_namespace(self) -> SwapNamespace:
        """A child swap namespace: no area, no parent link."""
        return SwapNamespace(self.new_namespace_number(), scope_table.add(self.core), machine=self)

    def new_ipc_namespace(self) -> IpcNamespace:
        """An IPC namespace without segments."""
        return IpcNamespace(self.new_namespace_number())

    def drop_swap_namespace(self, ns: SwapNamespace) -> None:
        """Forget a namespace without tasks and areas.

        Shared objects that it paid for go to the host, or under the strict rule nowhere.
        """
        strict = self.rules.shared_pages == "strict"
        heir = _core.NOWHERE if strict else self.init.swap_ns.owner
        for shared in self.objects:
            if mapping_table.scope(self.core, shared.number) == ns.owner:
                mapping_table.set_scope(self.core, shared.number, heir)
        if self.rules.mixed_pages != "allocator":
            # Under that rule pages may still name their first owner: its number stays taken.
            scope_table.remove(self.core, ns.owner)

    def swap_namespace_emptied(self, ns: SwapNamespace) -> None:
        """Its last task left: rule ``last_exit``."""
        for area in list(ns.areas):
            area.orphaned = True
            if self.rules.last_exit == "swapoff":
                try:
                    turn_off(self, area, None)
                except OSError as error:
                    self.log.append(f"swapoff of {area.path} at the end of its namespace: {error}")
        if not ns.areas:
            self.drop_swap_namespace(ns)

    def shared_owner(self) -> int:
        """Who pays for a new shared anonymous object: rule ``shared_pages``."""
        return self.init.swap_ns.owner if self.rules.shared_pages == "initial" else _core.UNSET

    def memory_group(self, max: int | str = 0, *, policy: str | None = None) -> MemoryGroup:
        """A memory group with a limit (bytes, or "64MiB"; 0: none)."""
        with self.changes.of("making a memory group"):
            return MemoryGroup(self, parse_size(max) // PAGE_SIZE, policy or self.policy)

    def add_swap(self, size: int | str, *, priority: int | None = None) -> SwapArea:
        """Turn on an ideal device of ``size`` bytes in the initial namespace: slots, no bytes.

        Raises
        ------
        ValueError
            The machine has contents: they need a file; or the priority is not 0 to 32767.
        OSError
            EPERM: MAX_SWAPFILES areas are on.
        """
        self.check_usable()
        if self.contents:
            raise ValueError("a machine with contents swaps to files: use swapon")
        if priority is not None and not 0 <= priority <= f.SWAP_FLAG_PRIO_MASK:
            raise ValueError(f"priority is 0 to {f.SWAP_FLAG_PRIO_MASK}, not {priority}")
        if len(self.areas) >= self.max_swapfiles:
            raise system_error(errno.EPERM, f"{self.max_swapfiles} swap areas are on")
        number = self.area_types.take(1)
        self.area_types.give(number, 1)
        device = SimulatedDevice(f"/dev/simulated{number}", parse_size(size) // PAGE_SIZE - 1)
        flags = 0 if priority is None else f.SWAP_FLAG_PREFER | priority
        with self.changes.of("swapon"):
            return add_area(self, self.init.swap_ns, device, flags)

    def next_rank(self) -> int:
        """The next default priority, as the ranks stand."""
        return self.least_priority - len(self._left_ranks)

    def leave_rank(self, area: SwapArea) -> None:
        """An area of default priority is off."""
        self._left_ranks.append(area.standing)
        self.least_priority += 1

    def close_ranks(self) -> None:
        """Default priorities move up for areas that are off (6.18, swapoff); when one is looked at.

        Their order does not change by it, and nothing else counts while nobody looks.
        """
        if not self._left_ranks:
            return
        left, self._left_ranks = sorted(self._left_ranks), []
        for area in self.areas.values():
            if area.standing < 0:
                area.priority = area.standing + len(left) - bisect_right(left, area.standing)

    def read_files(self) -> None:
        """A program is started: page cache that was dropped is read again, out of free memory."""
        self.core.read_files(self._cache_at_boot)

    def take_mm_number(self) -> int:
        """A number for an address space."""
        return self._mm_numbers.take(1)

    def give_mm_number(self, number: int) -> None:
        """An address space is gone."""
        mapping_table.forget_mm(self.core, number)
        self._mm_numbers.give(number, 1)

    # ---------------------------------------------------------------- overcommit

    def check_overcommit(self, task: Task, pages: int) -> None:
        """Refuse a mapping that the overcommit policy does not allow.

        Raises
        ------
        OSError
            ENOMEM (mm/mmap.c, __vm_enough_memory).
        """
        if not self._enough_memory(task, pages):
            raise system_error(
                errno.ENOMEM,
                f"{pages * PAGE_SIZE} bytes are more than overcommit_memory={self.overcommit} "
                "allows; free memory, add swap, or use overcommit=1",
            )

    def _enough_memory(self, task: Task, pages: int) -> bool:
        if self.overcommit == 1:
            return True
        memory = self.core.memory()
        if self.overcommit == 2:
            committed = sum(t.total_vm for t in {t.mm for t in self.tasks.values() if t.alive})
            return committed + pages <= memory["total"] // 2 + memory["total_swap"]
        if self.profile.modern:
            return pages <= memory["total"] + memory["total_swap"]
        # What is reclaimable without swapping, swap, and free memory beyond the reserves; three
        # per cent of it stay for root.
        free = memory["file_cache"] + memory["free_swap"]
        spare = memory["free"] - self.watermarks[2]
        privileged = task.capable(f.CAP_SYS_ADMIN)
        if not privileged:
            free -= free // 32
            spare -= spare // 32
        return free > pages or (spare > 0 and free + spare > pages)

    def enough_memory_for_swapoff(self, task: Task, pages: int) -> bool:
        """security_vm_enough_memory: could memory hold a whole area of ``pages``?"""
        return self._enough_memory(task, pages)

    # ---------------------------------------------------------------- what one sees

    @property
    def now(self) -> int:
        """Simulated nanoseconds since boot."""
        return int(self.core.clock()["now"])

    def vmstat(self) -> dict[str, int]:
        """Counters by the kernel's names, those of the profile."""
        return procfs.vmstat(self, self._oom_kills)

    def proc_vmstat(self) -> str:
        """/proc/vmstat."""
        return procfs.render_vmstat(self.vmstat())

    def proc_swaps(self, task: Task | None = None) -> str:
        """/proc/swaps, as ``task`` sees it (rule ``proc_swaps``), or the host."""
        self.check_usable()
        return procfs.swaps(self, task)

    def meminfo(self) -> dict[str, int]:
        """/proc/meminfo, kB."""
        return procfs.meminfo(self)

    def smaps(self, task: Task) -> str:
        """/proc/PID/smaps."""
        return procfs.smaps(self, task)

    def pagemap(self, mapping: Mapping) -> NDArray[np.uint64]:
        """/proc/PID/pagemap, one word a page of the mapping."""
        return procfs.pagemap(self, mapping)

    def verify(self) -> None:
        """Walk every structure the slow way; AssertionError names what does not agree."""
        self.core.verify()

    # ---------------------------------------------------------------- checkpoint and restart

    def checkpoint(
        self,
        namespace: SwapNamespace,
        path: str | os.PathLike[str],
        *,
        kind: Literal["in-place", "pinned", "snapshot", "incremental"] = "in-place",
        parent: str | os.PathLike[str] | None = None,
        checksums: bool = True,
    ) -> None:
        """Checkpoint a child swap namespace; see `swapfast.checkpoint.checkpoint`."""
        from swapfast.checkpoint import checkpoint

        self.check_usable()
        with named(os.fspath(path)):
            checkpoint(self, namespace, path, kind=kind, parent=parent, checksums=checksums)

    @staticmethod
    def restart(
        path: str | os.PathLike[str],
        *,
        swapfile: str | os.PathLike[str] | None = None,
        keep: bool = True,
    ) -> Machine:
        """The machine of a checkpoint goes on; see `swapfast.checkpoint.restart`."""
        from swapfast.checkpoint import restart

        return restart(path, swapfile=swapfile, keep=keep)

    def boot_facts(self) -> dict[str, Any]:
        """What a checkpoint says of the machine beside the core's state."""
        return {
            "profile": self.profile.name,
            "contents": self.contents,
            "bits": self.bits,
            "overcommit": self.overcommit,
            "policy": self.policy,
            "max_swapfiles": self.max_swapfiles,
            "cache_at_boot": self._cache_at_boot,
            "oom_kills": self._oom_kills,
            "next_pid": self._next_pid,
            "next_namespace": self._next_namespace,
            "least_priority": self.least_priority,
        }

    def load_boot_facts(self, facts: Dict[str, Any]) -> None:
        """Count on from where a checkpoint was made."""
        self._oom_kills = facts["oom_kills"]
        self._next_pid = facts["next_pid"]
        self._next_namespace = facts["next_namespace"]
        self.least_priority = facts["least_priority"]

    def close(self) -> None:
        """Power off: every area's file is let go. A context manager does so too.

        What was counted can still be read (`vmstat`, `meminfo`, `now`, `log`); everything else
        fails with EBADF, in every object of the machine. Closing again is harmless.
        """
        self._give_up("the machine is powered off; make a new one")

    def _give_up(self, why: str) -> None:
        self.core.close(why)
        for area in self.areas.values():
            area.backing.close()

    def check_usable(self) -> None:
        """Raise OSError (EBADF) if the machine is powered off or broken."""
        self.changes.check()
        self.core.check()

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        total = self.core.memory()["total"] * PAGE_SIZE
        return f"<Machine {total} bytes, Linux {self.profile.name}, {len(self.tasks)} tasks>"


_machines: weakref.WeakSet[Machine] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    # The mapped swapfiles are not in a forked child (MADV_DONTFORK), and belong to its parent.
    for machine in list(_machines):
        if machine.files:
            machine.core.abandon(
                "the machine is the parent process's; it cannot be used after a fork"
            )


os.register_at_fork(after_in_child=_after_fork_in_child)


def _is_second(profile: Profile, option: str, value: str, choices: tuple[str, ...]) -> bool:
    """Whether an option is not at its default, the first choice; only 6.18 knows others."""
    if value not in choices:
        raise ValueError(f"{option} is one of {', '.join(choices)}; not {value!r}")
    if value != choices[0] and not profile.modern:
        raise ValueError(f"{option}={value!r} is a rule of 6.18, not of {profile.name}")
    return value != choices[0]


def _natural(
    profile: Profile, statistics: str, statistics_phase: int | None, tlb: str, seed: int
) -> dict[str, int]:
    """Options of the core for what a program gets that nobody observes."""
    stale = _is_second(profile, "statistics", statistics, STATISTICS)
    with_tlb = _is_second(profile, "tlb", tlb, tuple(TLB))
    if seed < 0:
        raise ValueError(f"seed is 0 or more, not {seed}")
    from random import Random  # here, for a quick import of the package

    drawn = Random(seed)
    phase = drawn.randrange(STATISTICS_PERIOD)
    if statistics_phase is not None:
        phase = statistics_phase
    if not 0 <= phase < STATISTICS_PERIOD:
        raise ValueError(f"statistics_phase is 0 to {STATISTICS_PERIOD - 1} ns, not {phase}")
    return {
        "stat_period": STATISTICS_PERIOD if stale else 0,
        "stat_phase": phase,
        "tlb_period": TLB[tlb],
        "tlb_phase": drawn.randrange(TLB[tlb]) if with_tlb else 0,
    }
