"""``swapfast replay``: one trace, one machine."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Unpack, cast

import click

from swapfast.cli.cautions import warn, warn_below
from swapfast.cli.names import POLICY, PROFILE
from swapfast.cli.opening import FORMAT_OPTION, PID_OPTION, opened
from swapfast.cli.options import PROFILE_HELP, profile_of, shares_of, size_of
from swapfast.cli.output import (
    EXIT_NO,
    JSON,
    Step,
    counting,
    emit_json,
    interrupted,
    progress,
    reported,
)
from swapfast.cli.replayed import show, show_several
from swapfast.devices import PRESETS
from swapfast.errors import Interrupted
from swapfast.kernel.choices import LRU_GEN_RULES, PLUG, READAHEAD, STATISTICS, TLB
from swapfast.kernel.options import Keywords
from swapfast.replay import ReplayResult, policies
from swapfast.replay import replay as replay_trace
from swapfast.traces import Trace
from swapfast.traces.format import Pid
from swapfast.units import PAGE_SIZE, format_size

__all__ = ["replay"]


@click.command()
@click.argument("trace", type=click.Path(path_type=Path))
@click.option(
    "--memory",
    "-m",
    required=True,
    metavar="SIZE|SHARE,...",
    help="What the program may use: '64MiB', or '50%' of the trace's pages; or several: '25%,50%'.",
)
@click.option(
    "--policy",
    "-p",
    metavar="NAME",
    shell_complete=POLICY,
    help=f"One of {', '.join(policies())}; or file.py:Class, module:Class.",
)
@click.option(
    "--profile",
    metavar="KERNEL",
    shell_complete=PROFILE,
    help=f"{PROFILE_HELP}; default: the policy's.",
)
@click.option("--page-cluster", type=click.IntRange(0, 5), help="log2 of the read-ahead window.")
@click.option("--swap", metavar="SIZE", help="Swap area; default: never more than half full.")
@click.option(
    "--swappiness",
    type=click.IntRange(0, 200),
    default=60,
    show_default=True,
    help="/proc/sys/vm/swappiness.",
)
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
@FORMAT_OPTION
@click.option("--instructions", is_flag=True, help="Replay instruction fetches too.")
@PID_OPTION
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
    and 'pages', or a .npy; "bundled" is sort(1), which comes with swapfast. To make one of a
    program:

    \b
      swapfast record -o sort.npz --reduce 256 -- sort big.txt

    Policies of a kernel (linux-...) run on a whole simulated machine. The others are replayed alone
    and many times faster, unless a kernel's option (--profile, --page-cluster, --swap,
    --device, --statistics, --tlb, --readahead, --plug, --lru-gen) is given.

    \b
    Examples:
      swapfast replay sort.npz --memory 64MiB
      swapfast replay sort.npz -m 50% --policy sieve --json
      swapfast replay sort.npz -m 25%,50%,75%
      swapfast replay sort.npz -m 50% --policy mine.py:Mru
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
            loaded = opened(
                trace,
                format=format_,
                instructions=instructions,
                pid=pid,
                progress=lambda done, of: step(f"reading {trace.name}", done, of),
            )
            warn(loaded, "replay")
            limits = shares_of("--memory", memory, loaded.pages)
            warn_below(loaded, min(limits))
            results, cpu_s = _each(
                loaded, limits, step, profile=profile, swap=area, device=device, **kernel
            )
        _tell(results, len(limits) > 1, as_json, cpu_s)
        last = results[-1]
        if last.interrupted:
            interrupted(last.refs_done, last.refs, "references")
        _killed(results)


def _each(
    trace: Trace,
    limits: list[int],
    step: Step,
    *,
    profile: str | None,
    swap: int | None,
    device: str | None,
    **kernel: Unpack[Keywords],
) -> tuple[list[ReplayResult], float]:
    """A replay with each memory, in pages, and processor time; Ctrl-C ends the last."""
    results: list[ReplayResult] = []
    cpu_s = 0.0
    name = Path(trace.origin).name
    for limit in limits:
        size = f" in {format_size(limit * PAGE_SIZE)}" if len(limits) > 1 else ""
        what = f"replaying {name}{size}"
        begin = time.process_time()
        try:
            with counting():
                result = replay_trace(
                    trace,
                    limit * PAGE_SIZE,
                    profile=profile,
                    swap=swap,
                    device=device,
                    progress=lambda done, of, what=what: step(what, done, of, "references"),  # type: ignore[misc]
                    **kernel,
                )
        except Interrupted as stop:
            result = cast(ReplayResult, stop.result)
        cpu_s += time.process_time() - begin
        results.append(result)
        if result.interrupted:
            break
    return results, cpu_s


def _tell(results: list[ReplayResult], several: bool, as_json: bool, cpu_s: float) -> None:
    if as_json and several:
        emit_json({"replays": [result.as_dict() for result in results]})
    elif as_json:
        emit_json(results[0].as_dict())
    elif several:
        show_several(results, cpu_s)
    else:
        show(results[0], cpu_s)


def _killed(results: list[ReplayResult]) -> None:
    """End with "no" where a program was killed."""
    killed = [format_size(one.memory_pages * PAGE_SIZE) for one in results if one.oom]
    if not killed:
        return
    where = f" in {', '.join(killed)}" if len(results) > 1 else ""
    click.echo(f"swapfast: nothing could be reclaimed: the program was killed{where}", err=True)
    sys.exit(EXIT_NO)
