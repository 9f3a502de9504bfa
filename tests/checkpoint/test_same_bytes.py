"""The same calls make the same swapfile and the same image, in whatever process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHILD = """
import hashlib, os, shutil, sys, tempfile
from pathlib import Path
from swapfast.checkpoint import checkpoint
from tests.support.jobs import boot, family
for _ in range(int(sys.argv[1])):
    folder = Path(sys.argv[2]) / "run"   # the image names its swapfile
    folder.mkdir()
    machine, login = boot(folder / "area")
    os.pwrite(machine.areas[0].backing.fileno(), bytes(16), 1036)  # mkswap's UUID is random
    family(login)
    checkpoint(machine.kernel, login.swap_ns, folder / "job", kind="pinned", identity=bytes(16))
    family(login, 2)
    checkpoint(machine.kernel, login.swap_ns, folder / "job", identity=bytes(16))
    machine.close()
    whole = hashlib.sha256((folder / "job").read_bytes() + (folder / "area").read_bytes())
    print(whole.hexdigest())
    shutil.rmtree(folder)
"""


@pytest.mark.parametrize("runs", [1, pytest.param(25, marks=pytest.mark.slow)])
def test_processes_agree(tmp_path: Path, runs: int) -> None:
    found: list[str] = []
    for hashes in ("0", "1", "2", "random"):
        done = subprocess.run(
            [sys.executable, "-c", CHILD, str(runs), str(tmp_path)],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hashes},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        found += done.stdout.split()
    print(f"{len(found)} runs in 4 processes, {len(set(found))} different results")
    assert len(found) == 4 * runs and len(set(found)) == 1
