"""Calls that change a machine's tables: each is done, undone, or the machine says it is broken.

- ``Changes``: one for each machine; such a call runs in ``with changes.of("munmap"): ...``. A
  function has one such block at a time.

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

__all__ = ["Changes"]

# What calls raise when they have changed nothing, or have come to an end. A TimeoutError is an
# OSError, but only a signal handler raises it.
EXPECTED = (OSError, ValueError, MemoryError, TaskKilled, KernelPanic)


class Changes:
    """The calls of one machine that change its tables.

    Parameters
    ----------
    give_up : callable
        Called with a sentence when a call ended halfway; it must let the machine's files go.
    """

    __slots__ = ("_give_up", "_name", "_undone", "frame")

    def __init__(self, give_up: Callable[[str], None]) -> None:
        self._give_up = give_up
        self._name = ""
        self._undone: BaseException | None = None
        # Of the outermost call under way. A call within it is found by this frame: a counter would
        # be wrong for ever after an exception between two of its steps.
        self.frame: FrameType | None = None

    def of(self, name: str) -> Changes:
        """A context for one call, named as people know it."""
        if self.frame is None:
            self._name = name
        return self

    def undone(self, error: BaseException) -> None:
        """Everything is as it was before the call that this exception ends: it does no harm."""
        self._undone = error

    def __enter__(self) -> None:
        if self.frame is None:
            self.frame = sys._getframe(1)
        else:
            self.check()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and not self._harmless(error):
            self._break()
        elif self.frame is sys._getframe(1):
            self.frame = None

    def check(self) -> None:
        """Raise OSError (EBADF) if a call ended halfway, and let the machine's files go."""
        frame: FrameType | None = sys._getframe(1)
        if self.frame is None:
            return
        while frame is not None:
            if frame is self.frame:
                return
            frame = frame.f_back
        self._break()
        raise system_error(errno.EBADF, self._sentence())

    def _harmless(self, error: BaseException) -> bool:
        if error is self._undone:
            self._undone = None  # for the calls around this one it is like any other
            return True
        return isinstance(error, EXPECTED) and not isinstance(error, TimeoutError)

    def _break(self) -> None:
        self._give_up(self._sentence())
        self.frame = self._undone = None  # their variables may hold a file

    def _sentence(self) -> str:
        return (
            f"the machine is broken: {self._name} was interrupted between two of its steps; its "
            "files are let go, make a new machine"
        )
