"""Signals wait while something is half done.

- ``held_back()``: a block in which the handlers of Python's signals, Ctrl-C among them, wait until
  its end, or for ``breathe()``.

An exception between the making of a file and the note that it was made would leave the file, and
its lock, to nobody. Signals that end the process at once still do: that is a crash, which leaves
files whole.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["breathe", "held_back"]


class _Signals:
    """Those of the main thread, which is the only one that runs handlers."""

    def __init__(self) -> None:
        self.holding = False
        self.came: list[int] = []
        self.handlers: dict[int, Any] = {}

    def note(self, number: int, frame: FrameType | None) -> None:
        if self.holding:
            self.came.append(number)
        else:  # an exception kept `let_go` from taking this handler away
            self.handlers[number](number, frame)

    def hold(self) -> None:
        self.holding = True
        for number in signal.valid_signals():
            handler = signal.getsignal(number)
            if callable(handler) and handler != self.note:
                self.handlers[number] = handler
                signal.signal(number, self.note)

    def let_go(self) -> None:
        waiting, self.came = self.came, []
        self.holding = False
        for number, handler in self.handlers.items():
            if signal.getsignal(number) == self.note:
                signal.signal(number, handler)
        self.handle(waiting)

    def handle(self, waiting: list[int]) -> None:
        for number in waiting:
            self.handlers[number](number, None)


_signals = _Signals()


@contextmanager
def held_back() -> Iterator[None]:
    """A block that no handler of a signal interrupts; what came meanwhile is handled at its end."""
    if threading.current_thread() is not threading.main_thread() or _signals.holding:
        yield
        return
    try:
        _signals.hold()
        yield
    finally:
        _signals.let_go()


def breathe() -> None:
    """Within `held_back`: a good place for the handlers that wait, and for their exceptions."""
    if _signals.came and threading.current_thread() is threading.main_thread():
        waiting, _signals.came = _signals.came, []
        _signals.handle(waiting)
