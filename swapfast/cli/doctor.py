"""``swapfast doctor``: what this machine has, and what each missing thing would give."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from swapfast.cli.output import EXIT_NO, JSON, console, emit_json, reported
from swapfast.screen import Cell

if TYPE_CHECKING:
    from swapfast.doctor import Diagnosis, Finding

__all__ = ["doctor"]

STYLES = {"ok": "green", "missing": "yellow", "fact": ""}


@click.command()
@JSON
def doctor(as_json: bool) -> None:
    """Say what this machine has for swapfast, and what each missing thing would give.

    Nothing is changed: the questions are those that the commands ask themselves before they begin.
    "missing" is a thing that some command lacks here, with how to get it; the other commands work
    without it.

    \b
    Examples:
      swapfast doctor
      swapfast doctor --json

    Exit code: 0 all is there that every command needs, 1 something of that is missing.
    """
    from swapfast.doctor import examine  # not at the start of every command

    with reported():
        found = examine()
        if as_json:
            emit_json(found.as_dict())
        else:
            show(found)
    if not found.sound:
        sys.exit(EXIT_NO)


def show(diagnosis: Diagnosis) -> None:
    """A table, and how to get what is missing."""
    titles = ("", "", "what is there", "what it gives")
    console.table(titles, _rows(diagnosis), left=titles)
    missing = [one for one in diagnosis.findings if one.state == "missing"]
    if missing:
        console.say()
        console.say(("To get what is missing:", "bold"))
        rows = [(f"  {one.name}", one.remedy or one.found) for one in missing]
        console.table(("", ""), rows, left=("",), header=False)
    console.say()
    if diagnosis.sound:
        console.say("What every command needs is there.")
    else:
        console.say(("Nothing works before what is needed is there.", "red"))


def _rows(diagnosis: Diagnosis) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    part = ""
    for one in diagnosis.findings:
        if one.part != part:
            part = one.part
            rows.append(((part, "bold"), "", "", ""))
        rows.append((f"  {one.name}", _state(one), one.found, one.gives))
    return rows


def _state(one: Finding) -> Cell:
    if one.state == "fact":
        return ""
    return one.state, "red" if one.needed and one.state == "missing" else STYLES[one.state]
