"""Run a program under valgrind's lackey and read its log.

- ``run_lackey(program, valgrind, ...)``: a ``Recording``.
- ``find_valgrind()``: where it is.

The log goes through a pipe and is never on disk. Lackey is about a hundred times slower than the
plugin of qemu-user, and knows nothing of processes that the program forks.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from swapfast.processes import IGNORED, exit_code
from swapfast.record.program import Program
from swapfast.record.recording import Recording, References
from swapfast.record.reduction import entries
from swapfast.record.signals import Signals
from swapfast.traces.text import stream_lackey

__all__ = ["find_valgrind", "run_lackey"]

Progress = Callable[[int, float], None]

OPTIONS = ("--tool=lackey", "--trace-mem=yes", "--child-silent-after-fork=yes")


def find_valgrind() -> str | None:
    """Path of valgrind; None: there is none on ``PATH``."""
    return shutil.which("valgrind")


def run_lackey(
    program: Program,
    valgrind: str,
    origin: str,
    *,
    window: int = 0,
    first_writes: bool = True,
    instructions: bool = False,
    progress: Progress | None = None,
) -> Recording:
    """Run a program to its end; parameters as those of `run_qemu`.

    Raises
    ------
    OSError
        It could not be started.
    ValueError
        What came through the pipe is no log.
    """
    references = References(window, first_writes)
    reader, writer = os.pipe()
    pid, status = None, 0
    try:
        with Signals() as signals:
            try:
                os.set_inheritable(writer, True)
                command = [valgrind, *OPTIONS, f"--log-fd={writer}", program.file]
                command += program.arguments[1:]
                pid = os.posix_spawn(valgrind, command, os.environ, setsigdef=IGNORED)
            finally:
                os.close(writer)  # the program's copy is the last: its end is the log's
            signals.program(pid)
            log = stream_lackey(f"/dev/fd/{reader}", instructions=instructions)
            _gather(references, log.parts, progress)
            _, status = os.waitpid(pid, 0)
            pid = None
            signals.program(None)
    finally:
        os.close(reader)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    references.end(log.addresses())
    return Recording(references.trace(origin), exit_code(status), references.seen)


def _gather(
    references: References, parts: Iterable[NDArray[np.uint32]], progress: Progress | None
) -> None:
    began = time.monotonic()
    for part in parts:
        references.stream.feed(entries(part))
        references.gather()
        if progress is not None:
            progress(references.seen, time.monotonic() - began)
