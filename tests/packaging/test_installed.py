"""What an installed swapfast, also one of `make setup`, gives to tools that look at files."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata, util
from pathlib import Path

import pytest

PROGRAM = """
import swapfast as sf
from swapfast.core import area_table

machine = sf.Machine("1MiB")
reveal_type(machine.init.pid)
reveal_type(area_table.info)
wrong: int = machine
"""


@pytest.fixture(scope="module")
def bare() -> dict[str, str]:
    """An environment in which only the installation says where swapfast is."""
    try:
        metadata.distribution("swapfast")
    except metadata.PackageNotFoundError:
        pytest.skip("swapfast is not installed here; `make setup` installs it")
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "MYPYPATH")}


def test_the_installation_is_found_without_a_hook(bare: dict[str, str], tmp_path: Path) -> None:
    """By the search of folders alone, which is all that Cython and type checkers do."""
    code = (
        "import sys; from importlib.machinery import PathFinder; "
        "print(PathFinder.find_spec('swapfast', sys.path).submodule_search_locations[0])"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=bare, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in ("py.typed", "_core.pyi", "replacement/contract.pxd"):
        assert (Path(done.stdout.strip()) / name).exists(), name


@pytest.mark.slow
def test_mypy_finds_the_types(bare: dict[str, str], tmp_path: Path) -> None:
    if util.find_spec("mypy") is None:
        pytest.skip("mypy is not installed; `make test` installs it")
    (tmp_path / "user.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "mypy", "--strict", "user.py"]
    done = subprocess.run(command, cwd=tmp_path, env=bare, capture_output=True, text=True)
    assert "user.py:6: note: Revealed type is" in done.stdout, done.stdout
    assert '"Any"' not in done.stdout, done.stdout
    assert "def (core: swapfast._core.Core" in done.stdout, done.stdout
    assert "[assignment]" in done.stdout and "Found 1 error in 1 file" in done.stdout, done.stdout
