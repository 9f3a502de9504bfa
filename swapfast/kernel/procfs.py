"""What the kernel shows in /proc, in its own words and columns; sysinfo(2).

- ``swaps(kernel, task)``: /proc/swaps.
- ``vmstat(kernel)``, ``render_vmstat``: /proc/vmstat, the counters of the profile.
- ``meminfo(kernel)``: /proc/meminfo, kB.
- ``smaps(kernel, task)``, ``pagemap(kernel, mapping)``: /proc/PID/smaps and pagemap.

Sources: mm/swapfile.c (swap_show), mm/vmstat.c, fs/proc/task_mmu.c of 2.6.25 and 6.18.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from swapfast import _core
from swapfast.core import mapping_table
from swapfast.kernel.records import SysInfo
from swapfast.kernel.state import Kernel, Mapping, SwapArea, Task
from swapfast.units import PAGE_SIZE

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "meminfo",
    "pagemap",
    "read_proc_swaps",
    "render_vmstat",
    "smaps",
    "swaps",
    "sysinfo",
    "vmstat",
]

KB = PAGE_SIZE // 1024
PSS_SHIFT = 12


def visible_areas(kernel: Kernel, task: Task | None) -> list[SwapArea]:
    """Areas that a task sees, in order of their type."""
    areas = [kernel.areas[number] for number in sorted(kernel.areas)]
    if task is None or task.swap_ns.initial or kernel.rules.proc_swaps == "global":
        return areas
    return [a for a in areas if a.namespace is task.swap_ns]


def escape_path(path: str) -> str:
    """seq_path(): blanks, tabs, newlines and backslashes as octal."""
    return "".join(f"\\{ord(c):03o}" if c in " \t\n\\" else c for c in path)


def swaps(kernel: Kernel, task: Task | None = None) -> str:
    """/proc/swaps: sizes in kB of usable pages."""
    modern = kernel.profile.modern
    gap = "\t\t" if modern else "\t"
    lines = [f"Filename\t\t\t\tType\t\tSize{gap}Used{gap}Priority\n"]
    for area in visible_areas(kernel, task):
        info = area.info
        name = escape_path(area.path)
        pad = " " * max(40 - len(os.fsencode(name)), 1)
        kind = "file\t" if area.kind == "file" else area.kind
        size, used = info["pages"] * KB, info["inuse"] * KB
        columns = [f"{size}", f"{used}"]
        if modern:
            columns = [c + ("\t" if int(c) < 10_000_000 else "") for c in columns]
        lines.append(f"{name}{pad}{kind}\t{columns[0]}\t{columns[1]}\t{area.priority}\n")
    return "".join(lines)


def vmstat(kernel: Kernel) -> dict[str, int]:
    """Counters since boot, and page counts now, by the profile's names."""
    n = kernel.core.counters()
    memory = kernel.core.memory()
    common = {
        "nr_free_pages": memory["free"],
        "pswpin": n["pswpin"],
        "pswpout": n["pswpout"],
        "pgactivate": n["pgactivate"],
        "pgdeactivate": n["pgdeactivate"],
        "pgfault": n["pgfault"],
        "pgmajfault": n["pgmajfault"],
        "pageoutrun": n["pageoutrun"],
        "pgrotated": n["pgrotated"],
    }
    if not kernel.profile.modern:
        return {
            **common,
            "nr_inactive": memory["inactive"],
            "nr_active": memory["active"],
            "pgrefill_normal": n["pgrefill"],
            "pgsteal_normal": n["pgsteal_kswapd"] + n["pgsteal_direct"],
            "pgscan_kswapd_normal": n["pgscan_kswapd"],
            "pgscan_direct_normal": n["pgscan_direct"],
            "kswapd_steal": n["pgsteal_kswapd"],
            "allocstall": n["allocstall"],
        }
    return {
        **common,
        "nr_inactive_anon": memory["inactive"],
        "nr_active_anon": memory["active"],
        "pgrefill": n["pgrefill"],
        "pgscan_kswapd": n["pgscan_kswapd"],
        "pgscan_direct": n["pgscan_direct"],
        "pgscan_anon": n["pgscan_kswapd"] + n["pgscan_direct"],
        "pgsteal_kswapd": n["pgsteal_kswapd"],
        "pgsteal_direct": n["pgsteal_direct"],
        "pgsteal_anon": n["pgsteal_kswapd"] + n["pgsteal_direct"],
        "allocstall_normal": n["allocstall"],
        "workingset_refault_anon": n["workingset_refault"],
        "workingset_activate_anon": n["workingset_activate"],
        "workingset_restore_anon": n["workingset_restore"],
        "oom_kill": kernel.oom_kills,
        "swap_ra": n["swap_ra"],
        "swap_ra_hit": n["swap_ra_hit"],
        "swpin_zero": n["swpin_zero"],
        "swpout_zero": n["swpout_zero"],
    }


def render_vmstat(counters: dict[str, int]) -> str:
    """/proc/vmstat: a name and a number a line."""
    return "".join(f"{name} {value}\n" for name, value in counters.items())


