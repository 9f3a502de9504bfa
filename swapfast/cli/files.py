"""``swapfast mkswap``, ``swaps`` and ``strings``: small tools on real swapfiles."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from swapfast.cli.options import no_stream, size_of
from swapfast.cli.output import EXIT_NO, JSON, console, echo, emit_json, reported
from swapfast.swapfile import judge
from swapfast.swapfile import mkswap as make
from swapfast.swapfile import strings as find
from swapfast.units import PAGE_SIZE, format_size
from swapfast.visible import visible

__all__ = ["mkswap", "strings", "swaps"]


@click.command()
@click.argument("path", type=click.Path(path_type=Path), callback=no_stream)
@click.argument("size", required=False)
@click.option("--label", "-L", help="Volume label, at most 15 bytes.")
@click.option("--uuid", "-U", "uuid_", help="UUID, or clear, random (default) or time.")
@click.option("--force", "-f", is_flag=True, help="Format over a partition table.")
def mkswap(path: Path, size: str | None, label: str | None, uuid_: str | None, force: bool) -> None:
    """Make PATH a swap area; with SIZE, create it: mode 0600, every block allocated.

    \b
    Examples:
      swapfast mkswap /s1 512MiB
      swapfast mkswap --label c1 existing.swap
      swapfast mkswap -U clear /s2 64MiB

    The result is what mkswap(8) of util-linux writes, byte for byte.
    """
    with reported():
        bytes_ = (
            None
            if size is None
            else size_of("SIZE", size, least=10, most=1 << 51, what="a swapfile")
        )
        try:
            result = make(path, size=bytes_, label=label, uuid=uuid_, force=force)
        except ValueError as error:
            if not str(error).startswith("uuid: "):
                raise
            cause = str(error).partition(" is not ")[2]
            raise ValueError(f"--uuid {uuid_}: is not {cause}") from None
        for warning in result.warnings:
            click.echo(visible(warning), err=True)
        for line in result.lines:
            echo(line)


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@JSON
def swaps(paths: tuple[Path, ...], as_json: bool) -> None:
    """Show the header of swapfiles, and what each kernel makes of it.

    The verdict is that of swapon in a simulated machine: files with holes, files of which btrfs
    writes copies, and files on overlayfs are refused.

    \b
    Examples:
      swapfast swaps /s1 /s2

    Exit code: 0 every kernel takes every file, 1 some refusal, 3 a file cannot be read.
    """
    with reported():
        facts = [judge(path) for path in paths]
        if as_json:
            emit_json({"swapfiles": [asdict(one) for one in facts]})
        else:
            rows = [
                (
                    one.path,
                    format_size(one.size),
                    one.label or "-",
                    one.uuid or "-",
                    *(
                        "refused" if v.refused else f"{v.pages * PAGE_SIZE // 1024} kB"
                        for v in (one.verdicts["2.6.25"], one.verdicts["6.18"])
                    ),
                )
                for one in facts
            ]
            titles = ("file", "size", "label", "UUID", "Linux 2.6.25", "Linux 6.18")
            console.table(titles, rows, left=titles)
            for one in facts:
                for reason in dict.fromkeys(v.refused for v in one.verdicts.values() if v.refused):
                    kernels = [k for k, v in one.verdicts.items() if v.refused == reason]
                    console.say(f"{one.path}: refused by Linux {' and '.join(kernels)}: {reason}")
        if any(v.refused for one in facts for v in one.verdicts.values()):
            sys.exit(EXIT_NO)


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--min-length",
    "-n",
    type=click.IntRange(1, 4096),
    default=4,
    show_default=True,
    help="Shorter ones are left out.",
)
@click.option("--offsets", "-t", is_flag=True, help="Decimal offset before each string.")
@click.option("--beyond-header", is_flag=True, help="Leave the header page out.")
def strings(path: Path, min_length: int, offsets: bool, beyond_header: bool) -> None:
    """Print the printable strings in PATH, as strings(1) does.

    \b
    Examples:
      swapfast strings /s2
      swapfast strings --beyond-header -t /s2
    """
    with reported():
        start = PAGE_SIZE if beyond_header else 0
        for offset, text in find(path, min_length, start=start):
            click.echo(f"{offset:7d} {text}" if offsets else text)
