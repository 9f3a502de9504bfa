"""One trace, one machine: what would it cost?

- ``replay(trace, memory, ...)``: a fresh machine whose only task runs under a memory group's limit;
  returns a ``ReplayResult``. Policies that are no kernel's are replayed alone, without a machine
  around them, unless one is asked for.
- ``stamp_mismatches(mapping, trace, tag)``: after a replay with contents, which pages do not hold
  what was written last?
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Unpack, cast

import numpy as np

from swapfast import _core
from swapfast.errors import Interrupted, TaskKilled
from swapfast.kernel.options import Keywords, not_default
from swapfast.kernel.profile import PROFILES
from swapfast.machine import Machine
from swapfast.replacement import POLICIES, Counts, is_own, simulate
from swapfast.results import Shown
from swapfast.units import PAGE_SIZE, parse_share, parse_size

if TYPE_CHECKING:
    from swapfast.kernel.state import Mapping
    from swapfast.traces import Trace

__all__ = ["ReplayResult", "policies", "replay", "stamp_mismatches"]

MEASURED_SLOTS = 131_071  # of the area under which the 6.18 policy was held against the kernel
PAGE_TABLE = 512  # pages that one maps
Progress = Callable[[int, int], None]


def policies() -> tuple[str, ...]:
    """Names of the replacement policies: the kernels', then those that stand alone."""
    of_machine = _core.policy_names()
    return (*of_machine, *(name for name in POLICIES if name not in of_machine))


@dataclass(frozen=True, slots=True)
class ReplayResult(Shown):
    """What one replay counted.

    Attributes
    ----------
    trace : str
        Where it came from.
    refs, pages : int
        References and distinct pages of the trace.
    refs_done : int
        Less than ``refs`` if the task was killed.
    memory_pages : int
        Limit in pages.
    policy : str
    profile : str
        Kernel; "none" for a policy replayed alone.
    page_cluster : int
    pgfault, pgmajfault, pswpin, pswpout, pgscan, pgsteal, pgactivate, pgdeactivate : int
        As in /proc/vmstat; pages.
    workingset_refault_anon, workingset_activate_anon, swap_ra, swap_ra_hit : int
        The same; pages.
    oom : int
        1 if nothing could be reclaimed and the task was killed.
    simulated_s : float
        Simulated time of the task, seconds; 0 for a policy replayed alone.
    simulated : dict
        Where it went: nanoseconds in references, faults, swap_in, reclaim, writeback_wait.
    wall_s : float
        Time this took here, seconds.
    refs_per_s : float
        References a second of wall time.
    interrupted : bool
        Ctrl-C ended it: all counts are of the first ``refs_done`` references.
    """

    trace: str
    refs: int
    pages: int
    refs_done: int
    memory_pages: int
    policy: str
    profile: str
    page_cluster: int
    pgfault: int
    pgmajfault: int
    pswpin: int
    pswpout: int
    pgscan: int
    pgsteal: int
    pgactivate: int
    pgdeactivate: int
    workingset_refault_anon: int
    workingset_activate_anon: int
    swap_ra: int
    swap_ra_hit: int
    oom: int
    simulated_s: float
    simulated: dict[str, int]
    wall_s: float
    refs_per_s: float
    interrupted: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The same, for JSON."""
        return asdict(self)


def replay(
    trace: Trace,
    memory: int | str,
    *,
    profile: str | None = None,
    swap: int | str | None = None,
    device: str | None = None,
    offset: int = 0,
    progress: Progress | None = None,
    **kernel: Unpack[Keywords],
) -> ReplayResult:
    """Replay a trace on a machine of its own, without contents.

    A policy that is no kernel's is replayed alone if neither ``profile``, ``page_cluster``,
    ``swap``, ``device``, ``offset``, ``times``, ``statistics``, ``tlb``, ``readahead``, ``plug``
    nor ``lru_gen`` is given: every touched page takes a frame, and swap has room for all.

    Parameters
    ----------
    trace : Trace
    memory : int or str
        What the program may use: bytes, "64MiB", or a share of the trace's pages, "50%" (rounded
        down).
    profile : {"6.18", "6.18-mglru", "2.6.25"}, optional
        Kernel; by default the one that the policy names, else 6.18.
    swap : int or str, optional
        Size of the swap area. By default twice the trace's pages and about 512 MiB at least, so
        that it is never more than half full (a fuller area frees slots at once).
    device : str, optional
        Preset of the device under the area, of `swapfast.devices.PRESETS`; by default a disk with
        the times of the machine.
    offset : int
        Where in a page table the pages begin, in pages; linux-6.18-mglru looks at neighbours there.
    progress : callable, optional
        Called as ``progress(references done, all)``.
    policy : str, optional
        One of ``policies()``, or "file.py:Class" (see `swapfast.replacement.own_policy`); the
        profile's by default.
    page_cluster : int, optional
        log2 of the swap read-ahead window, 0 to 5; 3 by default, 0 for policies that are no
        kernel's.
    swappiness, times, statistics, statistics_phase, tlb, readahead, plug, lru_gen, lru_gen_rule, \
