"""Programs that swapfast starts, or whose output it reads.

- ``recording()``: the C compiler and the tracers.
- ``util_linux()``: the tools that are answered in a shell, and that read our swapfiles.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator

from swapfast.doctor.finding import Finding, found_by
from swapfast.record.plugin import compiler, plugin
from swapfast.record.run import find_tool, tool_version

__all__ = ["recording", "util_linux"]

PART = "recording"
#: Programs whose output is read: what they give, and where they are from.
READ = {
    "perf": (
        "traces of perf: page faults of any program",
        "Debian: apt-get install linux-perf; Ubuntu: linux-tools-generic",
    ),
    "damo": (
        "traces of DAMON: which regions are used",
        "pip install damo; the kernel needs CONFIG_DAMON_VADDR",
    ),
}
UTIL_LINUX = {
    "mkswap": "swapfiles by the system's own tool",
    "swapon": "typing the letter's session in a shell",
    "swaplabel": "labels of swapfiles by the system's own tool",
}
ROOT_S = "/usr/sbin:/sbin"  # not on every user's PATH


def recording() -> Iterator[Finding]:
    """What ``record`` can use, best first, and whose traces are read."""
    gives = "the plugin of qemu-user; sources of swapfast, compiled"
    yield found_by(PART, "C compiler", gives, lambda: shutil.which(compiler()[0]) or "")
    yield found_by(PART, "qemu-user", "record, at some 15 times a program's own time", _qemu)
    gives = "record --by lackey, at a thousand times and more"
    yield found_by(PART, "valgrind", gives, lambda: tool_version(*find_tool("lackey")))
    for name, (gives, remedy) in READ.items():
        yield _program(PART, name, gives, remedy)


def _qemu() -> str:
    """It is there, and takes the plugin, which is compiled for that and thrown away."""
    tool, path = find_tool("qemu")
    with tempfile.TemporaryDirectory() as folder:
        plugin(path, folder)
    return f"{tool_version(tool, path)}, takes the plugin"


def util_linux() -> Iterator[Finding]:
    """Tools of util-linux, wherever root has them."""
    for name, gives in UTIL_LINUX.items():
        yield _program("util-linux", name, gives, "Debian and Ubuntu: apt-get install util-linux")


def _program(part: str, name: str, gives: str, remedy: str) -> Finding:
    places = f"{os.environ.get('PATH', os.defpath)}:{ROOT_S}"
    path = shutil.which(name, path=places)
    if path is None:
        return Finding(part, name, "missing", f"there is no {name}", gives, remedy)
    return Finding(part, name, "ok", path, gives)
