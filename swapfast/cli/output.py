"""What the terminal shows, and the way errors end.

- ``console``, ``errors``: rich consoles on stdout and stderr.
- ``progress(quiet)``: a bar on stderr while it is a terminal; nothing otherwise.
- ``JSON``: the option ``--json``; ``emit_json(facts)``: one JSON document on stdout.
- ``reported()``: turns errors into one line and an exit code.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from swapfast.errors import KernelPanic, TaskKilled

__all__ = ["JSON", "console", "emit_json", "progress", "reported"]

EXIT_NO = 1
EXIT_INPUT = 2
EXIT_SYSTEM = 3

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

JSON = click.option("--json", "as_json", is_flag=True, help="As JSON on stdout.")

Step = Callable[[str, int, int], None]


@contextmanager
def progress(quiet: bool = False) -> Iterator[Step]:
    """A function ``step(what, done, of)`` that moves a bar on the terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda what, done, of: None
        return
    with Progress(
        TextColumn("{task.description:40.40}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, of: bar.update(
            task, description=what, completed=done, total=of or None
        )


def emit_json(facts: dict[str, Any]) -> None:
    """Print facts as JSON on stdout."""
    click.echo(json.dumps(facts, indent=2, ensure_ascii=False))


@contextmanager
def reported() -> Iterator[None]:
    """One line for a person instead of a traceback, and the exit code that belongs to it."""
    try:
        yield
    except ValueError as error:
        _end(str(error), EXIT_INPUT)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _end(f"{where}{error.strerror or error}", EXIT_SYSTEM)
    except (TaskKilled, KernelPanic, MemoryError) as error:
        _end(str(error) or "out of memory", EXIT_SYSTEM)
    except KeyboardInterrupt:
        _end("interrupted", 130)


def _end(message: str, code: int) -> None:
    for line in message.splitlines() or [""]:
        click.echo(f"swapfast: {line}", err=True)
    sys.exit(code)
