"""File systems of their own, mounted for a test; without root or their tools it is skipped.

- ``call(*command)``: whether a command went through.
- ``mounted(kind, mib, store, folder)``: a file system in a file, or a tmpfs, mounted at folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def call(*command: str | Path) -> bool:
    return subprocess.run(command, capture_output=True).returncode == 0


@contextmanager
def mounted(kind: str, mib: int, store: Path, folder: Path) -> Iterator[None]:
    """Mounted inside the block; the folder is made."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    folder.mkdir()
    if kind == "tmpfs":
        done = call("mount", "-t", "tmpfs", "-o", f"size={mib}M", "none", folder)
    else:
        if shutil.which(f"mkfs.{kind}") is None or not os.path.exists("/dev/loop-control"):
            pytest.skip(f"needs mkfs.{kind} and loop devices")
        with open(store, "wb") as file:
            file.truncate(mib << 20)
        done = call(f"mkfs.{kind}", "-q", store) and call("mount", "-o", "loop", store, folder)
    if not done:
        pytest.skip(f"this machine mounts no {kind}")
    try:
        yield
    finally:
        if not call("umount", folder):
            call("umount", "--lazy", folder)
