"""``swapfast compare``: the scopes of a scenario side by side."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from swapfast.cli.names import PROFILES_LISTED, SCENARIO
from swapfast.cli.options import no_stream, replaced_by
from swapfast.cli.output import (
    EXIT_NO,
    JSON,
    console,
    counting,
    echo,
    emit_json,
    interrupted,
    progress,
    reported,
)
from swapfast.compare.cells import Work
from swapfast.compare.comparison import Comparison, compare
from swapfast.compare.plan import Plan, plan
from swapfast.compare.pool import Stopped, run_cells
from swapfast.compare.runs import Run, write_runs
from swapfast.compare.table import footers, groups, lines
from swapfast.compare.verdict import answer, verdict
from swapfast.publish import target

__all__ = ["JOBS", "SEEDS", "SET", "compare_", "gather", "show"]

JOBS = click.option(
    "--jobs",
    "-j",
    type=click.IntRange(1, 1024),
    default=lambda: len(os.sched_getaffinity(0)),
    help="Runs at a time, a process each. Default: the processors that it may use.",
)
SEEDS = click.option(
    "--seeds", type=click.IntRange(1, 10_000), help="How many; default: what the scenario says."
)
SET = click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="KEY=VALUE",
    help="Replace a value of the scenario, such as machine.memory=256MiB.",
)


@click.command("compare")
@click.argument("scenario", shell_complete=SCENARIO)
@click.option("--scope", "scopes", multiple=True, metavar="A,B", help="Only these scopes.")
@click.option(
    "--device",
    "devices",
    multiple=True,
    metavar="PRESET,...",
    help="Columns for each preset: it replaces every device but compressed memory.",
)
@click.option(
    "--profile",
    "profiles",
    multiple=True,
    metavar="KERNEL,...",
    shell_complete=PROFILES_LISTED,
    help="Columns for each kernel.",
)
@SEEDS
@click.option("--baseline", metavar="NAME", help="A scope or a column; default: the first.")
@click.option("--metric", "metrics", multiple=True, metavar="GLOB", help="Rows, such as 'tiers.*'.")
@click.option("--all", "all_", is_flag=True, help="Every metric.")
@SET
@JOBS
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    callback=no_stream,
    help="Keep the runs, as JSON lines; swapfast report reads them.",
)
@JSON
@click.option("--csv", "as_csv", is_flag=True, help="Every metric of every run as CSV on stdout.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def compare_(
    scenario: str,
    scopes: tuple[str, ...],
    devices: tuple[str, ...],
    profiles: tuple[str, ...],
    seeds: int | None,
    baseline: str | None,
    metrics: tuple[str, ...],
    all_: bool,
    sets: tuple[str, ...],
    jobs: int,
    out: Path | None,
    as_json: bool,
    as_csv: bool,
    quiet: bool,
) -> None:
    """Run SCENARIO in each of its scopes, with several seeds, and put them side by side.

    SCENARIO is a bundled name or a TOML file. A metric is a row, a scope a column: its mean and
    standard deviation over seeds, and below it the ratio to the baseline. The same seed in two
    columns is a pair; a star says that the 95 % interval of the paired ratio excludes 1 (10,000
    resamples).

    \b
    Examples:
      swapfast compare isolation
      swapfast compare isolation --scope shared,swap_ns --device nvme,hdd --seeds 20
      swapfast compare isolation --baseline swap_ns --metric 'programs.*' --metric 'oom_kills.*'
      swapfast compare mine.toml --set machine.memory=256MiB --out runs.jsonl

    Exit code: 0 done, 1 a run failed, 2 bad scenario or option, 3 a file cannot be read or written,
    130 ended by Ctrl-C: what was there until then is shown.
    """
    with reported():
        if as_json and as_csv:
            raise ValueError("--json and --csv exclude each other")
        if out is not None:
            target(out)
        work = Work.open(scenario)
        todo = plan(
            work,
            scopes=scopes,
            devices=devices,
            profiles=profiles,
            sets=replaced_by(sets),
            seeds=seeds,
            baseline=baseline,
        )
        runs, whole = gather(todo, jobs, quiet or as_json or as_csv)
        if out is not None:
            write_runs(out, work, runs)
        title = f"{work.name}: {todo.scenario.title}"
        everything = compare(runs, todo.columns, against=todo.against, title=title)
        told = everything
        if not all_:
            told = everything.only(metrics or work.rows, strict=bool(metrics))
        if as_csv:
            _emit_csv(everything)
        elif as_json:
            said = _verdicts(told, everything, work)
            emit_json({**everything.as_dict(), "verdicts": said, "sentences": _sentences(told)})
        else:
            show(told, everything, work)
        if not whole:
            interrupted(len(runs), len(todo.cells), "runs")
        if everything.failed:
            sys.exit(EXIT_NO)


def gather(todo: Plan, jobs: int, quiet: bool) -> tuple[list[Run], bool]:
    """All runs of a plan, in its order; False: Ctrl-C came, and there are fewer.

    Raises
    ------
    ValueError
        Every run failed, with the first's reason.
    """
    cells, found = todo.cells, {}
    whole = True
    with progress(quiet) as step, counting():
        here = jobs == 1 or len(cells) < 2
        try:
            for run in run_cells(cells, jobs=jobs, progress=step if here else None):
                found[run.key] = run
                label = f"{run.scope}, seed {run.seed}"
                step(f"{len(found)} of {len(cells)} runs: {label}", len(found), len(cells), "runs")
        except KeyboardInterrupt:
            whole = False
    runs = [found[cell.key] for cell in cells if cell.key in found]
    if runs and all(run.outcome is None for run in runs):
        raise ValueError(f"every run failed; {runs[0].scope}, seed {runs[0].seed}: {runs[0].error}")
    if not runs and not whole:
        raise Stopped
    return runs, whole


def show(told: Comparison, everything: Comparison, work: Work) -> None:
    """Print the tables, what is to be known of them, and what they come to."""
    done = [run.outcome for runs in told.runs for run in runs if run.outcome is not None]
    simulated = max(one.simulated_ns for one in done) / 1e9
    seeds, count = _many(told.seeds, "seed"), _many(len(told.columns), "column")
    console.say((told.title, "bold"))
    console.say(f"{seeds}, up to {simulated:.4g} s simulated each, {count}")
    for numbers in groups(told):
        base = {told.columns[told.against[n]].name for n in numbers}
        console.say()
        if len(told.columns) > 1:
            console.say(f"baseline: {', '.join(sorted(base))}")
        _table(told, numbers)
    left = len(everything.rows) - len(told.rows)
    if left:
        console.say(f"and {left} metrics more: --all, or --metric GLOB")
    console.say()
    for line in footers(everything):
        console.say(line)
    for line in _verdicts(told, everything, work):
        console.say(line)
    if not work.answer:
        for name, sentence in _sentences(told).items():
            console.say((name, "bold"), f": {sentence}")


def _verdicts(told: Comparison, everything: Comparison, work: Work) -> list[str]:
    """The scenario's answer; and what is lowest or highest, of what it asks or shows first."""
    rows = [row for name in work.asked for row in everything.rows if row.metric == name]
    return [
        *answer(work.answer, everything),
        *(verdict(row, everything) for row in rows or told.rows[:1]),
    ]


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _table(told: Comparison, numbers: Sequence[int]) -> None:
    rows: list[tuple[str, ...]] = []
    for line in lines(told, numbers):
        rows.append((line.metric, *line.figures))
        if any(line.ratios):
            rows.append(("", *line.ratios))
    titles = ("", *(told.columns[n].name for n in numbers))
    console.table(titles, rows, left=("",))


def _sentences(told: Comparison) -> dict[str, str]:
    """What the first run of each column says of itself."""
    first = {
        f"{column.name}, seed {runs[0].seed}": runs[0].outcome
        for column, runs in zip(told.columns, told.runs, strict=True)
        if runs
    }
    return {name: one.sentence for name, one in first.items() if one is not None and one.sentence}


def _emit_csv(told: Comparison) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("column", "scope", "params", "seed", "metric", "unit", "value"))
    for row in told.rows:
        for column, entry in zip(told.columns, row.entries, strict=True):
            params = " ".join(f"{key}={value}" for key, value in column.params)
            for seed, value in sorted(entry.values.items()):
                writer.writerow(
                    (column.name, column.scope, params, seed, row.metric, row.unit, value)
                )
    for line in text.getvalue().splitlines():
        echo(line)
