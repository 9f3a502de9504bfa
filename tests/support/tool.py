"""A tool of the system, run as a test needs it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable

import pytest

Tool = Callable[..., subprocess.CompletedProcess[str]]


def run_tool(name: str, *arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
    """What it did; the test is skipped where the tool is not installed."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed on this system")
    done = subprocess.run(
        [found, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
    )
    assert done.returncode == status, done.stderr
    return done
