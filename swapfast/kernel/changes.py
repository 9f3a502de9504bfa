"""Calls that change a machine's tables: each is done, undone, or the machine says it is broken.

- ``Changes``: one for each machine; such a call runs in ``with changes.of("munmap"): ...``.

An exception that nobody expects (Ctrl-C, another asynchronous exception, a bug) may end a call
between two of its steps. Tables that are half changed give wrong answers, so the machine is given
up then: its files are let go, and every later call fails with a sentence that says why.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from types import FrameType, TracebackType

from swapfast.errors import KernelPanic, TaskKilled, system_error

__all__ = ["Change", "Changes"]

# What calls raise when they have changed nothing, or have come to an end. A TimeoutError is an
# OSError, but only a signal handler raises it.
EXPECTED = (OSError, ValueError, MemoryError, TaskKilled, KernelPanic)


class Change:
    """One call under way; made by `Changes.of`."""

    __slots__ = ("_changes", "_outermost", "_undone", "name")

    def __init__(self, changes: Changes, name: str) -> None:
        self._changes = changes
        self._outermost = False
        self._undone = False
        self.name = name

    def undone(self) -> None:
        """Everything is as it was before: the exception that comes now does no harm."""
        self._undone = True

    def __enter__(self) -> Change:
        self._outermost = self._changes.begin(self.name, sys._getframe(1))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        harmless = (
            kind is None
            or self._undone
            or (issubclass(kind, EXPECTED) and not issubclass(kind, TimeoutError))
        )
        if not harmless:
            self._changes.give_up()
        elif self._outermost:
            self._changes.frame = None


class Changes:
    """The calls of one machine that change its tables.

    Parameters
    ----------
    give_up : callable
        Called with a sentence when a call ended halfway; it must let the machine's files go.
    """

    __slots__ = ("_give_up", "_name", "frame")

    def __init__(self, give_up: Callable[[str], None]) -> None:
        self._give_up = give_up
        self._name = ""
        # Of the outermost call under way. A call within it is found by this frame: a counter would
        # be wrong for ever after an exception between two of its steps.
        self.frame: FrameType | None = None

    def of(self, name: str) -> Change:
        """A context for one call, named as people know it."""
        return Change(self, name)

    def check(self) -> None:
        """Raise OSError (EBADF) if a call ended halfway, and let the machine's files go."""
        if self.frame is not None and not self._running(sys._getframe(1)):
            self.give_up()
            raise system_error(errno.EBADF, self._sentence())

    def begin(self, name: str, frame: FrameType) -> bool:
        """A call begins in ``frame``; False: it is part of one that is under way."""
        if self.frame is None:
            self._name = name
            self.frame = frame
            return True
        if not self._running(frame):
            self.give_up()
            raise system_error(errno.EBADF, self._sentence())
        return False

    def _running(self, frame: FrameType | None) -> bool:
        while frame is not None:
            if frame is self.frame:
                return True
            frame = frame.f_back
        return False

    def give_up(self) -> None:
        """A call ended halfway: nothing can be done any more."""
        self._give_up(self._sentence())
        self.frame = None  # its variables may hold a file

    def _sentence(self) -> str:
        return (
            f"the machine is broken: {self._name} was interrupted between two of its steps; its "
            "files are let go, make a new machine"
        )
