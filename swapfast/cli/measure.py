"""``swapfast measure``: ask this machine's kernel."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from swapfast.cli.options import no_stream
from swapfast.cli.output import EXIT_NO, echo, progress, reported
from swapfast.measure import Host, make_plan, refusals
from swapfast.measure import measure as run_measure

__all__ = ["measure"]


@click.command()
@click.argument("traces", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    "-o",
    required=True,
    type=click.Path(path_type=Path),
    callback=no_stream,
    help="Truth file to write.",
)
@click.option(
    "--frac",
    default="0.25,0.5,0.75,0.9",
    show_default=True,
    metavar="A,B,C",
    help="Limits, as shares of a trace's pages.",
)
@click.option(
    "--runs", type=click.IntRange(1, 100), default=2, show_default=True, help="Of each cell."
)
@click.option(
    "--page-cluster",
    type=click.IntRange(0, 5),
    default=0,
    show_default=True,
    help="Read-ahead during the runs; put back afterwards.",
)
@click.option(
    "--swapfile",
    type=click.Path(path_type=Path),
    callback=no_stream,
    help="File to make and remove.  [OUT.swap]",
)
@click.option("--group", default="swapfast-measure", show_default=True, help="Group to make.")
@click.option(
    "--lru",
    default="host",
    show_default=True,
    metavar="host|classic|mglru|MASK",
    help="Which LRU to measure: the one that is on, or one that is turned on for the measurement.",
)
@click.option("--dry-run", is_flag=True, help="Print the plan and change nothing; the default.")
@click.option("--yes-change-this-machine", "yes", is_flag=True, help="Do it. Needs root.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def measure(
    traces: tuple[Path, ...],
    out: Path,
    frac: str,
    runs: int,
    page_cluster: int,
    swapfile: Path | None,
    group: str,
    lru: str,
    dry_run: bool,
    yes: bool,
    quiet: bool,
) -> None:
    """Play TRACES to the kernel of this machine under memory limits; write what it did to OUT.

    OUT is a truth file for `swapfast validate`. Each run has a memory group (cgroup v1 or v2) and a
    swapfile of its own. Without --yes-change-this-machine nothing is changed: the plan is printed,
    and what speaks against it.

    While it runs, one swapfile is on, vm.page-cluster (and vm.swappiness with cgroup v2) are set,
    and one CPU is busy. All is undone at the end, on errors and on signals. It refuses where it
    would disturb others or measure something else: other swap is on, zswap, the multi-generational
    LRU, too little memory or disk, a file or group of that name.

    \b
    Examples:
      swapfast measure sort.npz --out truth.csv
      sudo swapfast measure sort.npz --out truth.csv --yes-change-this-machine
      swapfast validate truth.csv --traces .

    Exit code: 0 done, or the plan could be carried out; 1 it could not; 2 a broken trace or option;
    3 refused, or the system failed.
    """
    with reported():
        host = Host()
        plan = make_plan(
            traces,
            out,
            fracs=frac.split(","),
            runs=runs,
            page_cluster=page_cluster,
            swapfile=swapfile,
            group=group,
            lru=lru,
            host=host,
        )
        if yes and not dry_run:
            with progress(quiet) as step:
                results = run_measure(plan, host, progress=step)
            killed = sum(run is None for result in results for run in result.runs)
            echo(f"{plan.out}: {len(results)} cells, {runs} runs each, {killed} killed")
            return
        for line in plan.lines():
            echo(line)
        reasons = refusals(plan, host)
        for reason in reasons:
            echo(f"refused   {reason}")
        echo("nothing was changed; --yes-change-this-machine carries the plan out")
        if reasons:
            sys.exit(EXIT_NO)
