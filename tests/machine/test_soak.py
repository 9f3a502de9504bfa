"""The soak for a moment: what it plays is all right, and what is wrong would be told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import soak  # noqa: E402 - beside the project's package


def test_rounds_that_all_end_well() -> None:
    tally = soak.Tally()
    for seed in range(1, 13):
        soak.play(seed, tally)
    assert tally.references > 10_000 and tally.kills > 0


def test_the_same_seed_plays_the_same() -> None:
    once, again = soak.Tally(), soak.Tally()
    for tally in (once, again):
        for seed in (3, 4, 5):
            soak.play(seed, tally)
    assert once == again


def test_a_finding_names_its_seed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(seed: int, tally: soak.Tally) -> None:
        raise RuntimeError("a structure is wrong")

    monkeypatch.setattr(soak, "play", broken)
    monkeypatch.setattr(sys, "argv", ["soak.py", "--rounds", "1", "--seed", "7"])
    assert soak.main() == 1
    assert "finding: seed 7: RuntimeError: a structure is wrong" in capsys.readouterr().err


def test_what_is_lost() -> None:
    assert soak.lost([100] * 90) == 0
    assert soak.lost(list(range(90))) == 30
    assert soak.lost([1, 2, 3]) == 0
