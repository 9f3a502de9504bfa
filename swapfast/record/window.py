"""Run a program of which only the last few pages are there, and keep which ones it asks for.

- ``run_window(program, window, ...)``: a ``Recording``.

A page that is not there is a fault (userfaultfd), of the program or of the kernel on its behalf. It
comes in, the oldest one goes: the trace has the misses of a FIFO memory of so many pages, and the
program runs at its own speed between them. See docs/record.md.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from swapfast.errors import system_error
from swapfast.processes import exit_code
from swapfast.record.program import Program
from swapfast.record.recording import Child, Recording
from swapfast.record.signals import Signals
from swapfast.record.tracer import start
from swapfast.record.windows import Process
from swapfast.shell.memory.engine import check
from swapfast.traces import Trace

__all__ = ["run_window"]

Progress = Callable[[int, float], None]
SHOWN_S = 0.2  # between two calls of a progress


def run_window(
    program: Program,
    window: int,
    origin: Callable[[Sequence[str]], str],
    *,
    first_writes: bool = True,
    bound: bool = True,
    progress: Progress | None = None,
) -> Recording:
    """Run a program to its end.

    Parameters
    ----------
    program : Program
    window : int
        Pages that are there at most.
    origin, first_writes, progress
        As those of `run_qemu`.
    bound : bool
        To one processor.

    Raises
    ------
    OSError
        ENOSYS, EPERM, EINVAL: this system does not allow it, and what would help; EIO: the process
        that kept the pages was killed, and the program with it; or the program cannot be run.
    """
    check("--window")
    with Signals() as signals:
        tracer, wire = start(program, window, first_writes, bound)
        over = False
        try:
            main, status, processes, over = _listen(wire, signals, progress)
        except EOFError:
            over = True
            sentence = "what kept the program's pages was killed, and the program with it"
            raise system_error(errno.EIO, sentence, program.file) from None
        except BaseException:
            os.kill(tracer, signal.SIGKILL)
            over = True
            raise
        finally:
            wire.close()
            if over:
                os.waitpid(tracer, 0)
            signals.program(None)
    return _result(processes, main, exit_code(status), window, origin)


def _listen(
    wire: Connection, signals: Signals, progress: Progress | None
) -> tuple[int, int, list[Process], bool]:
    """Until the program has ended: its process, status, all processes; whether nobody is left."""
    began, main = time.monotonic(), 0
    while True:
        if progress is not None and not wire.poll(SHOWN_S):
            with suppress(BrokenPipeError):  # it has said the last thing already
                wire.send("how far")
        told: tuple[Any, ...] = wire.recv()
        if told[0] == "runs":
            main = told[1]
            signals.program(main)
        elif told[0] == "seen" and progress is not None:
            progress(told[1], time.monotonic() - began)
        elif told[0] == "failed":
            raise system_error(*told[1:])
        elif told[0] == "done":
            return (main, *told[1:])


def _result(
    processes: list[Process],
    main: int,
    status: int,
    window: int,
    origin: Callable[[Sequence[str]], str],
) -> Recording:
    own = next((process for process in processes if process.pid == main), None)
    found = Recording(None, status, 0)
    for process in processes:
        said = origin(process.command)
        said = said if process is own else f"{said}; process {process.pid}"
        trace = process.references.trace(said)
        seen = process.references.seen
        if trace is None:
            continue
        _mark(trace, window)
        if process is own:
            found.trace, found.seen = trace, seen
        else:
            found.children.append(Child(process.pid, process.command, trace, seen))
    return found


def _mark(trace: Trace, window: int) -> None:
    trace.kind, trace.window = "window", window
