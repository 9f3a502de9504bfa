"""What was changed is put back, in reverse, whatever happens.

- ``Undo``: steps with their reverse. ``Undo.scope()``: a part that is put back earlier.
- ``Stop``: signals wait for a safe place instead of striking between a step and its note.
"""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from swapfast.errors import system_error

__all__ = ["Stop", "Undo"]


class Undo:
    """Steps done so far. As a context manager: all are undone on the way out.

    A reverse that fails keeps none of the others from running; at the end ``OSError`` says what is
    left behind.
    """

    def __init__(self) -> None:
        self._steps: list[tuple[str, Callable[[], object]]] = []
        self._failures: list[str] = []
        self._first: BaseException | None = None  # why there is something to undo

    def do(self, step: Callable[[], object], what: str, reverse: Callable[[], object]) -> None:
        """Take a step; ``reverse`` is noted when it has succeeded, under the name ``what``."""
        step()
        self._steps.append((what, reverse))

    @contextmanager
    def scope(self) -> Iterator[None]:
        """What is done inside is undone at its end.

        Raises
        ------
        OSError
            EIO: something could not be undone.
        """
        mark = len(self._steps)
        try:
            yield
        except BaseException as error:
            self._first = self._first or error
            raise
        finally:
            self._back_to(mark)

    def _back_to(self, mark: int) -> None:
        while len(self._steps) > mark:
            what, reverse = self._steps.pop()
            try:
                reverse()
            except OSError as error:
                self._failures.append(f"{what} failed: {error.strerror or error}")
        if self._failures:
            lines = ["left behind; undo by hand:", *self._failures]
            if self._first is not None:
                lines.append(f"after: {str(self._first) or type(self._first).__name__}")
            raise system_error(errno.EIO, "\n".join(lines))

    def __enter__(self) -> Undo:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._failures:
            self._first = self._first or error
        self._back_to(0)


class Stop:
    """Takes SIGINT, SIGTERM and SIGHUP until the end of the context, in the main thread.

    Attributes
    ----------
    seen : int or None
        The signal that came.
    on_signal : callable or None
        Called at once when one comes; kills the process that is waited for.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self.seen: int | None = None
        self.on_signal: Callable[[], object] | None = None
        self._before: dict[int, Any] = {}

    def check(self) -> None:
        """A safe place: ``KeyboardInterrupt`` if a signal has come."""
        if self.seen is not None:
            raise KeyboardInterrupt

    def _take(self, number: int, frame: FrameType | None) -> None:
        self.seen = number
        if self.on_signal is not None:
            self.on_signal()

    def __enter__(self) -> Stop:
        for number in self.SIGNALS:
            self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
