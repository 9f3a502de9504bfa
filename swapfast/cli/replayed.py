"""What a replay counted, for a person.

- ``show(result)``: one, each counter a row. ``show_several(results)``: a row for each memory.
"""

from __future__ import annotations

from swapfast.cli.output import console
from swapfast.replay import ReplayResult
from swapfast.units import PAGE_SIZE, format_count, format_ns, format_size

__all__ = ["show", "show_several"]

COUNTERS = (
    ("pgfault", "faults"),
    ("pgmajfault", "faults that read swap"),
    ("pswpin", "swapped in"),
    ("pswpout", "swapped out"),
    ("pgscan", "scanned by reclaim"),
    ("pgsteal", "reclaimed"),
    ("pgactivate", "activated"),
    ("pgdeactivate", "deactivated"),
    ("workingset_refault_anon", "refaults"),
    ("workingset_activate_anon", "refaults activated"),
    ("swap_ra", "read ahead"),
    ("swap_ra_hit", "read ahead and used"),
)


def show(result: ReplayResult, cpu_s: float) -> None:
    """The counters as a table."""
    share = result.memory_pages / result.pages
    console.say((result.trace, "bold"))
    console.say(
        f"{format_count(result.refs)} references to {format_count(result.pages)} pages "
        f"({format_size(result.pages * PAGE_SIZE)}); memory for "
        f"{format_count(result.memory_pages)} of them ({share:.0%}); {_kernel(result)}"
    )
    if result.interrupted:
        console.say((f"interrupted: only the first {format_count(result.refs_done)}", "yellow"))
    refs = result.refs_done if result.interrupted else result.refs
    rows = []
    for name, meaning in COUNTERS:
        value = getattr(result, name)
        rate = 1000 * value / refs if refs else 0.0
        rows.append((f"{name:26} {meaning}", format_count(value), f"{rate:.2f}"))
    console.table(("", "pages", "per 1000 refs"), rows, left=("",))
    spent = ", ".join(f"{name} {format_ns(ns)}" for name, ns in result.simulated.items() if ns > 0)
    if spent:
        console.say(f"simulated time {result.simulated_s:.3f} s: {spent}")
    _took(result.wall_s, cpu_s, result.refs_done)


def show_several(results: list[ReplayResult], cpu_s: float) -> None:
    """The counters that are asked for most, a row for each memory."""
    first, last = results[0], results[-1]
    console.say((first.trace, "bold"))
    console.say(
        f"{format_count(first.refs)} references to {format_count(first.pages)} pages "
        f"({format_size(first.pages * PAGE_SIZE)}); {_kernel(first)}"
    )
    titles = ["memory", "of the pages", "faults", "that read swap", "swapped in", "swapped out"]
    if first.profile != "none":
        titles.append("simulated time")
    rows = []
    for one in results:
        counts = (one.pgfault, one.pgmajfault, one.pswpin, one.pswpout)
        row = [format_size(one.memory_pages * PAGE_SIZE), f"{one.memory_pages / one.pages:.0%}"]
        row += map(format_count, counts)
        if first.profile != "none":
            row.append("killed" if one.oom else f"{one.simulated_s:.3f} s")
        rows.append(row)
    console.table(titles, rows)
    if last.interrupted:
        done = (
            f"interrupted: the last row is of the first {format_count(last.refs_done)} references"
        )
        console.say((done, "yellow"))
    wall, done_refs = sum(r.wall_s for r in results), sum(r.refs_done for r in results)
    _took(wall, cpu_s, done_refs)


def _took(wall_s: float, cpu_s: float, refs: int) -> None:
    """Real time, processor time, and the rate in real time."""
    per_s = refs / wall_s / 1e6 if wall_s > 0 else 0.0
    times = f"{wall_s:.3f} s, {cpu_s:.3f} s of processor"
    console.say(f"replayed in {times}: {per_s:.3g} M references/s")


def _kernel(result: ReplayResult) -> str:
    if result.profile == "none":
        return f"{result.policy} alone"
    return f"{result.policy}, Linux {result.profile}, page-cluster {result.page_cluster}"
