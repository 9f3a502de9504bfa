"""The two kernels, and swapfiles for them."""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import swapfast as sf
from swapfast.swapfile import mkswap

PAGE = 4096
PROFILES = ("2.6.25", "6.18")
NEWSWAP = sf.CLONE_NEWSWAP | sf.CLONE_NEWIPC
SwapfileMaker = Callable[..., Path]


@cache
def blank(pages: int) -> bytes:
    """What mkswap makes; once, since it waits for the disk."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "swap"
        mkswap(path, size=pages * PAGE)
        return path.read_bytes()


def swapfile(path: Path, pages: int = 20) -> Path:
    """A swapfile of so many pages, header included."""
    path.write_bytes(blank(pages))
    path.chmod(0o600)
    return path


def locked(path: Path) -> bool:
    """Whether somebody holds the file as a swap area."""
    with open(path, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
