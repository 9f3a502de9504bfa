"""``swapfast report``: runs as one page of HTML."""

from __future__ import annotations

import os
from pathlib import Path

import click

from swapfast.cli.compare import JOBS, SEEDS, SET, gather
from swapfast.cli.names import SCENARIO
from swapfast.cli.options import no_stream, replaced_by
from swapfast.cli.output import console, interrupted, reported, tell
from swapfast.compare.cells import Work
from swapfast.compare.plan import plan
from swapfast.compare.runs import Runs, read_runs
from swapfast.inputs import open_input
from swapfast.publish import publish, target
from swapfast.report import page
from swapfast.units import format_size

__all__ = ["report"]


@click.command()
@click.argument("runs", shell_complete=SCENARIO)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    required=True,
    callback=no_stream,
    help="The page.",
)
@click.option("--metric", "metrics", multiple=True, metavar="GLOB", help="Rows, such as 'tiers.*'.")
@SEEDS
@SET
@JOBS
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def report(
    runs: str,
    output: Path,
    metrics: tuple[str, ...],
    seeds: int | None,
    sets: tuple[str, ...],
    jobs: int,
    quiet: bool,
) -> None:
    """Write a page about RUNS: a file of compare --out or sweep -o, or a scenario, which is run.

    The page holds all it needs: nothing is fetched, and no script runs. It is light or dark as the
    reader's system is. Equal results give equal bytes.

    \b
    Examples:
      swapfast report runs.jsonl -o report.html
      swapfast report isolation -o isolation.html
      swapfast report runs.jsonl -o report.html --metric 'programs.*' --metric 'devices.*'

    Exit code: 0 written, 2 bad file or option, 3 it cannot be read or written, 130 ended by Ctrl-C:
    the page has what was there until then.
    """
    with reported():
        if _holds_runs(runs):
            if seeds is not None or sets:
                raise ValueError("--seeds and --set are for a scenario; the runs are done already")
            target(output, inputs=(runs,))
            text, whole, count = _of_file(runs, metrics), True, 0
        else:
            target(output)
            work = Work.open(runs)
            todo = plan(work, sets=replaced_by(sets), seeds=seeds)
            found, whole = gather(todo, jobs, quiet)
            count = len(found)
            text = page(found, work, columns=todo.columns, against=todo.against, metrics=metrics)
        with publish(output) as file:
            file.write(text)
        console.say(f"{output}: {format_size(len(text))}")
        if not whole:
            interrupted(count, len(todo.cells), "runs")


def _holds_runs(name: str) -> bool:
    """Whether a name is a file of JSON; no scenario begins with a brace."""
    if not os.path.isfile(name):
        return name.endswith(".jsonl")
    with open_input(name) as file:
        return name.endswith(".jsonl") or file.read(1) == b"{"


def _of_file(path: str, metrics: tuple[str, ...]) -> bytes:
    told = read_runs(path)
    if told.torn:
        tell(f"swapfast: {path}: its last line is torn, and was left out")
    return page(told.runs, _work_of(path, told), metrics=metrics)


def _work_of(path: str, told: Runs) -> Work:
    """The one scenario that the runs are of."""
    used = list(dict.fromkeys(run.text for run in told.runs))
    if not used:
        raise ValueError(f"{path}: has no run")
    if len(used) > 1:
        names = ", ".join(
            sorted(told.scenarios[text].name for text in used if text in told.scenarios)
        )
        raise ValueError(
            f"{path}: has runs of {len(used)} scenarios ({names}); give each a file of its own"
        )
    return told.scenarios.get(used[0]) or Work(os.fspath(path), os.fspath(path), "")
