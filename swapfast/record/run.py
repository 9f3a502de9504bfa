"""Record the pages that a program touches.

- ``record(command, ...)``: run it, and get a ``Recording``.
- ``TOOLS``: what it can be recorded with, best first. ``find_tool(by)``, ``tool_version``: which is
  there.
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

__all__ = ["TOOLS", "find_tool", "record", "tool_version"]

TOOLS = ("qemu", "lackey")
COMMAND_MOST = 300  # characters of a command in an origin
MOST_PAGES = (1 << 31) - 1


def record(
    command: Sequence[str],
    *,
    reduce: int = 0,
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
        others of the plugin and its folder, see `swapfast.record.plugin.plugin`.
    ValueError
        An option that is none.
    """
    if by is not None and by not in TOOLS:
        raise ValueError(f"recorded is by {' or '.join(TOOLS)}, not by {by}")
    if not 0 <= reduce <= MOST_PAGES:
        raise ValueError(f"reduce: a number of pages below 2**31, not {reduce}")
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
