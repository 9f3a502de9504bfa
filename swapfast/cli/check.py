"""``swapfast check``: whether what a scenario expects came out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from swapfast.cli.compare import JOBS, SEEDS, SET, gather
from swapfast.cli.names import SCENARIO
from swapfast.cli.options import no_stream, replaced_by
from swapfast.cli.output import EXIT_NO, JSON, console, emit_json, interrupted, reported
from swapfast.compare.cells import Work
from swapfast.compare.check import Base, Bound, Judgement, against, judge, junit, scopes_of, stored
from swapfast.compare.plan import Plan, plan
from swapfast.compare.runs import Run
from swapfast.inputs import open_input
from swapfast.publish import publish, target

__all__ = ["check"]

MOST_LINES = 50  # of what held

ANY_CHANGE = (Bound.parse("*>+0%"), Bound.parse("*<-0%"))


@click.command()
@click.argument("scenario", shell_complete=SCENARIO)
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    callback=no_stream,
    help="Figures of an earlier check, as JSON; --update makes them.",
)
@click.option(
    "--fail",
    "bounds",
    multiple=True,
    metavar="METRIC>+2%",
    help="How far a metric may move from the baseline; several. Default: not at all.",
)
@click.option("--update", is_flag=True, help="Write the figures to the baseline, if all held.")
@click.option(
    "--junit",
    "junit_path",
    type=click.Path(path_type=Path),
    callback=no_stream,
    help="Write the answers as JUnit XML.",
)
@SEEDS
@SET
@JOBS
@JSON
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def check(
    scenario: str,
    baseline: Path | None,
    bounds: tuple[str, ...],
    update: bool,
    junit_path: Path | None,
    seeds: int | None,
    sets: tuple[str, ...],
    jobs: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run the scopes that SCENARIO expects something of, and judge the means over seeds.

    An [[expect]] of the scenario names a metric and what it has to be below, above or equal to, or
    the order of scopes from the least to the most. With --baseline the figures are held against
    those of a file too: simulated figures have no noise, so that even a bound of 0 % fails only if
    something changed.

    \b
    Examples:
      swapfast check isolation
      swapfast check mine.toml --junit out.xml
      swapfast check mine.toml --baseline base.json --update
      swapfast check mine.toml --baseline base.json --fail 'programs.db.p99_us>+2%'

    Exit code: 0 all held, 1 something did not, 2 bad scenario or option, 3 a file cannot be read or
    written, 130 ended by Ctrl-C.
    """
    with reported():
        limits = tuple(Bound.parse(text) for text in bounds) or ANY_CHANGE
        base = _base(baseline, update, bool(bounds))
        for path in (junit_path, baseline if update else None):
            if path is not None:
                target(path)
        work = Work.open(scenario)
        todo = _plan(work, replaced_by(sets), seeds, base)
        runs, whole = gather(todo, jobs, quiet or as_json)
        if not whole:
            interrupted(len(runs), len(todo.cells), "runs")
        found = judge(todo.scenario.expect, runs, todo.scenario.scopes)
        found += [_failed(run) for run in runs if run.outcome is None]
        if base:
            found += against(runs, base, limits)
        _finish(found, todo, runs, baseline if update else None, junit_path, as_json)


def _finish(
    found: list[Judgement],
    todo: Plan,
    runs: list[Run],
    update: Path | None,
    junit_path: Path | None,
    as_json: bool,
) -> None:
    held = all(one.held for one in found)
    if junit_path is not None:
        with publish(junit_path) as file:
            file.write(junit(todo.work.name, found))
    if update is not None and held:
        facts = {"scenario": todo.work.name, "core": runs[0].core, "figures": stored(runs)}
        with publish(update) as file:
            file.write(json.dumps(facts, indent=1, sort_keys=True).encode() + b"\n")
    if as_json:
        judgements = [one.as_dict() for one in found]
        emit_json({"scenario": todo.work.name, "held": held, "judgements": judgements})
    else:
        _show(found, todo)
        if update is not None:
            console.say(f"{update}: {'written' if held else 'left as it was'}")
    if not held:
        sys.exit(EXIT_NO)


def _show(found: list[Judgement], todo: Plan) -> None:
    """Each judgement a line; of very many those that held are counted."""
    count = f"{todo.seeds} seed{'' if todo.seeds == 1 else 's'}"
    console.say((todo.work.name, "bold"), f": {todo.scenario.title}, {count}")
    held = [one for one in found if one.held]
    many = len(held) > MOST_LINES
    for one in found:
        if one.held and many:
            continue
        word = ("held", "green") if one.held else ("NOT held", "red")
        why = f" ({one.why})" if one.why else ""
        console.say(word, f": {one.name}: {one.sentence}{why}")
    if many:
        console.say(("held", "green"), f": {len(held)} figures and expectations (--json: each)")
    if not found:
        console.say("the scenario expects nothing: it has no [[expect]], and there is no baseline")


def _plan(work: Work, sets: dict[str, str], seeds: int | None, base: Base | None) -> Plan:
    """The scopes that are asked about, and no other."""
    whole = plan(work, sets=sets, seeds=seeds)
    scenario = whole.scenario
    needed = scopes_of(scenario.expect, scenario.scopes)
    stored_scopes = scenario.scopes if base == {} else list(base or ())
    needed = [s for s in scenario.scopes if s in needed or s in stored_scopes]
    kept = tuple(c for c in whole.columns if c.scope in needed) or whole.columns[:1]
    return Plan(work, scenario, kept, (0,) * len(kept), whole.seeds, whole.first)


def _base(path: Path | None, update: bool, bounded: bool) -> Base | None:
    """Stored figures; empty where they are to be made."""
    if path is None:
        if update or bounded:
            raise ValueError("--update and --fail are for a --baseline: name its file")
        return None
    if update and not path.exists():
        return {}
    with open_input(path) as file:
        try:
            facts: Any = json.load(file)
            return {
                str(scope): {str(name): [float(v) for v in values] for name, values in rows.items()}
                for scope, rows in facts["figures"].items()
            }
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"{path}: no file of check --update: {error!r:.60}") from None


def _failed(run: Run) -> Judgement:
    return Judgement(f"{run.scope}, seed {run.seed} runs", False, run.error)
