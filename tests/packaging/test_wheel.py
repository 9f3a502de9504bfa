"""What is in the wheel: built core, stubs, headers for cimport and data; nothing to build from."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata, util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names in a wheel built from a copy of the tree, under a path with blanks."""
    for module in ("setuptools", "Cython", "pip"):
        if util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    if int(metadata.version("setuptools").split(".")[0]) < 77:
        pytest.skip("setuptools 77 or newer is needed")
    source = tmp_path_factory.mktemp("wheel") / "source tree"
    shutil.copytree(
        ROOT,
        source,
        ignore=shutil.ignore_patterns(
            ".git", ".venv", "build", "*.so", "*.egg-info", "tests", ".*_cache"
        ),
    )
    # -O0: only the list of files is looked at.
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [*command, "--wheel-dir", str(source / "dist"), str(source)],
        env={**os.environ, "CFLAGS": "-O0", "SWAPFAST_DEBUG": "1"},
        check=True,
        capture_output=True,
    )
    (path,) = (source / "dist").glob("swapfast-*.whl")
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


@pytest.mark.slow
def test_wheel_has_the_built_core_and_what_comes_with_it(wheel: set[str]) -> None:
    for stem in ("swapfast/_core", "swapfast/traces/_text"):
        assert any(name.startswith(stem + ".") and name.endswith(".so") for name in wheel), stem
    for name in (
        "swapfast/py.typed",
        "swapfast/_core.pyi",
        "swapfast/mm/types.pxd",
        "swapfast/mm/check.h",
        "swapfast/record/arena.h",
    ):
        assert name in wheel
    assert any(name.endswith("licenses/LICENSE") for name in wheel)


@pytest.mark.slow
def test_wheel_has_every_module_and_data_file(wheel: set[str]) -> None:
    kinds = ("*.py", "*.pyi", "*.pxd", "*.h", "data/*", "scenarios/*.toml")
    expected = {
        str(path.relative_to(ROOT))
        for kind in kinds
        for path in (ROOT / "swapfast").rglob(kind)
        if path.is_file()
    }
    assert expected - wheel == set()


@pytest.mark.slow
def test_wheel_has_no_generated_c_and_no_cython_source(wheel: set[str]) -> None:
    found = [name for name in wheel if name.endswith((".c", ".cpp", ".pyx", ".pyc"))]
    assert found == ["swapfast/record/pages.c"]  # which is compiled on the user's machine
