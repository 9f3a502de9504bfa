"""The command line.

- ``main()``: the entry point; says what is missing when click, rich or pydantic is.

Exit codes: 0 all well; 1 what was asked has a "no" for an answer (a test failed, data leaked, a
page was wrong); 2 wrong usage or a bad input file; 3 the system refused (no space, no permission);
130 ended by Ctrl-C; 141 the reader of the output went away.
"""

from __future__ import annotations

import os
import sys

from swapfast import start

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    try:
        _run()
    except KeyboardInterrupt:  # before a command has begun
        sys.exit(130)


def _run() -> None:
    _open_streams()
    try:
        from swapfast.cli.commands import swapfast
    except ModuleNotFoundError as error:
        name = "" if error.name is None else error.name.partition(".")[0]
        if name not in ("click", "rich", "pydantic"):
            raise
        sys.exit(
            f"swapfast: the command line needs the package {name}, which is not installed; "
            "`make setup` installs all of them into .venv"
        )
    start.begun()
    swapfast()


def _open_streams() -> None:
    """No file that a command opens gets the number of a standard stream that came closed.

    Whatever is written to the stream would be written into that file. Without stderr nobody is to
    be told anything; without stdout nobody would get the answer.
    """
    answer = sys.stdout is not None
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number, inheritable=True)
                os.close(nowhere)
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 - open until the end
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # what an encoding cannot express is no reason for a traceback
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    if not answer:
        print("swapfast: standard output is closed", file=sys.stderr)
        sys.exit(3)
