"""How the simulator says no.

- ``system_error(errno, sentence, path)``: what a system call raises; one place for the wording.
- ``said(error)``: such an error in a line, with its file.
- ``TaskKilled``: the OOM killer took the task in the middle of its own operation.
- ``Interrupted``: Ctrl-C, with what was counted until then.
- ``KernelPanic``: no memory, and nobody left to kill.
"""

from __future__ import annotations

import os

__all__ = ["Interrupted", "KernelPanic", "TaskKilled", "said", "system_error"]


def system_error(code: int, sentence: str, path: str | os.PathLike[str] | None = None) -> OSError:
    """An ``OSError`` of the subclass that belongs to ``code``, with a sentence that helps.

    Parameters
    ----------
    code : int
        An errno value.
    sentence : str
        What was wrong and what to do about it.
    path : path, optional
        The file it is about.
    """
    if path is None:
        return OSError(code, sentence)
    return OSError(code, sentence, os.fspath(path))


def said(error: OSError) -> str:
    """What an ``OSError`` says, and of which file."""
    where = "" if error.filename is None else f"{error.filename}: "
    return f"{where}{error.strerror or error}"


class TaskKilled(Exception):
    """The task that was running got a signal it cannot catch; its memory is gone.

    Attributes
    ----------
    pid : int
    signal : int
        9, SIGKILL.
    """

    def __init__(self, pid: int, name: str, signal: int = 9) -> None:
        super().__init__(f"process {pid} ({name}) was killed by signal {signal}")
        self.pid = pid
        self.signal = signal


class KernelPanic(RuntimeError):
    """Out of memory and no killable process (mm/oom_kill.c, out_of_memory)."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C came between two steps of something that counts.

    Attributes
    ----------
    result : object
        What was counted until then, of the type that the call would have returned.
    """

    def __init__(self, result: object) -> None:
        super().__init__()
        self.result = result
