"""``swapfast trace``: look into a trace, or turn it into an .npz."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import click

from swapfast.cli.cautions import warn
from swapfast.cli.opening import FORMAT_OPTION, PID_OPTION, opened
from swapfast.cli.options import npz_name
from swapfast.cli.output import console, emit_json, progress, reported, tell
from swapfast.publish import target
from swapfast.traces import FORMATS, Trace, save_npz
from swapfast.traces.format import Pid
from swapfast.traces.kinds import KINDS
from swapfast.traces.npz import write_npz

__all__ = ["trace"]


def _formats(ctx: click.Context, param: click.Parameter, asked: bool) -> None:
    if not asked or ctx.resilient_parsing:
        return
    with reported():
        titles = ("format", "kind", "what is read")
        console.table(titles, [(f.name, f.kind, f.what) for f in FORMATS.values()], left=titles)
        console.say("")
        pair = ("kind", "the references are")
        console.table(pair, [(k.name, k.what) for k in KINDS.values()], left=pair)
    ctx.exit()


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    help="Write it as .npz; '-' is standard output.",
)
@FORMAT_OPTION
@click.option(
    "--formats",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_formats,
    help="Which formats are read, as a table.",
)
@click.option("--instructions", is_flag=True, help="Keep instruction fetches, if there are any.")
@click.option("--collapse", is_flag=True, help="Merge runs on the same page.")
@PID_OPTION
@click.option("--json", "as_json", is_flag=True, help="As JSON on stdout.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def trace(
    path: Path,
    output: Path | None,
    format_: str | None,
    instructions: bool,
    collapse: bool,
    pid: Pid | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Describe the trace in PATH, and convert it.

    PATH is of any format that --formats names; text and records may be compressed (gz, xz, zst,
    bz2, lzma). What kind of trace it is, is shown and kept: one that has not every access is not
    good for everything.

    \b
    Examples:
      swapfast trace sort.lackey
      swapfast trace sort.lackey.xz -o sort.npz
      swapfast trace all.lackey --pid 4711 -o one.npz
      swapfast trace --formats

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
            loaded = opened(
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
        warn(loaded)
        facts = loaded.describe()
        if as_json:
            emit_json(facts)
        else:
            facts["kind"] = f"{loaded.kind}: {KINDS[loaded.kind].what}"
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