def meminfo(kernel: Kernel) -> dict[str, int]:
    """/proc/meminfo, kB."""
    memory = kernel.core.memory()
    return {
        "MemTotal": memory["total"] * KB,
        "MemFree": memory["free"] * KB,
        "Cached": memory["file_cache"] * KB,
        "Active": memory["active"] * KB,
        "Inactive": memory["inactive"] * KB,
        "SwapTotal": memory["total_swap"] * KB,
        "SwapFree": memory["free_swap"] * KB,
    }


def smaps(kernel: Kernel, task: Task) -> str:
    """/proc/PID/smaps; 2.6.25 has no Swap line yet, SwapPss came with 4.3."""
    return "".join(
        _smaps_entry(kernel, mapping, first, end)
        for mapping in task.mappings
        for first, end in mapping.ranges
    )


def _smaps_entry(kernel: Kernel, mapping: Mapping, first: int, end: int) -> str:
    state = partial(mapping_table.state, kernel.core)
    pte, _, mapped, swapped = state(mapping.number, first, end - first)
    present = (pte & _core.PRESENT != 0) & (pte & _core.ZERO == 0)
    out = pte & _core.SWAPPED != 0
    dirty = pte & _core.DIRTY != 0
    alone = mapped == 1
    values = {
        "Size": end - first,
        "Rss": present.sum(),
        "Pss": _shares(mapped[present]),
        "Shared_Clean": (present & ~alone & ~dirty).sum(),
        "Shared_Dirty": (present & ~alone & dirty).sum(),
        "Private_Clean": (present & alone & ~dirty).sum(),
        "Private_Dirty": (present & alone & dirty).sum(),
        "Referenced": (present & (pte & _core.ACCESSED != 0)).sum(),
    }
    if kernel.profile.modern:
        values["Anonymous"] = 0 if mapping.shared else values["Rss"]
        values["Swap"] = out.sum()
        if mapping.object is not None:
            # shmem_swap_usage: the object knows which of its pages are out.
            held = state(mapping.object.number, first, end - first)[0]
            values["Swap"] = (held & _core.SWAPPED != 0).sum()
        values["SwapPss"] = _shares(swapped[out])
    protection = ("r-" if mapping.readonly else "rw") + ("-s" if mapping.shared else "-p")
    start, stop = mapping.addr + first * PAGE_SIZE, mapping.addr + end * PAGE_SIZE
    offset = first * PAGE_SIZE if mapping.shared else 0
    head = f"{start:08x}-{stop:08x} {protection} {offset:08x} 00:00 0"
    name = f"{'':26}{mapping.name}" if mapping.name else " "
    lines = [f"{head}{name}\n"]
    lines += [f"{key + ':':16}{int(value * KB):8d} kB\n" for key, value in values.items()]
    return "".join(lines)


def _shares(users: NDArray[np.uint32]) -> float:
    """Pages, each divided among its users, in the kernel's fixed point of 12 bits."""
    return int(((PAGE_SIZE << PSS_SHIFT) // users.astype(np.int64)).sum()) / (
        PAGE_SIZE << PSS_SHIFT
    )


def pagemap(kernel: Kernel, mapping: Mapping) -> NDArray[np.uint64]:
    """/proc/PID/pagemap: bit 63 present, bit 62 swapped with type (bits 0-4) and offset (5-54).

    2.6.25 puts the page shift into bits 55-60 of every word; 6.18 has bit 61 for shared pages and
    56 for pages mapped once. Frame numbers are not simulated and read 0.
    """
    pte, entry, mapped, _ = mapping_table.state(kernel.core, mapping.number, 0, mapping.pages)
    words = np.zeros(mapping.pages, dtype=np.uint64)
    if not kernel.profile.modern:
        words |= np.uint64(12 << 55)
    present = pte & _core.PRESENT != 0
    words[present] |= np.uint64(1 << 63)
    if kernel.profile.modern:
        words[present & (mapped == 1)] |= np.uint64(1 << 56)
        if mapping.shared:
            words[present] |= np.uint64(1 << 61)
    out = np.flatnonzero(pte & _core.SWAPPED)
    words[out] |= np.uint64(1 << 62)
    for area in kernel.areas.values():
        first = area.base
        here = out[(entry[out] >= first) & (entry[out] < first + area.backing.end)]
        offset = (entry[here] - np.uint32(first)).astype(np.uint64)
        words[here] |= np.uint64(area.type) | offset << np.uint64(5)
    return words


# ---------------------------------------------------------------- as system calls


def sysinfo(task: Task) -> SysInfo:
    """sysinfo(2); see `Task.sysinfo`."""
    kernel = task.kernel
    memory = kernel.core.memory()
    total, free = memory["total_swap"], memory["free_swap"]
    if kernel.rules.sysinfo == "namespaced" and not task.swap_ns.initial:
        infos = [area.info for area in task.swap_ns.areas]
        total = sum(i["pages"] for i in infos)
        free = sum(i["pages"] - i["inuse"] for i in infos)
    return SysInfo(
        totalram=memory["total"] * PAGE_SIZE,
        freeram=memory["free"] * PAGE_SIZE,
        sharedram=0,
        bufferram=0,
        totalswap=total * PAGE_SIZE,
        freeswap=free * PAGE_SIZE,
        procs=sum(t.alive for t in kernel.tasks.values()),
    )


def read_proc_swaps(task: Task) -> str:
    """/proc/swaps as a task sees it."""
    return swaps(task.kernel, task)
