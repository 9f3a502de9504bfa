"""``swapfast mkswap``, ``swaps`` and ``strings``: small tools on real swapfiles."""

from __future__ import annotations

import contextlib
import sys
import uuid
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from swapfast.cli.output import EXIT_NO, console, emit_json, reported
from swapfast.swapfile import RULES, parse_header
from swapfast.swapfile import mkswap as make
from swapfast.swapfile import strings as find
from swapfast.units import PAGE_SIZE, format_size

__all__ = ["mkswap", "strings", "swaps"]


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("size", required=False)
@click.option("--label", "-L", help="Volume label, at most 15 bytes.")
@click.option("--uuid", "-U", "uuid_", help="UUID; random by default.")
@click.option("--force", "-f", is_flag=True, help="Format over a partition table.")
def mkswap(path: Path, size: str | None, label: str | None, uuid_: str | None, force: bool) -> None:
    """Make PATH a swap area; with SIZE, create it: mode 0600, every block allocated.

    \b
    Examples:
      swapfast mkswap /s1 512MiB
      swapfast mkswap --label c1 existing.swap

    The result is what mkswap(8) of util-linux writes, byte for byte.
    """
    with reported():
        result = make(
            path,
            size=size,
            label=label,
            uuid=None if uuid_ is None else uuid.UUID(uuid_),
            force=force,
        )
        for warning in result.warnings:
            click.echo(warning, err=True)
        for line in result.lines:
            click.echo(line)


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="As JSON on stdout.")
def swaps(paths: tuple[Path, ...], as_json: bool) -> None:
    """Show the header of swapfiles, and what each kernel makes of it.

    \b
    Examples:
      swapfast swaps /s1 /s2

    Exit code: 0 every kernel takes every file, 1 some refusal, 3 a file cannot be read.
    """
    with reported():
        facts = [_header_facts(path) for path in paths]
        if as_json:
            emit_json({"swapfiles": facts})
        else:
            table = Table(box=None, pad_edge=False)
            for title in ("file", "size", "label", "UUID", "Linux 2.6.25", "Linux 6.18"):
                table.add_column(title)
            for fact in facts:
                verdicts = [fact["verdicts"][k] for k in ("2.6.25", "6.18")]
                table.add_row(
                    fact["path"],
                    format_size(fact["size"]),
                    fact["label"] or "-",
                    fact["uuid"] or "-",
                    *(v["refused"] or f"{v['pages'] * PAGE_SIZE // 1024} kB" for v in verdicts),
                )
            console.print(table)
        if any(v["refused"] for fact in facts for v in fact["verdicts"].values()):
            sys.exit(EXIT_NO)


def _header_facts(path: Path) -> dict[str, Any]:
    with open(path, "rb") as file:
        head = file.read(65536)
        size = file.seek(0, 2)
    verdicts: dict[str, dict[str, Any]] = {}
    for name, rules in RULES.items():
        try:
            pages = rules.check(head, size // PAGE_SIZE, path=str(path)).pages
            verdicts[name] = {"pages": pages, "refused": None}
        except OSError as error:
            verdicts[name] = {"pages": 0, "refused": error.strerror}
    facts: dict[str, Any] = {"path": str(path), "size": size, "label": None, "uuid": None}
    with contextlib.suppress(ValueError):
        header = parse_header(head[:PAGE_SIZE], page_size=PAGE_SIZE)
        facts.update(label=header.label, uuid=str(header.uuid))
    return {**facts, "verdicts": verdicts}


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--min-length", "-n", type=click.IntRange(1, 4096), default=4, show_default=True)
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
