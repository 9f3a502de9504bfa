"""Any bytes at each parser: accepted, or refused with ``ValueError`` or ``OSError``.

Every input that a fuzzer found worth keeping is in ``corpus/``, and is tried each time. ``make
fuzz`` looks for more.
"""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from tests.fuzz.rounds import round_of
from tests.fuzz.targets import HERE, TARGETS, seeds

ROOT = Path(__file__).parents[2]
LOADS = {"members": 400, "scenario": 1000, "image": 5000, "header": 5000}
OTHERS = 1250


def test_loads_of_a_normal_run() -> None:
    assert sum(LOADS.get(name, OTHERS) for name in TARGETS) >= 20_000


@pytest.mark.parametrize("name", TARGETS)
def test_corpus(name: str) -> None:
    for data in seeds(name):
        TARGETS[name](data)


def test_the_corpus_is_small() -> None:
    files = [p for p in (HERE / "corpus").rglob("*") if p.is_file()]
    assert {p.parent.name for p in files} <= set(TARGETS)
    assert sum(p.stat().st_size for p in files) < 150_000


@pytest.mark.parametrize("name", TARGETS)
def test_a_few_mutations(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's, of an array that Python 2 saved
        round_of(name, 20 if name == "members" else 150, 1, limited=False)


@pytest.mark.slow
def test_a_round_with_little_memory() -> None:
    """20,000 loads, in processes that have 64 MiB to spare."""
    total = accepted = 0
    for name in TARGETS:
        loads = LOADS.get(name, OTHERS)
        command = [sys.executable, "-W", "ignore", "-m", "tests.fuzz.rounds", name, str(loads), "2"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        print(found)
        total += found["loads"]
        accepted += found["accepted"]
    print(f"{total} loads, {accepted} accepted, the others refused, 0 findings")
    assert 0 < accepted < total


def test_it_can_fail(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    known = seeds("header")

    def careless(data: bytes) -> bool:
        return data in known or data[100] > 0

    monkeypatch.setitem(TARGETS, "header", careless)
    with pytest.raises(IndexError):
        round_of("header", 10_000, 1, limited=False)
    assert "finding-header" in capsys.readouterr().err
