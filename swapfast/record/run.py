"""Record the pages that a program touches.

- ``record(command, ...)``: run it, and get a ``Recording``.
- ``TOOLS``: what it can be recorded with, best first. ``find_tool(by)``, ``tool_version``: which is
  there.
- ``Unbound``: of a window, for all processors.
"""

from __future__ import annotations

import errno
import os
import platform
import shlex
import subprocess
from collections.abc import Callable, Sequence

from swapfast.errors import system_error
from swapfast.record.lackey import find_valgrind, run_lackey
from swapfast.record.plugin import plugin
from swapfast.record.program import find
from swapfast.record.qemu import find_qemu, run_qemu
from swapfast.record.recording import Recording

__all__ = [
    "LEAST_WINDOW",
    "MOST_WINDOW",
    "TOOLS",
    "Unbound",
    "find_tool",
    "record",
    "tool_version",
]

TOOLS = ("qemu", "lackey")
COMMAND_MOST = 300  # characters of a command in an origin
MOST_PAGES = (1 << 31) - 1
LEAST_WINDOW, MOST_WINDOW = 16, 1 << 24  # pages


class Unbound(int):
    """Pages of a window, for a program that may run on all processors.

    At each fault the program sleeps, and who keeps its pages wakes. That costs several times as
    much if another processor has to be woken for it, so usually both are bound to one.
    """


def record(
    command: Sequence[str],
    *,
    reduce: int = 0,
    window: int = 0,
    by: str | None = None,
    instructions: bool = False,
    keep_reads: bool = False,
    cache: str | os.PathLike[str] | None = None,
    progress: Callable[[int, float], None] | None = None,
) -> Recording:
    """Run a program and keep which pages it touches, in order.

    Its own input and output are untouched. Signals that are sent to this process meanwhile are
    passed on to it; whatever ends it, what it touched until then is kept.

    Parameters
    ----------
    command : sequence of str
        The program and its arguments.
    reduce : int
        Leave out what no LRU memory of so many pages or more would notice, see `reduced`. 0: keep
        every reference, consecutive ones to one page merged; that takes 4 bytes of memory for each.
    window : int
        Not by one of `TOOLS`, but at nearly its own speed: let the program have so many pages of
        anonymous memory at once, first in, first out, and keep which ones it asks for, see
        `swapfast.record.window`. It says of memories of 8 times as many pages, or more, what they
        need. At least 16; not together with ``reduce``, ``by`` and ``instructions``. The program is
        bound to one processor, unless the number is `Unbound`.
    by : str, optional
        One of `TOOLS`; by default the first that is there.
    instructions : bool
        Instruction fetches too.
    keep_reads : bool
        Do not make the first reference to each page a write, see `first_writes`.
    cache : path, optional
        Folder of the compiled plugin.
    progress : callable, optional
        Told references and seconds, a few times a second.

    Raises
    ------
    OSError
        ENOENT: no such program, or nothing to record it with; EACCES, ENOEXEC: it cannot be run;
        EPERM, ENOSYS: windows are not allowed here, and what would help; others of the plugin and
        its folder, see `swapfast.record.plugin.plugin`.
    ValueError
        An option that is none.
    """
    if by is not None and by not in TOOLS:
        raise ValueError(f"recorded is by {' or '.join(TOOLS)}, not by {by}")
    if not 0 <= reduce <= MOST_PAGES:
        raise ValueError(f"reduce: a number of pages below 2**31, not {reduce}")
    if window:
        if reduce or by or instructions:
            raise ValueError("a window goes with none of reduce, by and instructions")
        return _by_window(command, window, keep_reads, progress)
    program = find(command)
    tool, path = find_tool(by)
    file = plugin(path, cache) if tool == "qemu" else None
    how = _how(tool, path, reduce, instructions, keep_reads)
    if file is not None:
        return run_qemu(
            program,
            path,
            file,
            lambda words: _origin(words, how),
            window=reduce,
            first_writes=not keep_reads,
            instructions=instructions,
            progress=progress,
        )
    return run_lackey(
        program,
        path,
        _origin(command, how),
        window=reduce,
        first_writes=not keep_reads,
        instructions=instructions,
        progress=progress,
    )


def _by_window(
    command: Sequence[str],
    window: int,
    keep_reads: bool,
    progress: Callable[[int, float], None] | None,
) -> Recording:
    if not LEAST_WINDOW <= window <= MOST_WINDOW:
        raise ValueError(f"a window has {LEAST_WINDOW} to {MOST_WINDOW} pages, not {window}")
    from swapfast.record.window import run_window  # what it needs is not there everywhere

    how = f"anonymous memory; FIFO misses of {window} pages by userfaultfd, the kernel's own too"
    if not keep_reads:
        how += "; first references made writes"
    program = find(command)
    return run_window(
        program,
        window,
        lambda words: _origin(words, how),
        first_writes=not keep_reads,
        bound=not isinstance(window, Unbound),
        progress=progress,
    )


def find_tool(by: str | None = None) -> tuple[str, str]:
    """Name and path of what to record with; of `by`, or the first that is there.

    Raises
    ------
    OSError
        ENOENT: there is none, and what to install.
    """
    for name, look in (("qemu", find_qemu), ("lackey", find_valgrind)):
        path = look() if by in (None, name) else None
        if path is not None:
            return name, path
    missing = {
        None: f"neither qemu-{platform.machine()} nor valgrind is there",
        "qemu": f"there is no qemu-{platform.machine()}",
        "lackey": "there is no valgrind",
    }[by]
    package = "valgrind" if by == "lackey" else "qemu-user"
    sentence = f"{missing} to record with; Debian and Ubuntu: apt-get install {package}"
    if by is None:
        sentence += "; or use --window, which needs neither"
    raise system_error(errno.ENOENT, sentence)


def _origin(command: Sequence[str], how: str) -> str:
    """Of what program a trace is, and how it was made."""
    said = shlex.join(command)
    if len(said) > COMMAND_MOST:
        said = said[: COMMAND_MOST - 3] + "..."
    return f"{said}; {how}"


def _how(tool: str, path: str, reduce: int, instructions: bool, keep_reads: bool) -> str:
    what = "data and instruction references" if instructions else "data references"
    parts = [f"{what} by {tool_version(tool, path)}", "without the kernel's own"]
    if not keep_reads:
        parts.append("first references made writes")
    if reduce:
        parts.append(f"for LRU memories of {reduce} pages or more")
    return "; ".join(parts)


def tool_version(tool: str, path: str) -> str:
    """What a tool calls itself, with its version."""
    done = subprocess.run([path, "--version"], capture_output=True, text=True, errors="replace")
    line = done.stdout.partition("\n")[0]
    name, number = ("lackey of valgrind", line.removeprefix("valgrind-"))
    if tool == "qemu":
        name, number = "qemu-user", line.partition(" version ")[2].partition(" ")[0]
    return f"{name} {number or '?':.20}"
