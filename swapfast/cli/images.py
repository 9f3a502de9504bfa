"""``swapfast inspect``, ``verify``, ``export``: what a checkpoint is, without running it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from swapfast.checkpoint import export as write
from swapfast.checkpoint import inspect as look
from swapfast.checkpoint import verify as compare
from swapfast.cli.options import no_stream
from swapfast.cli.output import EXIT_NO, JSON, console, echo, emit_json, reported
from swapfast.units import format_count, format_size

__all__ = ["export", "inspect", "verify"]


@click.command()
@click.argument("image", type=click.Path(path_type=Path))
@JSON
def inspect(image: Path, as_json: bool) -> None:
    """Say what the checkpoint in IMAGE holds; no page is read.

    \b
    Examples:
      swapfast inspect job.ckpt
      swapfast inspect job.ckpt --json

    Exit code: 0 it is whole, 2 it is damaged, 3 it cannot be read.
    """
    with reported():
        facts = look(image)
        if as_json:
            emit_json(facts)
            return
        console.say(
            (facts["image"], "bold"),
            f"  {facts['kind']}, generation {facts['generation']}, Linux {facts['profile']}, "
            f"policy {facts['policy']}, {format_size(facts['memory_bytes'])} RAM",
        )
        console.say(
            f"{format_count(facts['pages_with_data'])} pages with data of "
            f"{format_count(facts['mapped_pages'])} mapped, in "
            f"{format_count(facts['slot_runs'])} runs of slots of {facts['swapfile']}"
        )
        each = f", {facts['bytes_per_page']:.3g} bytes a page" if facts["pages_with_data"] else ""
        console.say(
            f"image of {format_size(facts['image_bytes'])}{each}, checksums "
            f"{'on' if facts['checksums'] else 'off'}"
        )
        if facts["builds_on"]:
            console.say(f"builds on {_few(facts['builds_on'])}")
        rows = [
            (
                *(str(task[k]) for k in ("pid", "parent", "name", "state")),
                format_count(task["pages"]),
            )
            for task in facts["tasks"]
        ]
        console.table(("pid", "parent", "name", "state", "pages"), rows, left=("name", "state"))


def _few(names: list[str]) -> str:
    """Names; of many the first and the last."""
    if len(names) <= 4:
        return ", ".join(names)
    return f"{len(names)} others, {names[0]} to {names[-1]}"


@click.command()
@click.argument("image", type=click.Path(path_type=Path))
@click.option("--swapfile", type=click.Path(path_type=Path), help="If it is somewhere else now.")
@JSON
def verify(image: Path, swapfile: Path | None, as_json: bool) -> None:
    """Read every page of the checkpoint in IMAGE and compare its checksum; nothing is changed.

    \b
    Examples:
      swapfast verify job.ckpt
      swapfast verify job.ckpt --swapfile /backup/s1

    Exit code: 0 all bytes are right, 1 some pages are wrong, 2 IMAGE or the header is damaged, 3 a
    file cannot be read.
    """
    with reported():
        wrong = compare(image, swapfile)
        pages = look(image)["pages_with_data"]
        if as_json:
            emit_json({"image": str(image), "pages": pages, "wrong_slots": wrong})
        elif wrong:
            some = ", ".join(map(str, wrong[:10])) + (", ..." if len(wrong) > 10 else "")
            count, of = format_count(len(wrong)), format_count(pages)
            slots = "slot" if len(wrong) == 1 else "slots"
            are = "is" if len(wrong) == 1 else "are"
            echo(f"{count} of {of} pages {are} wrong: {slots} {some}")
        else:
            echo(f"{format_count(pages)} pages, all right")
        if wrong:
            sys.exit(EXIT_NO)


@click.command()
@click.argument("image", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path), callback=no_stream)
@JSON
def export(image: Path, out: Path, as_json: bool) -> None:
    """Write what IMAGE holds for other tools: a folder OUT, or a file OUT.json or OUT.csv.

    The folder has facts.json, mappings.csv, runs.csv (page-table bytes) and one .npy file for each
    column of pages with data: page, slot, shadow, zero, sums.

    \b
    Examples:
      swapfast export job.ckpt job.d
      swapfast export job.ckpt.3 pages.csv
      swapfast export job.ckpt job.json --json

    Exit code: 0 done, 2 IMAGE is damaged, 3 the system refused, or OUT is there already, 130 ended
    by Ctrl-C; nothing is left of OUT then.
    """
    with reported():
        files = write(image, out)
        if as_json:
            emit_json({"image": str(image), "files": files})
        else:
            for name in files:
                echo(name)
