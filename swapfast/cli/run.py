"""``swapfast run``: a scenario, and what it showed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

import click

from swapfast.cli.names import PROFILE, SCENARIO
from swapfast.cli.options import PROFILE_HELP, no_stream, profile_of, replaced_by
from swapfast.cli.output import (
    EXIT_NO,
    JSON,
    console,
    counting,
    emit_json,
    progress,
    reported,
)
from swapfast.errors import Interrupted
from swapfast.scenario import Report, Scenario, execute, open_scenario, play, with_profile
from swapfast.scenario.render import render
from swapfast.scenario.side.show import show

__all__ = ["run"]


@click.command()
@click.argument("scenario", required=False, shell_complete=SCENARIO)
@click.option("--full", is_flag=True, help="The letter's scenario with its own sizes.")
@click.option(
    "--profile",
    metavar="KERNEL",
    shell_complete=PROFILE,
    help=f"In place of the scenario's own: {PROFILE_HELP}.",
)
@click.option("--scope", metavar="NAME", help="Side by side: one of the scenario's scopes.")
@click.option("--seed", type=click.IntRange(0, (1 << 32) - 1), help="Side by side.")
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="KEY=VALUE",
    help="Replace a key of the scenario, like machine.memory=512MiB; may be given again.",
)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    callback=no_stream,
    help="In turn: make the swapfiles in DIR and leave them there.",
)
@JSON
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def run(
    scenario: str | None,
    full: bool,
    profile: str | None,
    scope: str | None,
    seed: int | None,
    sets: tuple[str, ...],
    keep: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run SCENARIO: a TOML file, or one that comes with swapfast, by its name.

    Without one it is the letter of 2008: two real swapfiles, two clones, a swapon each; LTP and a
    real program's trace in the first; then every byte of the second file is looked at.

    A scenario with a [run] table has its programs side by side, in virtual time, under one of its
    scopes; `swapfast compare` runs them all, and `swapfast scenario show` lists the bundled ones.

    \b
    Examples:
      swapfast run                       needs about 0.5 GiB of disk and RAM
      swapfast run --full                2 GiB of RAM, two files of 512 MiB
      swapfast run isolation             a database and a batch job that share the swap
      swapfast run isolation --scope swap_ns --seed 3
      swapfast run mine.toml --set machine.memory=512MiB --json
      swapfast run mine.toml --profile host    host: cat /sys/kernel/mm/lru_gen/enabled
      swapfast run --keep /tmp/rfc       then: strings /tmp/rfc/s2

    Exit code: 0 all is as the scenario has it, 1 otherwise: in turn, something leaked, a page was
    wrong or a program was killed; side by side, an [[expect]] of this scope did not hold; 2 bad
    scenario, 3 refused, 130 ended by Ctrl-C: what was there until then is shown.
    """
    with reported():
        if scenario is not None and full:
            raise ValueError("--full is for the letter's scenario; leave SCENARIO out")
        if scenario is None and profile is not None:
            raise ValueError("--profile is for a SCENARIO; the letter's is of 2.6.25")
        source = open_scenario(scenario or ("letter-full" if full else "letter"))
        chosen = source.scenario(replaced_by(sets))
        if profile is not None:
            chosen = with_profile(chosen, *profile_of(profile))
        if chosen.side_by_side:
            if keep is not None:
                raise ValueError("--keep is for a scenario without a [run] table")
            _side_by_side(chosen, scope, seed, as_json=as_json, quiet=quiet)
            return
        if scope is not None or seed is not None:
            raise ValueError("--scope and --seed are for a scenario with a [run] table")
        _in_turn(chosen, keep, as_json=as_json, quiet=quiet)


def _in_turn(chosen: Scenario, keep: Path | None, *, as_json: bool, quiet: bool) -> None:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
    try:
        with progress(quiet or as_json) as step, counting():
            report = execute(chosen, keep, step)
    except Interrupted as stop:
        report = cast(Report, stop.result)
    if as_json:
        emit_json(report.as_dict())
    else:
        render(report, console)
    if report.interrupted:
        raise KeyboardInterrupt
    if not report.ok:
        sys.exit(EXIT_NO)


def _side_by_side(
    chosen: Scenario, scope: str | None, seed: int | None, *, as_json: bool, quiet: bool
) -> None:
    with progress(quiet or as_json) as step, counting():
        outcome = play(chosen, scope, seed, step)
    if as_json:
        emit_json(outcome.as_dict())
    else:
        show(outcome, console)
    if outcome.interrupted:
        raise KeyboardInterrupt
    if any(one["held"] is False for one in outcome.expectations):
        sys.exit(EXIT_NO)
