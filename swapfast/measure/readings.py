"""What the kernel says of a group: counters, pressure, and how much it ever used.

- ``readings(group)``: totals since the group was made. ``grown(before, after)``: what came since.
- ``MORE``: the columns of a truth file that not every kernel can fill.

The two versions of cgroups name them differently, and v1 has no pressure and counts no pages that
are swapped out: what a kernel does not say of a group is left out.
"""

from __future__ import annotations

from pathlib import Path

from swapfast.measure.host import Group, read_table
from swapfast.units import PAGE_SIZE

__all__ = ["COUNTERS", "MORE", "PRESSURE", "grown", "readings"]

COUNTERS = ("pswpin", "pswpout")
#: In memory.stat of cgroup v2.
EVENTS = (
    "pgscan",
    "pgsteal",
    "pgactivate",
    "pgdeactivate",
    "pgrefill",
    "workingset_refault_anon",
    "workingset_activate_anon",
    "workingset_restore_anon",
)
#: Column -> file of cgroup v2, and the line of it whose total is meant, in us.
PRESSURE = {
    f"psi_{short}_{kind}_us": (f"{what}.pressure", kind)
    for short, what in (("mem", "memory"), ("io", "io"), ("cpu", "cpu"))
    for kind in ("some", "full")
}
PEAK = "peak_pages"
MORE = (*EVENTS, PEAK, *PRESSURE)


def readings(group: Group, *, machine: bool = True) -> dict[str, int]:
    """Totals of a group.

    Parameters
    ----------
    group : Group
    machine : bool
        Whether pages swapped in and out are those of the whole machine where the kernel does not
        count them for a group.

    Raises
    ------
    OSError
        The group has no statistics.
    """
    stat = read_table(group.stat)
    found = {name: stat[name] for name in COUNTERS if name in stat}
    if machine and len(found) < len(COUNTERS):
        everything = read_table(Path("/proc/vmstat"))
        found = {name: everything[name] for name in COUNTERS}
    if group.version == 2:
        found |= {name: stat[name] for name in EVENTS if name in stat}
    if "pgmajfault" in stat:
        found["pgmajfault"] = stat["pgmajfault"]
    peak = _number(group.peak)
    if peak is not None:
        found[PEAK] = peak // PAGE_SIZE
    return found | _pressure(group)


def grown(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """What came in between; the peak is one of the whole life of the group."""
    return {
        name: value if name == PEAK else value - before[name]
        for name, value in after.items()
        if name in before
    }


def _pressure(group: Group) -> dict[str, int]:
    """Totals in us; none where the kernel keeps none."""
    found = {}
    for column, (file, kind) in PRESSURE.items():
        try:
            lines = (group.path / file).read_text().splitlines()
        except OSError:  # v1; or psi=0, which is said when the file is read
            continue
        for line in lines:
            words = line.split()
            if words and words[0] == kind and words[-1].startswith("total="):
                found[column] = int(words[-1].removeprefix("total="))
    return found


def _number(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