lru_drain, seed : optional
        As `swapfast.kernel.options.KernelOptions`. Statistics matter to policy linux-6.18 alone,
        those of the generations to linux-6.18-mglru.

    Returns
    -------
    ReplayResult

    Raises
    ------
    ValueError
        A parameter out of range, a policy of one kernel with the other's profile, or one that only
        stands alone with a machine's parameters.
    Interrupted
        A KeyboardInterrupt came, which ``progress`` may raise: its ``result`` is a ReplayResult of
        the references done. Of one that came between two calls of ``progress``, the counts may
        include a few references more.
    """
    if not 0 <= offset < PAGE_TABLE:
        raise ValueError(f"offset is a page of a page table, 0 to {PAGE_TABLE - 1}, not {offset}")
    policy = kernel.get("policy")
    asked = not_default(kernel) - {"policy", "swappiness", "seed"}
    machine_asked = bool(asked or profile or swap is not None or device or offset)
    if _stands_alone(policy, machine_asked):
        if machine_asked:
            raise ValueError(
                f"policy {policy} stands alone: it takes no profile, page_cluster, swap, device, "
                "offset, times, statistics, tlb, readahead, plug or lru_gen"
            )
        return _replay_alone(trace, parse_share(memory, trace.pages), str(policy), progress)
    profile, policy, page_cluster = _choose(profile, policy, kernel.get("page_cluster"))
    limit = parse_share(memory, trace.pages)
    kernel["page_cluster"] = page_cluster
    machine = _machine(trace.pages, limit, profile, swap, device, kernel)
    task = machine.init.fork("replay")
    of_machine = policy == PROFILES[profile].policy  # which lru_gen may have changed
    group = machine.memory_group(limit * PAGE_SIZE, policy=None if of_machine else policy)
    group.add(task)
    task.mm.next_address += offset * PAGE_SIZE
    mapping = task.mmap(trace.pages * PAGE_SIZE)
    oom = done = 0
    begin = time.perf_counter()

    def report(now: int, of: int) -> None:
        nonlocal done
        done = now
        if progress is not None:
            progress(now, of)

    interrupted = False
    try:
        machine.replay(trace, mapping, progress=report)
    except TaskKilled:
        oom = 1
    except KeyboardInterrupt:
        interrupted = True
    wall = time.perf_counter() - begin
    n, clock = machine.core.counters(), machine.core.clock()
    result = ReplayResult(
        trace=trace.origin,
        refs=len(trace),
        pages=trace.pages,
        refs_done=done,
        memory_pages=limit,
        policy=group.policy,
        profile=profile,
        page_cluster=page_cluster,
        pgfault=n["pgfault"],
        pgmajfault=n["pgmajfault"],
        pswpin=n["pswpin"],
        pswpout=n["pswpout"],
        pgscan=n["pgscan_kswapd"] + n["pgscan_direct"],
        pgsteal=n["pgsteal_kswapd"] + n["pgsteal_direct"],
        pgactivate=n["pgactivate"],
        pgdeactivate=n["pgdeactivate"],
        workingset_refault_anon=n["workingset_refault"],
        workingset_activate_anon=n["workingset_activate"],
        swap_ra=n["swap_ra"],
        swap_ra_hit=n["swap_ra_hit"],
        oom=oom,
        simulated_s=clock["now"] / 1e9,
        simulated={k: v for k, v in clock.items() if k != "now"},
        wall_s=wall,
        refs_per_s=done / wall if wall > 0 else 0.0,
        interrupted=interrupted,
    )
    if interrupted:
        raise Interrupted(result)
    return result


def _stands_alone(policy: str | None, machine_asked: bool) -> bool:
    of_both = machine_asked and policy in _core.policy_names()
    return is_own(policy) or (policy in POLICIES and not of_both)


def _machine(
    pages: int,
    limit: int,
    profile: str,
    swap: int | str | None,
    device: str | None,
    kernel: Keywords,
) -> Machine:
    """One with a swap area, on which only a group's limit presses: its own watermarks do not."""
    area = max(MEASURED_SLOTS, 2 * pages + 1) * PAGE_SIZE if swap is None else parse_size(swap)
    kernel["contents"], kernel["cache"], kernel["overcommit"] = False, 0, 1
    kernel["policy"] = None
    machine = Machine((2 * min(limit, pages) + 65536) * PAGE_SIZE, profile, **kernel)
    machine.add_swap(area, device=machine.device(device, device) if device else None)
    return machine


