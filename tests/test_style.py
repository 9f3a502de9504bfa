"""The house style is a test: each tool once, over everything, as configured in pyproject.toml.

- ruff (rules and format), cython-lint, mypy
- plain text rules: no trailing blanks, no path of somebody's machine, no generated files kept
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("swapfast", "tests", "bench", "tools", ".ci")
TEXT = (".py", ".pyi", ".pyx", ".pxd", ".h", ".toml", ".md", ".txt", ".json")
# Where a machine keeps its users' or its builds' files; never right in a file that is shipped.
MACHINE_PATH = re.compile(r"(?<![\w./-])/(?:work|home/\w+|root|Users/\w+)/\w")


def run(module: str, *arguments: str) -> None:
    if util.find_spec(module.split(".")[0]) is None:
        pytest.skip(f"{module} is not installed; `make test` installs it")
    # cython-lint calls pycodestyle by name, which an environment not activated has not on its PATH.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{module}:\n{done.stdout}{done.stderr}"


def text_files() -> list[Path]:
    found = [p for folder in FOLDERS for p in (ROOT / folder).rglob("*") if p.suffix in TEXT]
    top = [p for p in ROOT.iterdir() if p.is_file() and (p.suffix in TEXT or p.name == "Makefile")]
    return sorted(p for p in found + top if "__pycache__" not in p.parts)


def test_ruff_rules() -> None:
    run("ruff", "check", ".")


def test_ruff_format() -> None:
    run("ruff", "format", "--check", ".")


@pytest.mark.slow
def test_cython_lint() -> None:
    run("cython_lint.cython_lint", "swapfast")


def test_mypy() -> None:
    """Some five seconds at first, and half a second with the .mypy_cache of the run before."""
    run("mypy")


# What a stub may say otherwise than its module.
NOT_ALIKE = r"""
# what Cython adds
.*\.__test__
.*\.__(reduce|setstate)_cython__
.*\.__pyx_capi__
# names for types alone
swapfast\.core\.\w+\.(U8|U32|AreaInfo|Generations|MemcgInfo)
swapfast\.shell\._notify\.Call
# sentences for the reader's own errors
swapfast\.traces\._\w+\.(\w*CAUSES|COMMON|KINDS|BrokenLine)
"""


@pytest.mark.slow
def test_stubs_say_what_the_modules_have(tmp_path: Path) -> None:
    stubs = sorted((ROOT / "swapfast").rglob("*.pyi"))
    modules = [".".join(p.relative_to(ROOT).with_suffix("").parts) for p in stubs]
    assert "swapfast._core" in modules and len(modules) > 10
    (tmp_path / "allowed").write_text(NOT_ALIKE)
    options = ["--concise", "--ignore-disjoint-bases", "--allowlist", str(tmp_path / "allowed")]
    run("mypy.stubtest", *options, *modules)


def test_no_trailing_blanks() -> None:
    bad = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in text_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1)
        if line != line.rstrip(" \t")
    ]
    assert bad == []


def test_no_path_of_a_machine() -> None:
    bad = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in text_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1)
        if MACHINE_PATH.search(line)
    ]
    assert bad == []


def test_no_generated_c_beside_its_source() -> None:
    sources = [*(ROOT / "swapfast").rglob("*.pyx")]
    assert [path for path in sources if path.with_suffix(".c").exists()] == []
