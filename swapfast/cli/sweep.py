"""``swapfast sweep``: a scenario over lists of values, with a file that goes on where it ended."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from swapfast.cli.compare import JOBS, SEEDS
from swapfast.cli.names import SCENARIO
from swapfast.cli.options import no_stream
from swapfast.cli.output import (
    EXIT_INTERRUPT,
    EXIT_NO,
    JSON,
    console,
    counting,
    emit_json,
    progress,
    reported,
    tell,
)
from swapfast.compare.axes import axis, product
from swapfast.compare.cells import Cell, Work
from swapfast.compare.cluster import run_on
from swapfast.compare.pool import run_cells
from swapfast.compare.runs import Run
from swapfast.compare.sweep import Log, cells_of, remaining

__all__ = ["sweep"]


@click.command()
@click.argument("scenario", shell_complete=SCENARIO)
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="KEY=LIST",
    help="Values of a key: a,b,c or first:last:step. Several keys: every combination.",
)
@click.option("--scope", "scopes", multiple=True, metavar="A,B", help="Only these scopes.")
@SEEDS
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path),
    required=True,
    callback=no_stream,
    help="JSON lines, one run each. Runs that are in it already are not done again.",
)
@click.option("--series", is_flag=True, help="Keep lines over time as well, for swapfast report.")
@click.option("--retry-errors", is_flag=True, help="Run cells again whose line is an error.")
@JOBS
@click.option("--dask", metavar="ADDRESS", help="Run on the cluster of this Dask scheduler.")
@JSON
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def sweep(
    scenario: str,
    sets: tuple[str, ...],
    scopes: tuple[str, ...],
    seeds: int | None,
    out: Path,
    series: bool,
    retry_errors: bool,
    jobs: int,
    dask: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run SCENARIO for every combination of values, scope and seed, and keep each run as a line.

    The same command goes on where it ended: a cell whose line is there is skipped. The order is
    random, always the same, so that a part of a sweep is a sample of the whole.

    \b
    Examples:
      swapfast sweep isolation --set machine.memory=256MiB,512MiB -o runs.jsonl
      swapfast sweep isolation --set cgroup./db.memory.max=96MiB:256MiB:32MiB -o runs.jsonl
      swapfast sweep mine.toml --set machine.swappiness=0:200:50 -o runs.jsonl --jobs 2
      swapfast sweep isolation --seeds 100 -o runs.jsonl --dask tcp://head:8786
      swapfast report runs.jsonl -o report.html

    Exit code: 0 all there, 1 a cell failed, 2 bad scenario or option, 3 the file cannot be written
    or no cluster answers, 130 ended by Ctrl-C: what runs then comes to its end.
    """
    with reported():
        work = Work.open(scenario)
        cells = cells_of(work, product([axis(text) for text in sets]), scopes=scopes, seeds=seeds)
        with Log(out, work, series=series) as log:
            if log.there.torn:
                tell(
                    f"swapfast: {out}: its last line was torn ({log.there.torn} bytes) and is gone"
                )
            todo = remaining(cells, log.there, retry=retry_errors)
            old = {run.key: run for run in log.there.runs}
            added, whole = _run(todo, log, jobs, dask, quiet or as_json)
        runs = {**old, **{run.key: run for run in added}}
        failed = [runs[c.key] for c in cells if c.key in runs and runs[c.key].outcome is None]
        if as_json:
            counts = {"cells": len(cells), "there": len(cells) - len(todo), "run": len(added)}
            errors = [{"label": _label(run), "error": run.error} for run in failed]
            emit_json({**counts, "left": len(todo) - len(added), "failed": errors})
        else:
            _show(cells, todo, added, failed, out)
        if not whole:
            line = shlex.join(["swapfast", *sys.argv[1:]])
            tell(f"swapfast: interrupted, {len(todo) - len(added)} cells are left; go on: {line}")
            sys.exit(EXIT_INTERRUPT)
        if failed:
            sys.exit(EXIT_NO)


def _run(
    todo: list[Cell], log: Log, jobs: int, dask: str | None, quiet: bool
) -> tuple[list[Run], bool]:
    """What was run, each written before the next is awaited; False: Ctrl-C came."""
    added: list[Run] = []
    if not todo:
        return added, True
    with progress(quiet) as step:
        try:
            with counting():
                for run in _runs(todo, jobs, dask):
                    log.add(run)
                    added.append(run.light)
                    step(f"{len(added)} of {len(todo)} runs", len(added), len(todo), "runs")
        except KeyboardInterrupt:
            return added, False
    return added, True


def _runs(todo: list[Cell], jobs: int, dask: str | None) -> Iterator[Run]:
    if dask is not None:
        return run_on(dask, todo)
    return run_cells(todo, jobs=jobs)


def _show(
    cells: list[Cell], todo: list[Cell], added: list[Run], failed: list[Run], out: Path
) -> None:
    console.say(
        f"{len(cells)} cells: {len(cells) - len(todo)} were there, {len(added)} were run, "
        f"{len(todo) - len(added)} are left"
    )
    for run in failed[:10]:
        console.say(("failed", "red"), f": {_label(run)}: {run.error}")
    if len(failed) > 10:
        console.say(f"and {len(failed) - 10} more failed; --retry-errors runs them again")
    console.say(str(out))


def _label(run: Run) -> str:
    params = "".join(f", {key}={value}" for key, value in run.params.items())
    return f"{run.scope}{params}, seed {run.seed}"
