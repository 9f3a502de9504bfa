"""Every command with its arguments and options, from the model of the command line.

- ``page()``; ``untold()``.
- ``every()``: name -> command; groups are left out.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from swapfast.cli.commands import swapfast
from tools.reference.table import cell, code, table

__all__ = ["every", "page", "untold"]

HEAD = """# Commands

What `--help` of each command says, from the same source. Exit codes: 0 all well, 1 the answer is
no (a test failed, data leaked, the program was killed), 2 wrong usage or a bad input file, 3 the
system refused, 130 ended by Ctrl-C: what was counted until then is shown, and marked. Output files
are written whole or not at all, and never in the place of a device, a FIFO or an input. Sizes are
like `64MiB`, shares like `50%`.

"""


def every() -> Iterator[tuple[str, click.Command]]:
    """Commands by their names, in the order of ``swapfast --help``'s source."""
    yield from _below(swapfast, "swapfast")


def _below(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    for word, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _below(command, f"{name} {word}")
        else:
            yield f"{name} {word}", command


def _options(command: click.Command) -> list[click.Option]:
    return [p for p in command.params if isinstance(p, click.Option) and not p.hidden]


def untold() -> Iterator[str]:
    """Commands and options without a text."""
    for name, command in every():
        if not command.help:
            yield name
        yield from (f"{name} {option.opts[0]}" for option in _options(command) if not option.help)


def _text(help: str) -> str:
    r"""Paragraphs; those that begin with \b keep their lines."""
    parts = []
    for paragraph in inspect.cleandoc(help).split("\n\n"):
        if not paragraph.startswith("\b"):
            parts.append(cell(paragraph))
            continue
        head, *lines = paragraph.removeprefix("\b").strip("\n").splitlines()
        if head.startswith(" "):
            head, lines = "", [head, *lines]
        block = inspect.cleandoc("\n".join(["", *lines]))
        parts.append(f"{cell(head)}\n\n```text\n{block}\n```" if lines else cell(head))
    return "\n\n".join(parts)


def _row(option: click.Option, context: click.Context) -> tuple[str, str]:
    record = option.get_help_record(context)
    assert record is not None, "it is not hidden"
    return code(record[0]), cell(record[1])


def _section(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name, max_content_width=200)
    pieces = command.collect_usage_pieces(context)
    used = f"```text\n{name} {' '.join(pieces)}\n```"
    rows = [_row(option, context) for option in _options(command)]
    options = table(("option", "what"), rows) if rows else ""
    return f"## {name}\n\n{used}\n\n{_text(command.help or '')}\n\n{options}"


def page() -> str:
    """The page."""
    assert swapfast.help
    return HEAD + "".join(_section(name, command) for name, command in every())
