"""The pages of docs/ run: each block of Python as a program, the Cython of one as a plug-in."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
BLOCKS = [
    pytest.param(block, id=f"{page.stem} {number}")
    for page in PAGES
    for number, block in enumerate(
        re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.S)
    )
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
    how_to = [f"add-a-{what}" for what in ("device", "policy", "reader", "rule")]
    others = [
        "argument",
        "cgroups",
        "check",
        "command-line",
        "compare",
        "demotion",
        "measure",
        "mglru",
        "record",
    ]
    more = ["scale", "scenarios", "scopes", "shell-memory", "shell", "side-by-side", "size"]
    assert [p.stem for p in PAGES] == [*how_to, *others, *more, "sweep", "traces"]
    assert len(BLOCKS) == 25


@pytest.mark.parametrize("block", BLOCKS)
def test_the_examples_run(block: str, tmp_path: Path) -> None:
    assert python("-c", block, folder=tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_they_name_is_there(page: Path) -> None:
    text = page.read_text("utf-8")
    assert [name for name in FILE.findall(text) if not (ROOT / name).exists()] == []
    headers = {path.name for path in (ROOT / "swapfast").rglob("*.pxd")} | {"policy_NAME.pxd"}
    assert [n for n in re.findall(r"`(?:mm/)?(\w+\.pxd)`", text) if n not in headers] == []


@pytest.mark.parametrize(
    ("name", "programs"), [("scenarios", 1), ("side-by-side", 4), ("demotion", 2)]
)
def test_what_came_out(name: str, programs: int, tmp_path: Path) -> None:
    """These pages show what their programs print."""
    page = (ROOT / "docs" / f"{name}.md").read_text("utf-8")
    pairs = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", page, re.S)
    assert len(pairs) == programs
    for code, shown in pairs:
        assert python("-c", code, folder=tmp_path) == shown


@pytest.mark.parametrize("name", ["compare", "size"])
def test_the_commands_print_what_is_shown(name: str, tmp_path: Path) -> None:
    page = (ROOT / "docs" / f"{name}.md").read_text("utf-8")
    for text in re.findall(r"```toml\n(.*?)```", page, re.S):
        (tmp_path / "two.toml").write_text(text)
    found = []
    for block in re.findall(r"```console\n(.*?)```", page, re.S):
        commands = [line for line in block.splitlines() if line.startswith("$ swapfast ")]
        told = [
            f"{line}\n{python('-m', 'swapfast', *shlex.split(line)[2:], folder=tmp_path)}"
            for line in commands
        ]
        assert "".join(told) == block
        found += commands
    assert found


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
