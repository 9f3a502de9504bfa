"""The trace that a command is given.

- ``BUNDLED``: the name of the one that comes with swapfast. ``opened(name)``: that one, or a file.
- ``FORMAT_OPTION``, ``PID_OPTION``: options that say how a file is read.
"""

from __future__ import annotations

import os
from typing import Any

import click

from swapfast.cli.names import FORMAT
from swapfast.cli.options import PID
from swapfast.traces import Trace, bundled_trace, open_trace

__all__ = ["BUNDLED", "FORMAT_OPTION", "PID_OPTION", "opened"]

BUNDLED = "bundled"
FORMAT_OPTION = click.option(
    "--format",
    "format_",
    metavar="NAME",
    shell_complete=FORMAT,
    help="Trace format, if not to be guessed.",
)
PID_OPTION = click.option("--pid", type=PID, help="Logs of several processes: which one, or 'all'.")


def opened(name: str | os.PathLike[str], **options: Any) -> Trace:
    """A trace by its name on the command line; a file called "bundled" goes before the other one.

    Parameters
    ----------
    name : path
    **options
        As those of `open_trace`.

    Raises
    ------
    ValueError, OSError
        As `open_trace`.
    """
    if os.fspath(name) == BUNDLED and not os.path.lexists(name):
        return bundled_trace()
    return open_trace(name, **options)