def _replay_alone(
    trace: Trace, frames: int, policy: str, progress: Progress | None
) -> ReplayResult:
    interrupted = False
    try:
        counts = simulate(trace, frames, policy, progress=progress)
    except Interrupted as stop:
        counts, interrupted = cast(Counts, stop.result), True
    major = counts.misses - counts.first
    result = ReplayResult(
        trace=trace.origin,
        refs=len(trace),
        pages=trace.pages,
        refs_done=counts.refs,
        memory_pages=frames,
        policy=counts.policy,
        profile="none",
        page_cluster=0,
        pgfault=counts.misses,
        pgmajfault=major,
        pswpin=major,
        pswpout=counts.written,
        pgscan=counts.scanned,
        pgsteal=counts.evicted,
        pgactivate=0,
        pgdeactivate=0,
        workingset_refault_anon=major,
        workingset_activate_anon=0,
        swap_ra=0,
        swap_ra_hit=0,
        oom=0,
        simulated_s=0.0,
        simulated={},
        wall_s=counts.wall_s,
        refs_per_s=counts.refs / counts.wall_s if counts.wall_s > 0 else 0.0,
        interrupted=interrupted,
    )
    if interrupted:
        raise Interrupted(result)
    return result


def _choose(
    profile: str | None, policy: str | None, page_cluster: int | None
) -> tuple[str, str, int]:
    if policy is not None and policy not in policies():
        raise ValueError(f"no policy {policy!r}; there are {', '.join(policies())}")
    of_kernel = next((p for p in PROFILES.values() if p.policy == policy), None)
    if profile is None:
        profile = of_kernel.name if of_kernel else "6.18"
    if profile not in PROFILES:
        raise ValueError(f"no profile {profile!r}; there are {', '.join(PROFILES)}")
    if of_kernel is not None and of_kernel.name != profile:
        raise ValueError(f"policy {policy} is of profile {of_kernel.name}, not {profile}")
    chosen = policy or PROFILES[profile].policy
    kernels = {p.policy for p in PROFILES.values()}
    if page_cluster is None:
        page_cluster = PROFILES[profile].page_cluster if chosen in kernels else 0
    return profile, chosen, page_cluster


def stamp_mismatches(mapping: Mapping, trace: Trace, tag: str) -> list[int]:
    """Read every page back and compare its stamp with the last write the trace did to it.

    Parameters
    ----------
    mapping : Mapping
        Into which `Machine.replay` replayed ``trace`` with ``tag``.
    trace : Trace
    tag : str

    Returns
    -------
    list of int
        Pages whose bytes are not what was written last; empty if all is well.
    """
    last = np.full(trace.pages, -1, dtype=np.int64)
    done = 0
    for refs in trace.chunks():
        writes = np.flatnonzero(refs >> np.uint32(31))
        np.maximum.at(last, refs[writes] & np.uint32(0x7FFFFFFF), writes + done)
        done += len(refs)
    head = tag.encode("ascii", "replace")[:16].ljust(16)
    length = _core.TAG_LENGTH - 1
    wrong = []
    for page, number in enumerate(last.tolist()):
        stamp = head + b"page %08x ref %016x\n" % (page, number) if number >= 0 else bytes(length)
        if mapping.read(page * PAGE_SIZE, length) != stamp:
            wrong.append(page)
    return wrong
