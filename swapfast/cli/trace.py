"""``swapfast trace``: look into a trace, or turn it into an .npz."""

from __future__ import annotations

from pathlib import Path

import click

from swapfast.cli.output import console, emit_json, progress, reported
from swapfast.traces import open_trace, save_npz

__all__ = ["trace"]


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Write it as .npz.")
@click.option("--format", "format_", metavar="NAME", help="Trace format, if not to be guessed.")
@click.option("--instructions", is_flag=True, help="Lackey logs: keep instruction fetches.")
@click.option("--collapse", is_flag=True, help="Lackey logs: merge runs on the same page.")
@click.option("--json", "as_json", is_flag=True, help="As JSON on stdout.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def trace(
    path: Path,
    output: Path | None,
    format_: str | None,
    instructions: bool,
    collapse: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Describe the trace in PATH, and convert it.

    \b
    Examples:
      swapfast trace sort.lackey
      swapfast trace sort.lackey.xz -o sort.npz
    """
    with reported():
        with progress(quiet or as_json) as step:
            loaded = open_trace(
                path,
                format=format_,
                instructions=instructions,
                collapse=collapse,
                progress=lambda done, of: step(f"reading {path.name}", done, of),
            )
        if output is not None:
            save_npz(output, loaded)
        facts = loaded.describe()
        if as_json:
            emit_json(facts)
        else:
            for name, value in facts.items():
                console.print(f"{name:16} {value}", markup=False)
