"""What kernel runs, and how it swaps: facts.

- ``facts(host)``: the kernel, its reclaim, groups, swap areas, page sizes, processors and memory.
"""

from __future__ import annotations

from collections.abc import Iterator

from swapfast.doctor.finding import Finding, State
from swapfast.measure.host import Host, read_table
from swapfast.running import choose
from swapfast.units import format_size

__all__ = ["facts"]

PART = "kernel"


def facts(host: Host) -> Iterator[Finding]:
    """Each with what it matters for."""
    release = host.text("proc/sys/kernel/osrelease") or "unknown"
    yield Finding(PART, "release", "fact", f"Linux {release}", "profiles are of 2.6.25 and 6.18")
    try:
        chosen = choose(host.root)
        found = f"{chosen.running.lru}: {chosen.why}"
        yield Finding(PART, "reclaim", "fact", found, f"--profile host is {chosen.profile}")
    except ValueError as error:
        remedy = "name a profile, 6.18 or 6.18-mglru"
        yield Finding(PART, "reclaim", "missing", str(error), "--profile host", remedy)
    yield from _groups(host)
    areas = host.swaps()
    found = f"on: {', '.join(areas)}" if areas else "none on"
    yield Finding(PART, "swap areas", "fact", found, "a measurement needs all others off")
    zswap = {"Y": "on", "1": "on", "N": "off", "0": "off"}
    found = zswap.get(host.text("sys/module/zswap/parameters/enabled") or "", "not built in")
    yield Finding(PART, "zswap", "fact", found, "a measurement needs it off")
    yield Finding(PART, "pages", "fact", _pages(host), "traces are of pages of 4096 bytes")
    found = f"{len(host.cpus)} processors, {format_size(host.available())} of memory available"
    yield Finding(PART, "machine", "fact", found, "compare and sweep: a run on each processor")


def _groups(host: Host) -> Iterator[Finding]:
    gives = "measure: a limit on memory, as --memory of replay"
    if host.group("swapfast") is None:
        found, remedy = "no memory controller", "boot with CONFIG_MEMCG, or mount cgroups"
        yield Finding(PART, "memory cgroup", "missing", found, gives, remedy)
        return
    version = host.running().cgroup
    yield Finding(PART, "memory cgroup", "fact", f"cgroup v{version}", gives)
    limited = host.limits_swap()
    states: dict[bool | None, tuple[State, str, str]] = {
        True: ("fact", "groups have a limit of swap", ""),
        False: ("missing", "groups have no limit of swap", "boot with swapaccount=1"),
        None: ("fact", "unknown: no group is there to see it in", ""),
    }
    state, found, remedy = states[limited]
    gives = "memory.swap.max, beside scopes of your own"
    yield Finding(PART, "swap controller", state, found, gives, remedy)


def _pages(host: Host) -> str:
    parts = [f"{host.page_size} bytes"]
    mode = host.text("sys/kernel/mm/transparent_hugepage/enabled") or ""
    chosen = mode.partition("[")[2].partition("]")[0]
    parts.append(f"transparent huge pages: {chosen or 'not built in'}")
    try:
        count = read_table(host.path("proc/meminfo")).get("HugePages_Total", 0)
    except OSError:
        count = 0
    return ", ".join([*parts, f"{count} huge pages set aside"])
