"""The start of the command line: Ctrl-C ends it without a traceback of imports.

- ``begin()``: before the package imports anything that takes time.
- ``begun()``: the command can answer for itself from now on.

Any other program that imports the package keeps its own answer to Ctrl-C.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

__all__ = ["begin", "begun"]


def _end(number: int, frame: object) -> None:
    # No exception: what is being imported could take it for a missing module.
    os._exit(128 + number)


def _is_command() -> bool:
    """Whether this process is ``swapfast ...`` or ``python -m swapfast ...``."""
    given: list[str] = getattr(sys, "argv", None) or [""]  # none where Python is embedded
    if given[0] == "-m":  # until the module is found; its name is before what it is given
        return sys.orig_argv[-len(given)] == "swapfast"
    return os.path.basename(given[0]) == "swapfast"


def begin() -> None:
    """From now on Ctrl-C ends the process with 130, if it is the command."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler and _is_command():
        with suppress(ValueError):  # not the main thread: a program of somebody else
            signal.signal(signal.SIGINT, _end)


def begun() -> None:
    """Ctrl-C raises KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)
