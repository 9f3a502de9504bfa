"""Errors, half a transfer and kill -9 at every call of a swapfile's life, and of checkpoints."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults.cuts import SERIES

ROOT = Path(__file__).parents[2]
SHIM = Path(__file__).parent / "shim.c"


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = os.environ.get("CC", "cc").split()
    if shutil.which(compiler[0]) is None:
        pytest.skip("no C compiler for the layer that fails")
    if os.environ.get("LD_PRELOAD"):
        pytest.skip("something else stands before libc")
    library = tmp_path_factory.mktemp("shim") / "shim.so"
    command = [*compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(SHIM), "-ldl"]
    subprocess.run(command, check=True)
    return library


def under(shim: Path, module: str, *arguments: str) -> dict[str, Any]:
    """What a module prints that runs on the failing layer."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={**os.environ, "LD_PRELOAD": str(shim)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("step", [19, pytest.param(1, marks=pytest.mark.slow)])
def test_every_call(shim: Path, step: int) -> None:
    found = under(shim, "tests.faults.life", str(step))
    failed = found["runs"] - found["outcomes"]["went through"]
    print(f"{found['calls']} calls, {found['runs']} runs, {failed} failed, 0 problems")
    assert found["problems"] == []
    assert found["nameless"] == {}, "every error names a file"
    assert found["calls"] > 150 and failed > found["runs"] // 10
    whats = {what.split(":")[0] for what in found["outcomes"]}
    if step == 1:
        # Pages go out through the mapping; a look at the file that fails on the way is harmless.
        assert whats >= {"create", "swapon", "checkpoint", "swap in", "unmap"}


@pytest.mark.parametrize("step", [61, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("series", list(SERIES))
def test_every_call_of_three_checkpoints(shim: Path, series: str, step: int) -> None:
    found = under(shim, "tests.faults.cuts", series, str(step))
    lost = len(found["problems"])
    print(f"{series}: {found['calls']} calls, {found['runs']} ends, {lost} lost: {found['images']}")
    assert found["problems"] == []
    assert found["calls"] > 100 and found["runs"] >= 4 * (found["calls"] // step)
    assert found["images"]["acknowledged"] and found["images"]["nothing yet"]
