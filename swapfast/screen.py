"""Lines and tables for people, with rich.

- ``Screen``: a rich console on which no text is ever a command: markup, emoji names and control
  characters in what is printed stand there as they are written.
- ``Screen.say(...)``, ``Screen.table(...)``: a line, a table; the styles are the caller's alone.
- ``Screen.print(...)``: rich's own, with markup in strings; control characters are written out.
- ``write_no_more(number)``, ``pipe_closed()``: a standard stream that cannot be written.

A table is as wide as its figures wherever it does not go to a terminal. On a terminal that is too
narrow a cell is folded: no figure is ever cut.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.errors import MarkupError
from rich.table import Table
from rich.text import Text

from swapfast.visible import visible

__all__ = ["Cell", "Screen", "pipe_closed", "write_no_more"]

#: A text, or a text and its style ("bold", "red").
Cell = str | tuple[str, str]

SIGPIPE_EXIT = 141  # 128 + SIGPIPE: what a shell says of a program whose reader went away
MOST_COLUMNS = 1 << 20


def write_no_more(number: int) -> None:
    """A stream cannot be written: what its buffer still has fails no more, at no end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


def pipe_closed() -> int:
    """The reader of standard output went away: nothing more is written; returns the exit code."""
    write_no_more(1)
    return SIGPIPE_EXIT


class Screen(Console):
    """A console for texts that may be anybody's."""

    def __init__(self) -> None:
        super().__init__(highlight=False, soft_wrap=True, emoji=False)

    def say(self, *parts: Cell) -> None:
        """Print one line of texts."""
        self.print(Text.assemble(*map(_text, parts)))

    def heading(self, text: str) -> None:
        """Print a line across the screen that begins with a text."""
        self.rule(Text(visible(text)), align="left")

    def table(
        self,
        titles: Sequence[str],
        rows: Iterable[Sequence[Cell]],
        *,
        left: Collection[str] = (),
        header: bool = True,
    ) -> None:
        """Print a table; columns named in ``left`` begin at their left edge, others end at it."""
        table = Table(box=None, pad_edge=False, show_header=header)
        for title in titles:
            table.add_column(_text(title), justify="left" if title in left else "right")
        for row in rows:
            table.add_row(*map(_text, row))
        self.print(table)

    def print(self, *objects: Any, **options: Any) -> None:
        """As rich's; tables are whole.

        Raises
        ------
        OSError
            What was printed could not be written.
        """
        tables = [one for one in objects if isinstance(one, Table)]
        for table in tables:
            for column in table.columns:
                column.no_wrap, column.overflow = False, "fold"
                # A cell has no lines of its own: they would break the table.
                column._cells = [visible(c) if isinstance(c, str) else c for c in column._cells]
        before = self._width
        try:
            if tables and not self._on_terminal:
                self._width = MOST_COLUMNS
            super().print(*objects, **options)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OSError(error.errno, error.strerror, "standard output") from None
        finally:
            self._width = before

    def render_str(self, text: str, **options: Any) -> Text:
        """A string as rich reads it, but nothing in it is obeyed by the terminal."""
        text = visible(text, lines=True)
        try:
            return super().render_str(text, **options)
        except MarkupError:
            return Text(text)

    def on_broken_pipe(self) -> None:
        """Nobody reads on: end quietly."""
        self.quiet = True
        sys.exit(pipe_closed())

    @property
    def _on_terminal(self) -> bool:
        return self.file.isatty()


def _text(cell: Cell) -> Text:
    text, style = cell if isinstance(cell, tuple) else (cell, "")
    return Text(visible(text), style=style)
