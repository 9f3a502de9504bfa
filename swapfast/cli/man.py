"""``swapfast man``: the manual."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

from swapfast.cli.manual import page, pages
from swapfast.cli.output import console, reported
from swapfast.publish import publish

__all__ = ["man"]


@click.command()
@click.argument("command", nargs=-1)
@click.option(
    "--write",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write all pages there: of /usr/local/share/man/man1 man(1) shows them itself.",
)
@click.pass_context
def man(context: click.Context, command: tuple[str, ...], write: Path | None) -> None:
    """Show the manual page of COMMAND, or of swapfast; --write makes pages of all commands.

    On a terminal man(1) shows it; otherwise the page itself is printed, in the macros of man(7).

    \b
    Examples:
      swapfast man
      swapfast man replay
      swapfast man scenario init
      swapfast man --write ~/.local/share/man/man1        then: man swapfast-replay

    Exit code: 0 done, 2 no such command, 3 it cannot be written.
    """
    root = context.find_root()
    with reported():
        assert isinstance(root.command, click.Group)
        if write is not None:
            if command:
                raise ValueError("--write makes all pages; it does not go with a COMMAND")
            write.mkdir(parents=True, exist_ok=True)
            count = 0
            for name, text in pages(root.command):
                with publish(write / name) as file:
                    file.write(text.encode())
                count += 1
            console.say(f"{write}: {count} pages")
        else:
            _show(page(_found(root, command)).encode())


def _found(root: click.Context, names: tuple[str, ...]) -> click.Context:
    """The context of a command by its names.

    Raises
    ------
    ValueError
        There is none.
    """
    context = click.Context(root.command, info_name="swapfast")
    for name in names:
        known = context.command.commands if isinstance(context.command, click.Group) else {}
        if name not in known:
            there = ", ".join(known) or "none"
            raise ValueError(f"{context.command_path} has no command {name!r:.40}; it has {there}")
        context = click.Context(known[name], info_name=name, parent=context)
    return context


def _show(text: bytes) -> None:
    viewer = shutil.which("man")
    if viewer is None or not sys.stdout.isatty():
        sys.stdout.flush()
        sys.stdout.buffer.write(text)
        return
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as source:
        with os.fdopen(writer, "wb") as sink:
            sink.write(text)  # no page is as long as a pipe
        subprocess.run([viewer, "-l", "-"], stdin=source, check=False)
