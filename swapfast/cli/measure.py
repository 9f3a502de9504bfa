"""``swapfast measure``: ask this machine's kernel, or one of its devices."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from swapfast.cli.options import no_stream, size_of
from swapfast.cli.output import EXIT_NO, echo, progress, reported
from swapfast.measure import Host, make_plan, refusals
from swapfast.measure import measure as run_measure
from swapfast.measure.ground import many

__all__ = ["measure"]

PATH = click.Path(path_type=Path)


@click.command()
@click.argument("traces", nargs=-1, type=PATH)
@click.option("--out", "-o", type=PATH, callback=no_stream, help="File to write.")
@click.option(
    "--frac",
    default="0.25,0.5,0.75,0.9",
    show_default=True,
    metavar="A,B,C",
    help="Limits, as shares of a trace's pages.",
)
@click.option(
    "--runs",
    type=click.IntRange(1, 100),
    default=2,
    show_default=True,
    help="Of each cell or scenario.",
)
@click.option(
    "--page-cluster",
    type=click.IntRange(0, 5),
    default=0,
    show_default=True,
    help="Read-ahead during the runs; put back afterwards.",
)
@click.option(
    "--swapfile", type=PATH, callback=no_stream, help="File to make and remove.  [OUT.swap]"
)
@click.option("--group", default="swapfast-measure", show_default=True, help="Group to make.")
@click.option(
    "--lru",
    default="host",
    show_default=True,
    metavar="host|classic|mglru|MASK",
    help="Which LRU to measure: the one that is on, or one turned on for the measurement.",
)
@click.option(
    "--scenarios",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Programs side by side: TOML as swapfast validate --scenarios reads it.",
)
@click.option(
    "--traces",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="With --scenarios: folder with the traces that FILE names.",
)
@click.option("--only", multiple=True, metavar="NAME", help="With --scenarios: one of them; again.")
@click.option(
    "--disk",
    "disks",
    multiple=True,
    metavar="NAME=PATH",
    help="With --scenarios: the swapfile of a disk; again.  [OUT.NAME.swap]",
)
@click.option(
    "--device",
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH",
    help="How long the device below PATH takes: a folder, or a file or device that is only read.",
)
@click.option(
    "--size", default="1GiB", show_default=True, help="With --device: of the file in a folder."
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, 3600, min_open=True),
    default=2.0,
    show_default=True,
    help="With --device: for each depth.",
)
@click.option("--dry-run", is_flag=True, help="Print the plan and change nothing; the default.")
@click.option("--yes-change-this-machine", "yes", is_flag=True, help="Do it. Needs root.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
@click.pass_context
def measure(context: click.Context, /, **options: Any) -> None:
    """Play TRACES to the kernel of this machine under memory limits; write what it did to OUT.

    OUT is a truth file for `swapfast validate`. Each run has a memory group (cgroup v1 or v2) and a
    swapfile of its own. Without --yes-change-this-machine nothing is changed: the plan is printed,
    and what speaks against it.

    With --scenarios programs run side by side, each in a group of its own, and OUT is a truth of
    several programs. Limits other than max, and pressure, need cgroup v2.

    With --device requests of 4 KiB are sent past the page cache to the device below a folder, in a
    file that is made there and has no name; a file or block device is only read. What comes out are
    a table and a [[disk]] for --scenarios; OUT has its samples beside it. No root is needed.

    Which LRU runs says `cat /sys/kernel/mm/lru_gen/enabled`: an odd number is the
    multi-generational one, an even number or no such file the classic one. OUT names it, and --lru
    turns on another for the measurement.

    While it runs, swapfiles are on, vm.page-cluster (and vm.swappiness with cgroup v2) are set, and
    processors are busy. All is undone at the end, on errors and on signals. It refuses where it
    would disturb others or measure something else: other swap is on, zswap, too little memory or
    disk, a file or group of that name.

    \b
    Examples:
      swapfast measure sort.npz --out truth.csv
      sudo swapfast measure sort.npz --out truth.csv --yes-change-this-machine
      sudo swapfast measure sort.npz --out mglru.csv --lru mglru --yes-change-this-machine
      swapfast validate truth.csv --traces .
      swapfast measure --scenarios two.toml --traces . --out two.csv --only own-limits
      swapfast validate two.csv --traces . --scenarios two.toml
      swapfast measure --device /var/tmp -o disk.toml

    Exit code: 0 done, or the plan could be carried out; 1 it could not; 2 a broken trace, file or
    option; 3 refused, or the system failed.
    """
    with reported():
        _check_options(context)
        if options["device"] is not None:
            _device(**options)
        elif options["scenarios"] is not None:
            _side_by_side(**options)
        else:
            _alone(**options)


KINDS = {  # what is measured: the options that it needs, and those that nothing else has
    "traces alone": (("traces", "out"), ("traces", "frac", "page_cluster", "swapfile")),
    "programs side by side": (("out", "folder"), ("scenarios", "folder", "only", "disks")),
    "a device": ((), ("device", "size", "seconds")),
}
OF_A_KERNEL = ("runs", "group", "lru", "yes")
NAMES = {
    "folder": "--traces",
    "traces": "TRACES",
    "disks": "--disk",
    "yes": "--yes-change-this-machine",
}


def _check_options(context: click.Context) -> None:
    """Refuse options that mean nothing to what is measured.

    Raises
    ------
    ValueError
        One was given, or one is missing.
    """
    values = context.params
    alone, several, device = KINDS
    kind = device if values["device"] else several if values["scenarios"] else alone
    if values["device"] and values["scenarios"]:
        raise ValueError("--device and --scenarios are measured one at a time")
    for other, (_, names) in KINDS.items():
        for name in names if other != kind else ():
            _unset(context, name, other)
    for name in OF_A_KERNEL if kind == device else ():
        _unset(context, name, f"{alone} or {several}")
    for name in KINDS[kind][0]:
        if not values[name]:
            raise ValueError(f"{_name(name)} is missing")


def _unset(context: click.Context, name: str, what: str) -> None:
    given = context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT
    if given and context.params[name]:
        raise ValueError(f"{_name(name)} is for {what}")


def _name(name: str) -> str:
    return NAMES.get(name, f"--{name.replace('_', '-')}")


def _alone(
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
    **_: Any,
) -> None:
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
    if not yes or dry_run:
        _show_plan(plan.lines(), refusals(plan, host))
        return
    with progress(quiet) as step:
        results = run_measure(plan, host, progress=step)
    killed = sum(run is None for result in results for run in result.runs)
    echo(f"{plan.out}: {many(len(results), 'cell')}, {many(runs, 'run')} each, {killed} killed")


def _side_by_side(
    scenarios: Path,
    folder: Path,
    out: Path,
    only: tuple[str, ...],
    disks: tuple[str, ...],
    runs: int,
    group: str,
    lru: str,
    dry_run: bool,
    yes: bool,
    quiet: bool,
    **_: Any,
) -> None:
    from swapfast.measure import several  # here: it loads the simulator

    host = Host()
    plan = several.make_several(
        scenarios,
        folder,
        out,
        only=only,
        runs=runs,
        disks=dict(map(_disk, disks)),
        group=group,
        lru=lru,
        host=host,
    )
    if not yes or dry_run:
        _show_plan(plan.lines(), several.refusals(plan, host))
        return
    with progress(quiet) as step:
        results = several.measure_several(plan, host, progress=step)
    killed = sum(seen.told is None for run in results for seen in run.programs)
    each = f"{many(len(plan.scenarios), 'scenario')}, {many(runs, 'run')} each"
    echo(f"{plan.out}: {each}, {many(killed, 'program')} killed")


def _device(
    device: Path,
    out: Path | None,
    size: str,
    seconds: float,
    dry_run: bool,
    quiet: bool,
    **_: Any,
) -> None:
    from swapfast.cli.service import ask_device

    wanted = size_of("--size", size, least=256, what="such a file")
    ask_device(device, out, size=wanted, seconds=seconds, dry_run=dry_run, quiet=quiet)


def _show_plan(lines: list[str], reasons: list[str]) -> None:
    for line in lines:
        echo(line)
    for reason in reasons:
        echo(f"refused   {reason}")
    echo("nothing was changed; --yes-change-this-machine carries the plan out")
    if reasons:
        sys.exit(EXIT_NO)


def _disk(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not name or not equals or path in ("", "-"):
        raise ValueError(f"--disk {text!r:.80} is not NAME=PATH")
    return name, Path(path)
