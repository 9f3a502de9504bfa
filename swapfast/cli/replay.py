"""``swapfast replay``: one trace, one machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Unpack, cast

import click

from swapfast.cli.cautions import warn, warn_below
from swapfast.cli.options import PID, PROFILE_HELP, profile_of, share_of, size_of
from swapfast.cli.output import (
    EXIT_NO,
    JSON,
    console,
    counting,
    emit_json,
    interrupted,
    progress,
    reported,
)
from swapfast.devices import PRESETS
from swapfast.errors import Interrupted
from swapfast.kernel.choices import LRU_GEN_RULES, PLUG, READAHEAD, STATISTICS, TLB
from swapfast.kernel.options import Keywords
from swapfast.replay import ReplayResult, policies
from swapfast.replay import replay as replay_trace
from swapfast.traces import open_trace
from swapfast.traces.format import Pid
from swapfast.units import PAGE_SIZE, format_count, format_ns, format_size

__all__ = ["replay"]

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


@click.command()
@click.argument("trace", type=click.Path(path_type=Path))
@click.option(
    "--memory",
    "-m",
    required=True,
    metavar="SIZE|SHARE",
    help="What the program may use: '64MiB', or '50%' of the trace's pages.",
)
@click.option("--policy", "-p", metavar="NAME", help=f"One of {', '.join(policies())}.")
@click.option("--profile", metavar="KERNEL", help=f"{PROFILE_HELP}; default: the policy's.")
@click.option("--page-cluster", type=click.IntRange(0, 5), help="log2 of the read-ahead window.")
@click.option("--swap", metavar="SIZE", help="Swap area; default: never more than half full.")
@click.option("--swappiness", type=click.IntRange(0, 200), default=60, show_default=True)
@click.option(
    "--statistics",
    type=click.Choice(STATISTICS),
    default=STATISTICS[0],
    help="6.18: reclaim sees list sizes as they are (default), or up to 2 s old.",
)
@click.option(
    "--tlb",
    type=click.Choice(list(TLB)),
    default="off",
    help="6.18: used pages may look idle until the TLB is flushed, every 10 ms or 50 ms.",
)
@click.option(
    "--readahead",
    type=click.Choice(READAHEAD),
    default=READAHEAD[0],
    help="6.18: neighbours in the swap area (default) or in the address space.",
)
@click.option(
    "--plug",
    type=click.Choice(PLUG),
    help="6.18: reclaim sends what it writes itself, or read-ahead does if it called (default).",
)
@click.option("--device", type=click.Choice(list(PRESETS)), help="Under the swap area.")
@click.option(
    "--lru-gen",
    type=click.IntRange(0, 7),
    help="6.18-mglru: mask of lru_gen/enabled; 1: no walks of page tables; default 7.",
)
@click.option(
    "--lru-gen-rule",
    type=click.Choice(LRU_GEN_RULES),
    default=LRU_GEN_RULES[0],
    help="6.18-mglru: which programs are walked: all (default), those that waited, ...",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="For when statistics are refreshed and the TLB is flushed.",
)
@click.option("--format", "format_", metavar="NAME", help="Trace format, if not to be guessed.")
@click.option("--instructions", is_flag=True, help="Replay instruction fetches too.")
@click.option("--pid", type=PID, help="Logs of several processes: which one, or 'all'.")
@JSON
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def replay(
    trace: Path,
    memory: str,
    profile: str | None,
    swap: str | None,
    device: str | None,
    format_: str | None,
    instructions: bool,
    pid: Pid | None,
    as_json: bool,
    quiet: bool,
    **kernel: Unpack[Keywords],
) -> None:
    """Replay the page references of TRACE against a memory limit, and count.

    TRACE is a valgrind lackey log or a CSV (plain, gz, xz, zst, bz2 or lzma), an .npz with 'refs'
    and 'pages', or a .npy. To make one of a program:

    \b
      swapfast record -o sort.npz --reduce 256 -- sort big.txt

    Policies of a kernel (linux-...) run on a whole simulated machine. The others are replayed alone
    and many times faster, unless a kernel's option (--profile, --page-cluster, --swap,
    --device, --statistics, --tlb, --readahead, --plug, --lru-gen) is given.

    \b
    Examples:
      swapfast replay sort.npz --memory 64MiB
      swapfast replay sort.npz -m 50% --policy sieve --json
      swapfast replay sort.npz -m 50% --policy linux-6.18 --page-cluster 0
      swapfast replay sort.npz -m 50% --policy linux-6.18-mglru --device zram
      swapfast replay sort.npz -m 50% --profile host

    Which LRU a kernel runs says `cat /sys/kernel/mm/lru_gen/enabled`: an odd number is the
    multi-generational one (6.18-mglru), an even number or no such file the classic one (6.18).

    Exit code: 0 done, 1 the program was killed for lack of memory, 2 bad trace or option, 130 ended
    by Ctrl-C: the counts are of the references until then.
    """
    with reported():
        if profile is not None:
            profile, mask = profile_of(profile)
            if mask is not None and kernel.get("lru_gen") is None:
                kernel["lru_gen"] = mask
        area = None if swap is None else size_of("--swap", swap, least=2, what="a swap area")
        with progress(quiet or as_json) as step:
            loaded = open_trace(
                trace,
                format=format_,
                instructions=instructions,
                pid=pid,
                progress=lambda done, of: step(f"reading {trace.name}", done, of),
            )
            warn(loaded, "replay")
            limit = share_of("--memory", memory, loaded.pages)
            warn_below(loaded, limit)
            try:
                with counting():
                    result = replay_trace(
                        loaded,
                        limit * PAGE_SIZE,
                        profile=profile,
                        swap=area,
                        device=device,
                        progress=lambda done, of: step(f"replaying {trace.name}", done, of),
                        **kernel,
                    )
            except Interrupted as stop:
                result = cast(ReplayResult, stop.result)
        if as_json:
            emit_json(result.as_dict())
        else:
            show(result)
        if result.interrupted:
            interrupted(result.refs_done, result.refs, "references")
        if result.oom:
            click.echo("swapfast: nothing could be reclaimed: the program was killed", err=True)
            sys.exit(EXIT_NO)


def show(result: ReplayResult) -> None:
    """The counters as a table."""
    share = result.memory_pages / result.pages
    kernel = f"{result.policy}, Linux {result.profile}, page-cluster {result.page_cluster}"
    if result.profile == "none":
        kernel = f"{result.policy} alone"
    console.say((result.trace, "bold"))
    console.say(
        f"{format_count(result.refs)} references to {format_count(result.pages)} pages "
        f"({format_size(result.pages * PAGE_SIZE)}); memory for "
        f"{format_count(result.memory_pages)} of them ({share:.0%}); {kernel}"
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
    console.say(f"replayed in {result.wall_s:.3f} s: {result.refs_per_s / 1e6:.1f} M references/s")
