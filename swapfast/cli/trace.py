"""``swapfast trace``: look into a trace, or turn it into an .npz."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import click

from swapfast.cli.options import npz_name
from swapfast.cli.output import console, emit_json, progress, reported, tell
from swapfast.publish import target
from swapfast.traces import Trace, open_trace, save_npz
from swapfast.traces.npz import write_npz

__all__ = ["trace"]


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    help="Write it as .npz; '-' is standard output.",
)
@click.option("--format", "format_", metavar="NAME", help="Trace format, if not to be guessed.")
@click.option("--instructions", is_flag=True, help="Lackey logs: keep instruction fetches.")
@click.option("--collapse", is_flag=True, help="Lackey logs: merge runs on the same page.")
@click.option("--pid", type=click.IntRange(0), help="Lackey logs of several processes: which one.")
@click.option("--json", "as_json", is_flag=True, help="As JSON on stdout.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def trace(
    path: Path,
    output: Path | None,
    format_: str | None,
    instructions: bool,
    collapse: bool,
    pid: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Describe the trace in PATH, and convert it.

    PATH is a lackey log or a CSV (plain, gz, xz, zst, bz2 or lzma), an .npz, a .npy or raw uint32.

    \b
    Examples:
      swapfast trace sort.lackey
      swapfast trace sort.lackey.xz -o sort.npz
      swapfast trace all.lackey --pid 4711 -o one.npz

    Exit code: 0 done, 2 bad trace or option, 3 a file cannot be read or written.
    """
    with reported():
        to_stream = output is not None and str(output) == "-"
        if output is not None and not to_stream:
            npz_name("--output", output)
            target(output, inputs=(path,))
        elif to_stream:
            if as_json:
                raise ValueError("--output - and --json both write to standard output")
            if sys.stdout.isatty():
                raise ValueError("--output -: an .npz is nothing for a terminal; name a file")
        with progress(quiet or as_json) as step:
            loaded = open_trace(
                path,
                format=format_,
                instructions=instructions,
                collapse=collapse,
                pid=pid,
                progress=lambda done, of: step(f"reading {path.name}", done, of),
            )
        if to_stream:
            _stream(loaded)
        elif output is not None:
            save_npz(output, loaded, inputs=(path,))
        facts = loaded.describe()
        if as_json:
            emit_json(facts)
        else:
            for name, value in facts.items():
                line = f"{name:16} {value}"
                if to_stream:
                    tell(line)
                else:
                    console.say(line)


def _stream(loaded: Trace) -> None:
    """Whole, or nothing: it is made in a file without a name first."""
    with tempfile.TemporaryFile() as file:
        write_npz(file, loaded)
        file.seek(0)
        shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()
