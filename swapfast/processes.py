"""What a parent has to know of the programs that it starts.

- ``exit_code(status)``: of what waitpid(2) says, as a shell has it.
- ``IGNORED``: signals that Python ignores, and that a program is to have as usual.
"""

from __future__ import annotations

import os
import signal

__all__ = ["IGNORED", "exit_code"]

IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)


def exit_code(status: int) -> int:
    """Exit code of a process, or 128 and the signal that ended it."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
