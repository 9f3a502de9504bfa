"""/proc/meminfo as the kernel prints it: every line that one has on x86-64.

- ``render_meminfo(task)``: the text, as a task sees it.

What a simulated machine does not have (huge pages, slab, page tables, dirty file pages) is 0. Lines
that are sums are the sums of the others. Source: fs/proc/meminfo.c (2.6.25: fs/proc/proc_misc.c).
"""

from __future__ import annotations

from swapfast.kernel import procfs
from swapfast.kernel.state import Task
from swapfast.units import PAGE_SIZE

__all__ = ["render_meminfo"]

KB = PAGE_SIZE // 1024
VMALLOC_TOTAL = (1 << 35) - 1  # kB, of x86-64 with four levels of page tables
HUGE_PAGE = 2048  # kB

OLD = (
    "MemTotal MemFree Buffers Cached SwapCached Active Inactive SwapTotal SwapFree Dirty "
    "Writeback AnonPages Mapped Slab SReclaimable SUnreclaim PageTables NFS_Unstable Bounce "
    "CommitLimit Committed_AS VmallocTotal VmallocUsed VmallocChunk HugePages_Total "
    "HugePages_Free HugePages_Rsvd HugePages_Surp Hugepagesize "
)
NEW = (
    "MemTotal MemFree MemAvailable Buffers Cached SwapCached Active Inactive Active(anon) "
    "Inactive(anon) Active(file) Inactive(file) Unevictable Mlocked SwapTotal SwapFree Zswap "
    "Zswapped Dirty Writeback AnonPages Mapped Shmem KReclaimable Slab SReclaimable SUnreclaim "
    "KernelStack PageTables SecPageTables NFS_Unstable Bounce WritebackTmp CommitLimit "
    "Committed_AS VmallocTotal VmallocUsed VmallocChunk Percpu HardwareCorrupted AnonHugePages "
    "ShmemHugePages ShmemPmdMapped FileHugePages FilePmdMapped HugePages_Total HugePages_Free "
    "HugePages_Rsvd HugePages_Surp Hugepagesize Hugetlb DirectMap4k DirectMap2M DirectMap1G "
)


def render_meminfo(task: Task) -> str:
    """/proc/meminfo, as a task sees it: what it says of swap follows rule ``sysinfo``."""
    kernel = task.kernel
    values = _values(task)
    lines = []
    for name in (NEW if kernel.profile.modern else OLD).split():
        value = values.get(name, 0)
        unit = "" if name.startswith("HugePages_") else " kB"
        # 2.6.25 aligns at column 14, later kernels at 16.
        lines.append(
            f"{name + ':':<16}{value:>8}{unit}\n"
            if kernel.profile.modern
            else f"{name + ':':<14}{value:>8}{unit}\n"
        )
    return "".join(lines)


def _values(task: Task) -> dict[str, int]:
    kernel = task.kernel
    values = procfs.meminfo(kernel)
    swap = procfs.sysinfo(task)
    memory = kernel.core.memory()
    values["SwapTotal"], values["SwapFree"] = swap.totalswap // 1024, swap.freeswap // 1024
    anon = (memory["active"] + memory["inactive"]) * KB
    values["Active(anon)"], values["Inactive(anon)"] = values["Active"], values["Inactive"]
    # Page cache that was dropped first is what lies at the end of its list.
    values["Inactive(file)"] = values["Cached"]
    values["Inactive"] += values["Cached"]
    values["AnonPages"] = anon
    low = kernel.options.watermarks[1] * KB
    free = values["MemFree"]
    # mm/show_mem.c, si_mem_available: half of the cache, or the low watermark, has to stay.
    kept = min(values["Cached"] // 2, low)
    values["MemAvailable"] = max(free - low + values["Cached"] - kept, 0)
    values["CommitLimit"] = values["MemTotal"] // 2 + values["SwapTotal"]
    values["Committed_AS"] = sum(
        mapping.mapped_pages * KB
        for mm in {id(t.mm): t.mm for t in kernel.tasks.values() if t.alive}.values()
        for mapping in mm.mappings.values()
        if not mapping.readonly
    )
    values["VmallocTotal"], values["Hugepagesize"] = VMALLOC_TOTAL, HUGE_PAGE
    values["DirectMap4k"] = values["MemTotal"]
    return values
