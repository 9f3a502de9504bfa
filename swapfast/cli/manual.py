"""Pages of the manual, made of what ``--help`` is made of.

- ``pages(group)``: name of a file, "swapfast-replay.1", and its text in the macros of man(7).
- ``page(context)``: one of them.

A page has what man-pages(7) asks for: NAME, SYNOPSIS, DESCRIPTION, OPTIONS, EXAMPLES, EXIT STATUS,
SEE ALSO.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

from swapfast import __version__

__all__ = ["page", "pages"]

KEPT = "\b\n"  # click's mark of a paragraph whose lines stay as they are
EXAMPLES = re.compile(r"Examples?:\n")
CODES = "Exit code: "


def pages(group: click.Group, name: str = "swapfast") -> Iterator[tuple[str, str]]:
    """The page of a group, and those of all commands in it."""
    yield from _below(click.Context(group, info_name=name))


def _below(context: click.Context) -> Iterator[tuple[str, str]]:
    yield f"{context.command_path.replace(' ', '-')}.1", page(context)
    if isinstance(context.command, click.Group):
        for name, command in context.command.commands.items():
            yield from _below(click.Context(command, info_name=name, parent=context))


def page(context: click.Context) -> str:
    """The page of a command, called as its context says."""
    name = context.command_path.replace(" ", "-")
    summary, *told = _paragraphs(context.command)
    lines = [f'.TH "{_text(name.upper())}" "1" "" "swapfast {__version__}" "swapfast"']
    lines += [".SH NAME", rf"{_text(name)} \- {_text(_joined(summary).rstrip('.'))}"]
    lines += [".SH SYNOPSIS", rf"\fB{_text(context.command_path)}\fP {_text(_usage(context))}"]
    kept = [one for one in told if EXAMPLES.match(one) is None and not one.startswith(CODES)]
    if kept:
        lines.append(".SH DESCRIPTION")
        for paragraph in kept:
            lines += [".PP", *_paragraph(paragraph)]
    lines += _options(context)
    if isinstance(context.command, click.Group):
        lines += _commands(context)
    for one in told:
        if EXAMPLES.match(one) is not None:
            lines += [".SH EXAMPLES", *_verbatim(EXAMPLES.sub("", one))]
        elif one.startswith(CODES):
            lines += [".SH EXIT STATUS", _text(_joined(one.removeprefix(CODES)))]
    return "\n".join([*lines, *_see_also(context)]) + "\n"


def _paragraphs(command: click.Command) -> list[str]:
    """Of the help text; the first is what the command is, in a sentence."""
    text = inspect.cleandoc(command.help or "").replace("\r", "")
    return [
        one.removeprefix(KEPT) if one.startswith("\b") else _joined(one)
        for one in re.split(r"\n{2,}", text)
    ]


def _paragraph(text: str) -> list[str]:
    return _verbatim(text) if "\n" in text else [_text(text)]


def _usage(context: click.Context) -> str:
    return " ".join(context.command.collect_usage_pieces(context))


def _options(context: click.Context) -> list[str]:
    records = [
        record
        for param in context.command.get_params(context)
        if isinstance(param, click.Option)
        and (record := param.get_help_record(context)) is not None
    ]
    lines = [".SH OPTIONS"]
    for names, said in records:
        lines += [".TP", rf"\fB{_text(names)}\fP", _text(_joined(said))]
    return lines


def _commands(context: click.Context) -> list[str]:
    assert isinstance(context.command, click.Group)
    lines = [".SH COMMANDS"]
    for name, command in context.command.commands.items():
        lines += [".TP", rf"\fB{_text(name)}\fP", _text(_paragraphs(command)[0])]
    return lines


def _see_also(context: click.Context) -> list[str]:
    others: list[str] = []
    if context.parent is not None:
        others.append(context.parent.command_path.replace(" ", "-"))
    if isinstance(context.command, click.Group):
        path = context.command_path.replace(" ", "-")
        others += [f"{path}-{name}" for name in context.command.commands]
    return [".SH SEE ALSO", ", ".join(rf"\fB{_text(one)}\fP(1)" for one in others)]


def _verbatim(text: str) -> list[str]:
    return [".PP", ".nf", *(_text(line) for line in text.splitlines()), ".fi"]


def _joined(text: str) -> str:
    return " ".join(text.split())


def _text(text: str) -> str:
    """Text that roff prints as it is."""
    text = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{text}" if text.startswith((".", "'")) else text
