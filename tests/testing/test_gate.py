"""The gate on a small project of its own repository, under callgrind."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from swapfast.testing import Settings, gate

pytestmark = pytest.mark.slow

BENCHMARKS = """
from tool import total

def test_total(benchmark):
    assert benchmark(total, 3000) == 4498500
"""
TOOL = """
def total(n):
    s = 0
    for i in range(n):
        s += i
    return s

def few():
    return total(500)
"""
SLOWER = TOOL.replace("s += i", "s += i if i else 0")


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=n", "-c", "user.email=n@example.org"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed")
    project = tmp_path / "a project"
    (project / "src").mkdir(parents=True)
    (project / "src" / "tool.py").write_text(TOOL)
    (project / "test_speed.py").write_text(BENCHMARKS)
    git(project, "init", "-q")
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "first")
    return project


def test_a_change_that_costs_is_found_and_one_that_does_not_passes(project: Path) -> None:
    # Python's own heap moves a count of so little work by a per cent or so; the change costs 20.
    limits = {"instructions": 8, "misses": 100, "repeat": 2}
    settings = Settings(benchmarks=["test_speed.py", "tool:few"], base="HEAD", **limits)
    (project / "src" / "tool.py").write_text(TOOL + "\n# said more\n")
    report = gate(project, settings)
    assert report.passed, report
    names = ["test_speed.py::test_total", "tool:few"]
    assert [one.name for one in report.findings] == names
    assert all(one.ratio is not None and 0.92 < one.ratio < 1.08 for one in report.findings)
    (project / "src" / "tool.py").write_text(SLOWER)
    report = gate(project, settings)
    assert not report.passed
    assert [one.why for one in report.findings] == ["more instructions"] * 2


def test_the_command(project: Path) -> None:
    """A benchmark that is new is counted, and one within functions that are not there is not."""
    (project / "test_new.py").write_text(BENCHMARKS)
    command = [sys.executable, "-m", "swapfast", "gate", "--base", "HEAD", "--json"]
    done = subprocess.run(
        [*command, "test_speed.py", "--repeat", "1", "--build", "touch built; test -e built"],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["benchmarks"][0]["now"]["instructions"] > 3000
    assert not (project / "built").exists()  # only the base is built
    done = subprocess.run(
        [*command, "test_speed.py", "--inside", "no_such_function", "--repeat", "1"],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert json.loads(done.stdout)["benchmarks"][0]["why"] == "nothing counted"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["test_speed.py", "--base", "v9"], "git knows no commit v9"),
        (["test_speed.py", "--build", "echo alas; false"], "alas"),
        ([], "no benchmarks"),
    ],
)
def test_what_cannot_be_compared(options: list[str], said: str, project: Path) -> None:
    command = [sys.executable, "-m", "swapfast", "gate", "--repeat", "1", "--base", "HEAD"]
    done = subprocess.run([*command, *options], cwd=project, capture_output=True, text=True)
    assert done.returncode == 2 and said in done.stderr, done
