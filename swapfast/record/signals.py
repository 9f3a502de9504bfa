"""Signals while a program is recorded: they are for the program, and its end ends the recording.

- ``Signals``: a block in which they are passed on.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

__all__ = ["Signals"]

PASSED_ON = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)
FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT)


class Signals:
    """While it is entered, signals that would end this process go to the program.

    Ctrl-C on a terminal reaches both by itself, and is not passed on. In a thread that is not the
    main one nothing changes.
    """

    def __init__(self) -> None:
        self._pid: int | None = None
        self._early: list[int] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        """Take the signals over."""
        if threading.current_thread() is threading.main_thread():
            for number in PASSED_ON:
                if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                    self._before[number] = signal.signal(number, self._on)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Put back what was there."""
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def program(self, pid: int | None) -> None:
        """From now on they are for this process; None: it is gone."""
        self._pid = pid
        while pid is not None and self._early:
            self._send(self._early.pop())

    def _on(self, number: int, frame: FrameType | None) -> None:
        if number in FROM_TERMINAL and _in_foreground():
            return
        if self._pid is None:
            self._early.append(number)
        else:
            self._send(number)

    def _send(self, number: int) -> None:
        if self._pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self._pid, number)


def _in_foreground() -> bool:
    """Whether the terminal sends its signals to this process, and to its children too."""
    try:
        fd = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(fd)
