"""docs/argument.md quotes what `swapfast compare` answers, to the digit."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from swapfast.scenario import bundled_names, open_scenario

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "argument.md").read_text("utf-8")
QUOTED = dict(re.findall(r"```sh\nswapfast compare (\S+)\n```\n\n> (.*)\n", PAGE))


def test_every_question_has_its_answer() -> None:
    questions = {n for n in bundled_names() if open_scenario(n).scenario().side_by_side}
    assert set(QUOTED) == questions - {"two-containers"}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(QUOTED))
def test_the_answer_is_the_one_that_comes_out(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "swapfast", "compare", name, "-q"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert QUOTED[name] in done.stdout


@pytest.mark.slow
def test_the_excerpt_is_what_comes_out() -> None:
    (shown,) = re.findall(r"```text\n\$ swapfast compare isolation\n(.*?)\n\.\.\.\n", PAGE, re.S)
    done = subprocess.run(
        [sys.executable, "-m", "swapfast", "compare", "isolation", "-q"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    came = [line.rstrip() for line in done.stdout.splitlines()]
    assert [line for line in shown.splitlines() if line.rstrip() not in came] == []
