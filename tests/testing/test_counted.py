"""The program that runs benchmarks, with switches that count nothing: what it calls when."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import swapfast.testing

PROGRAM = Path(swapfast.testing.__file__).with_name("counted.py")
SWITCHES = """
#include <stdio.h>
void begin(void) { fprintf(stderr, "[begin]"); }
void end(const char *name) { fprintf(stderr, "[end %s]", name); }
"""
BENCHMARKS = """
import pytest
from tool import work

made = []

def test_no_benchmark():
    raise AssertionError("left out")

@pytest.mark.benchmark(group="all")
@pytest.mark.parametrize("n", [1, 2])
def test_call(benchmark, n):
    assert benchmark(work, n) == n
    assert work.calls == 3 * n  # one to warm up, two counted

def test_pedantic(benchmark):
    found = benchmark.pedantic(
        made.append, setup=lambda: ((len(made),), {}), teardown=lambda _: made.append("-"), rounds=9
    )
    assert found is None and made == [0, "-", 2, "-", 4, "-"]

def test_twice(benchmark):
    benchmark(len, "x")
    benchmark(len, "x")
"""
TOOL = """
def work(n):
    work.calls = getattr(work, "calls", 0) + 1
    return n
def no_arguments():
    return work(1)
def fails():
    raise ZeroDivisionError("by nought")
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("switches")
    (folder / "switches.c").write_text(SWITCHES)
    command = ["cc", "-shared", "-fPIC", "-o", "switches.so", "switches.c"]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "switches.so"


def run(library: Path, tree: Path, targets: list[str]) -> tuple[dict[str, Any], str]:
    """The answer, and what the switches said."""
    answer = tree / "answer.json"
    places = {"library": library, "tree": tree, "answer": answer}
    order: dict[str, Any] = {name: str(place) for name, place in places.items()}
    order |= {"paths": [str(tree)], "targets": targets, "warmup": 1, "repeat": 2}
    order |= {"pytest": ["--capture=sys"]}
    (tree / "order.json").write_text(json.dumps(order))
    command = [sys.executable, "-P", str(PROGRAM), str(tree / "order.json")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert answer.exists(), done.stdout + done.stderr
    return json.loads(answer.read_text()), done.stderr


def test_what_is_counted(library: Path, tmp_path: Path) -> None:
    (tmp_path / "tool.py").write_text(TOOL)
    (tmp_path / "test_it.py").write_text(BENCHMARKS)
    targets = ["tool:no_arguments", "test_it.py", "tool:fails", "tool:none"]
    answer, said = run(library, tmp_path, targets)
    tests = ["test_call[1]", "test_call[2]", "test_pedantic", "test_twice"]
    names = [*(f"test_it.py::{name}" for name in tests), "tool:no_arguments"]
    assert answer["names"] == [name for name in names for _ in range(2)]
    assert sorted(answer["failed"]) == ["test_it.py::test_twice", "tool:fails", "tool:none"]
    assert "by nought" in answer["failed"]["tool:fails"]
    assert answer["strangers"] == {}
    assert said.startswith("[begin][end 1][begin][end 2]") and "[end 10]" in said


def test_another_installation_is_told(library: Path, tmp_path: Path) -> None:
    """The tree has a package of that name, and what was imported is another one."""
    tree, elsewhere = tmp_path / "tree", tmp_path / "elsewhere"
    for folder in (tree, elsewhere):
        folder.mkdir()
        (folder / "tool.py").write_text(TOOL)
    (tree / "bench.py").write_text(
        f"import sys\nsys.path.insert(0, {str(elsewhere)!r})\nimport tool\n"
        "def go():\n    return tool.work(1)\n"
    )
    answer, _ = run(library, tree, ["bench.py:go"])
    assert answer["strangers"] == {"tool": str(elsewhere / "tool.py")}
