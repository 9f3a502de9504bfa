"""The pages of docs/ run: each block of Python as a program, the Cython of one as a plug-in."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
# A program, and what it prints if the page shows that next.
BLOCK = re.compile(r"^```python\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", re.S | re.M)
SLOW = {"side-by-side 3"}  # seconds
BLOCKS = [
    pytest.param(
        code,
        shown,
        id=f"{page.stem} {number}",
        marks=[pytest.mark.slow] if f"{page.stem} {number}" in SLOW else [],
    )
    for page in PAGES
    for number, (code, shown) in enumerate(BLOCK.findall(page.read_text("utf-8")))
]
FILE = re.compile(r"`((?:swapfast|tests)/[\w/.]+)`")


def python(*arguments: str, folder: Path) -> str:
    """What a program prints, run outside the checkout."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_there_are_pages() -> None:
    stems = {page.stem for page in PAGES}
    assert {f"add-a-{what}" for what in ("device", "policy", "reader", "rule")} < stems
    shown = [block for block in BLOCKS if block.values[1]]
    assert len(BLOCKS) >= 25 and len(shown) >= 7


@pytest.mark.parametrize(("code", "shown"), BLOCKS)
def test_the_examples_run(code: str, shown: str, tmp_path: Path) -> None:
    """Once each; they print what the page shows, where it shows that."""
    told = python("-c", code, folder=tmp_path)
    assert told == shown if shown else told


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_they_name_is_there(page: Path) -> None:
    text = page.read_text("utf-8")
    assert [name for name in FILE.findall(text) if not (ROOT / name).exists()] == []
    headers = {path.name for path in (ROOT / "swapfast").rglob("*.pxd")} | {"policy_NAME.pxd"}
    assert [n for n in re.findall(r"`(?:mm/)?(\w+\.pxd)`", text) if n not in headers] == []


@pytest.mark.slow
def test_the_fixture_of_pytest_works(tmp_path: Path) -> None:
    """docs/check.md."""
    page = (ROOT / "docs" / "check.md").read_text("utf-8")
    (text,) = re.findall(r"```py\n(.*?)```", page, re.S)
    (tmp_path / "test_swap.py").write_text(text)
    assert "1 passed" in python("-m", "pytest", "-q", "test_swap.py", folder=tmp_path)


def test_the_line_of_the_rule_is_the_real_one() -> None:
    """The text of docs/add-a-rule.md is code of the package, wherever it lies."""
    (text,) = re.findall(
        r"```text\n(.*?)```", (ROOT / "docs/add-a-rule.md").read_text("utf-8"), re.S
    )
    code = "".join(path.read_text("utf-8") for path in (ROOT / "swapfast").rglob("*.py"))
    for line in text.splitlines():
        assert line.strip() in code


@pytest.mark.slow
def test_the_compiled_policy(tmp_path: Path) -> None:
    pytest.importorskip("Cython")
    page = (ROOT / "docs" / "add-a-policy.md").read_text("utf-8")
    (source,) = re.findall(r"```cython\n(.*?)```", page, re.S)
    (tmp_path / "mru.pyx").write_text(source)
    python("-m", "Cython.Build.Cythonize", "-3", "-i", "mru.pyx", folder=tmp_path)
    found = python(
        "-c",
        "import mru; from swapfast.replacement import simulate\n"
        "from swapfast.traces import generate\n"
        "trace = generate('zipf', pages=200, refs=5000, seed=4)\n"
        "ours = simulate(trace, 40, mru.policy)\n"
        "print(ours.policy, ours.misses)",
        folder=tmp_path,
    )
    shown = re.findall(r"```python\n(.*?)```", page, re.S)[0]
    assert found.split() == ["mru", python("-c", shown, folder=tmp_path).split()[0]]
