"""The console of a simulated machine that has no screen.

- ``Console``: lines of the machine's log, and with ``trace`` every call that was answered.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

from swapfast.visible import visible

__all__ = ["Console"]


class Console:
    """Where a machine's lines go.

    Parameters
    ----------
    fd : int
        A terminal, or a file.
    trace : bool
        A line for each call.
    """

    def __init__(self, fd: int, trace: bool = False) -> None:
        self._fd, self._trace, self._shown = fd, trace, 0

    def flush(self, log: Sequence[str]) -> None:
        """Write what is new in the log."""
        for line in log[self._shown :]:
            self.say(line)
        self._shown = len(log)

    def call(self, pid: int, name: str, result: str) -> None:
        """A call was answered."""
        if self._trace:
            self.say(f"{pid} {name} = {result}")

    def say(self, line: str) -> None:
        """Write a line; where it cannot be written, the machine goes on."""
        with suppress(OSError):
            os.write(self._fd, f"swapfast: {visible(line)}\n".encode("utf-8", "backslashreplace"))
