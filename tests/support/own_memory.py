"""Programs of our own under ``swapfast shell --own-memory``.

- ``WHY_NOT``: why this system cannot run them, or "".
- ``shell(*arguments)``: run one to its end. ``begun``: start it only.
- ``hosting(folder, name, ...)``: a machine that others may join meanwhile.
- ``program(name, folder)``: a program of tests/shell/programs, compiled.
- ``swapfile(path, pages)``: a swapfile.
- ``marked(mark)``: who has something in the environment.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from swapfast.swapfile import mkswap

__all__ = ["WHY_NOT", "begun", "hosting", "marked", "program", "shell", "swapfile"]

PROGRAMS = Path(__file__).parents[1] / "shell" / "programs"
SHELL = (sys.executable, "-m", "swapfast", "shell")
MARK = "SWAPFAST_TEST_MARK"


def _why_not() -> str:
    if shutil.which("cc") is None:
        return "there is no C compiler"
    try:
        from swapfast.shell.memory.engine import check

        check()
    except (ImportError, OSError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""


WHY_NOT = _why_not()


def program(name: str, folder: Path, *flags: str) -> Path:
    """Compile a program into a folder."""
    made = folder / name
    source = PROGRAMS / f"{name}.c"
    subprocess.run(["cc", "-O1", "-Wall", *flags, "-o", made, source], check=True)
    return made


def swapfile(path: Path, pages: int) -> Path:
    """A swapfile with so many pages, that of its header counted."""
    path.write_bytes(bytes(pages * 4096))
    path.chmod(0o600)
    mkswap(path)
    return path


def shell(
    *arguments: object, seconds: float = 60, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run ``swapfast shell --own-memory`` with arguments."""
    command = [*SHELL, "--own-memory", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=seconds, check=False, **options
    )


def begun(*arguments: object, mark: str = "", **options: Any) -> subprocess.Popen[bytes]:
    """Start ``swapfast shell`` with arguments, and a mark in its environment."""
    command = [*SHELL, *map(str, arguments)]
    return subprocess.Popen(command, env={**os.environ, MARK: mark}, **options)


@contextmanager
def hosting(folder: Path, name: str, *options: object) -> Iterator[None]:
    """A machine by its name, in which a shell waits until the block ends."""
    wait = folder / "wait"
    os.mkfifo(wait)
    line = f"echo ready; read word < {wait}"
    arguments = ("--own-memory", *options, "--name", name, "--", "sh", "-c", line)
    host = begun(*arguments, stdout=subprocess.PIPE)
    try:
        assert host.stdout is not None
        assert host.stdout.readline() == b"ready\n"
        yield
    finally:
        wait.write_bytes(b"")
        host.wait(30)


def marked(mark: str) -> list[int]:
    """Processes with a mark in their environment, or that of who started them."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError):
                if wanted in Path("/proc", entry, "environ").read_bytes().split(b"\0"):
                    found.append(int(entry))
    return found
