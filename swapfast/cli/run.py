"""``swapfast run``: a scenario, and what it showed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

import click

from swapfast.cli.options import PROFILE_HELP, no_stream, profile_of
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
from swapfast.scenario import Report, bundled, execute, load, with_profile
from swapfast.scenario.render import render

__all__ = ["run"]


@click.command()
@click.argument("scenario", required=False, type=click.Path(path_type=Path))
@click.option("--full", is_flag=True, help="The bundled scenario with the letter's own sizes.")
@click.option(
    "--profile", metavar="KERNEL", help=f"In place of the scenario's own: {PROFILE_HELP}."
)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    callback=no_stream,
    help="Make the swapfiles in DIR and leave them there.",
)
@JSON
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def run(
    scenario: Path | None,
    full: bool,
    profile: str | None,
    keep: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run SCENARIO (TOML), or the bundled one: the two logins of the RFC of 2008.

    Two real swapfiles, two clones, a swapon each; LTP and a real program's trace in the first; then
    every byte of the second file is looked at.

    \b
    Examples:
      swapfast run                       needs about 0.5 GiB of disk and RAM
      swapfast run --full                2 GiB of RAM, two files of 512 MiB
      swapfast run mine.toml --json
      swapfast run mine.toml --profile host    host: cat /sys/kernel/mm/lru_gen/enabled
      swapfast run --keep /tmp/rfc       then: strings /tmp/rfc/s2

    Exit code: 0 nothing leaked, every page was right and no program was killed, 1 otherwise, 2 bad
    scenario, 3 refused, 130 ended by Ctrl-C: what was there until then is shown.
    """
    with reported():
        if scenario is not None and full:
            raise ValueError("--full is for the bundled scenario; leave SCENARIO out")
        if scenario is None and profile is not None:
            raise ValueError("--profile is for a SCENARIO; the bundled one is of 2.6.25")
        chosen = bundled(full) if scenario is None else load(scenario)
        if profile is not None:
            chosen = with_profile(chosen, *profile_of(profile))
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
