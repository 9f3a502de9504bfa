"""A descriptor that is ready when a child or a traced process has stopped or ended.

- ``ChildSignals``: SIGCHLD, which this process does not get otherwise from then on.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from swapfast.shell.memory import _tracee

__all__ = ["ChildSignals"]

SIZE = 128  # struct signalfd_siginfo


class ChildSignals:
    """SIGCHLD by a descriptor."""

    def __init__(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        self._fd = _tracee.signals_of(signal.SIGCHLD)

    def fileno(self) -> int:
        """Ready when one is there."""
        return self._fd

    def read(self) -> None:
        """Take what is there."""
        with suppress(BlockingIOError):
            while os.read(self._fd, 16 * SIZE):
                pass
