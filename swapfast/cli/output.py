"""What the terminal shows, and the way errors end.

- ``console``: the screen on stdout; nothing printed there is a command.
- ``progress(quiet)``: a bar on stderr while it is a terminal; nothing otherwise.
- ``rate(per_s, unit)``: how many a second, for a person.
- ``counting()``: a block in which Ctrl-C waits for the next step, where counts are whole.
- ``JSON``: the option ``--json``; ``emit_json(facts)``: one JSON document on stdout.
- ``echo(text)``: a line on stdout without any style.
- ``reported()``: turns errors into one line and an exit code.
"""

from __future__ import annotations

import json
import math
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Protocol

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from swapfast.errors import KernelPanic, TaskKilled
from swapfast.screen import Screen, pipe_closed, write_no_more
from swapfast.visible import hidden, visible

__all__ = [
    "JSON",
    "console",
    "counting",
    "echo",
    "emit_json",
    "interrupted",
    "progress",
    "rate",
    "reported",
    "tell",
]

EXIT_NO = 1
EXIT_INPUT = 2
EXIT_SYSTEM = 3
EXIT_INTERRUPT = 130  # 128 + SIGINT

console = Screen()

JSON = click.option("--json", "as_json", is_flag=True, help="As JSON on stdout.")


class Step(Protocol):
    """What moves a bar."""

    def __call__(self, what: str, done: int, of: int, unit: str = "") -> None:
        """Say what is done, and how far; with a unit, how many of them a second."""


class _Rate(ProgressColumn):
    """How many a second, where it is known of what."""

    def render(self, task: Task) -> Text:
        unit = task.fields.get("unit", "")
        if not unit or not task.speed:
            return Text("")
        return Text(rate(task.speed, unit))


def rate(per_s: float, unit: str) -> str:
    """``"12.3 M references/s"``."""
    for prefix, size in (("G ", 1e9), ("M ", 1e6), ("k ", 1e3)):
        if per_s >= size:
            return f"{per_s / size:.3g} {prefix}{unit}/s"
    return f"{per_s:.3g} {unit}/s"


# ---------------------------------------------------------------- while it runs


@contextmanager
def progress(quiet: bool = False) -> Iterator[Step]:
    """A function ``step(what, done, of, unit)`` that moves a bar on the terminal.

    The bar has the time that is left, and with a unit the rate. Both begin anew where less is done
    than before.

    Within `counting`, a step is where Ctrl-C takes effect.
    """
    if quiet or sys.stderr is None or not sys.stderr.isatty():

        def step(what: str, done: int, of: int, unit: str = "") -> None:
            _Waiting.check()

        yield step
        return
    with Progress(
        TextColumn("{task.description:40.40}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        _Rate(),
        console=Console(stderr=True, emoji=False),
        transient=True,
    ) as bar:
        task = bar.add_task("", total=None)

        last = 0

        def move(what: str, done: int, of: int, unit: str = "") -> None:
            nonlocal last
            if done < last:  # something else begins
                bar.reset(task, unit=unit)
            last = done
            bar.update(task, description=visible(what), completed=done, total=of or None, unit=unit)
            _Waiting.check()

        yield move


class _Waiting:
    """A Ctrl-C that came within `counting` and was not acted on yet."""

    signals = 0

    @classmethod
    def check(cls) -> None:
        if cls.signals:
            cls.signals = 0
            raise KeyboardInterrupt


@contextmanager
def counting() -> Iterator[None]:
    """Ctrl-C takes effect at the next step, where what was counted belongs together.

    A second one takes effect at once, and a third ends the process. After the last step the result
    is whole, and none is needed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(number: int, frame: FrameType | None) -> None:
        _Waiting.signals += 1
        if _Waiting.signals == 2:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            raise KeyboardInterrupt

    _Waiting.signals = 0
    before = signal.signal(signal.SIGINT, on_signal)
    try:
        yield
    finally:
        _Waiting.signals = 0
        signal.signal(signal.SIGINT, before)


def interrupted(done: int, of: int, what: str) -> None:
    """Say how far a result goes that Ctrl-C ended, and end with its exit code."""
    _end([f"interrupted after {done:,} of {of:,} {what}"], EXIT_INTERRUPT)


# ---------------------------------------------------------------- results


def echo(text: str) -> None:
    """Print one line on stdout."""
    click.echo(visible(text))


def tell(line: str) -> None:
    """Print one line on stderr; where it cannot be written, the exit code says enough."""
    try:
        click.echo(visible(line), err=True)
    except OSError:
        write_no_more(2)


def emit_json(facts: dict[str, Any]) -> None:
    """Print facts as JSON on stdout: UTF-8 whatever the locale, and nothing a terminal obeys."""
    text = json.dumps(_plain(facts), indent=2, ensure_ascii=False, allow_nan=False)
    if not text.isascii():
        text = "".join(_json_escape(c) if hidden(c) and c != "\n" else c for c in text)
    left = memoryview(text.replace("\x7f", "\\u007f").encode("utf-8") + b"\n")
    sys.stdout.flush()
    stream = sys.stdout.buffer
    while left:  # without a buffer, as with PYTHONUNBUFFERED, a part may be written
        left = left[stream.write(left) :]
    stream.flush()


def _json_escape(character: str) -> str:
    return json.dumps(character)[1:-1]


def _plain(value: Any) -> Any:
    """The same without what JSON has no word for: a number that is none is null."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


# ---------------------------------------------------------------- errors


@contextmanager
def reported() -> Iterator[None]:
    """One line for a person instead of a traceback, and the exit code that belongs to it."""
    try:
        yield
    except ValueError as error:
        _end(_problems(error) or [str(error)], EXIT_INPUT)
    except BrokenPipeError as error:
        if error.filename is None:
            sys.exit(pipe_closed())
        _end([f"{error.filename}: {error.strerror}"], EXIT_SYSTEM)
    except OSError as error:
        where = "" if error.filename is None else f"{_name(error.filename)}: "
        problems = _problems(error) or [error.strerror or str(error)]
        _end([where + problem for problem in problems], EXIT_SYSTEM)
    except (TaskKilled, KernelPanic, MemoryError) as error:
        _end([str(error) or "out of memory"], EXIT_SYSTEM)
    except KeyboardInterrupt:
        _end(["interrupted"], EXIT_INTERRUPT)


def _problems(error: Exception) -> list[str]:
    """The parts of an error that has several."""
    problems = getattr(error, "problems", None)
    return list(map(str, problems)) if isinstance(problems, list) else []


def _name(filename: Any) -> str:
    if isinstance(filename, bytes):
        return filename.decode("utf-8", "surrogateescape")
    return str(filename)


def _end(lines: list[str], code: int) -> None:
    for line in lines:
        tell(f"swapfast: {line}")
    sys.exit(code)
