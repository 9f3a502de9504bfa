"""The README's examples run, and its commands exist."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from swapfast.cli.commands import swapfast
from swapfast.scenario import execute
from swapfast.scenario.load import parse

README = Path(__file__).parents[2] / "README.md"
TEXT = README.read_text("utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.S)
TOML = re.findall(r"```toml\n(.*?)```", TEXT, re.S)


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_python_examples_run(number, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PYTHON[number]],
        capture_output=True,
        text=True,
        cwd=README.parent,
        env={"PATH": "", "TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_there_are_examples():
    assert len(PYTHON) == 3 and len(TOML) == 1


def test_the_scenario_runs(tmp_path):
    tomllib.loads(TOML[0])
    report = execute(parse(TOML[0], "README.md"), tmp_path)
    assert report.ok and report.programs[0].replay.pswpout > 0


def test_commands_and_options_exist():
    used = re.findall(r"^    (?:.*; )?swapfast (\w+)(.*?)(?:\s#|;|$)", TEXT, re.M)
    assert len(used) > 8
    for name, rest in used:
        command = swapfast.commands[name]
        known = {o for p in command.params for o in p.opts} | {"--help"}
        for option in re.findall(r"(?<!\S)(--?[a-z][a-z-]*)", rest):
            assert option in known, (name, option)


def test_make_targets_exist():
    makefile = (README.parent / "Makefile").read_text("utf-8")
    for target in set(re.findall(r"\bmake (\w+)", TEXT)):
        assert re.search(rf"^{target}:", makefile, re.M), target
