"""The gate's rules: what is too much, what pyproject.toml says, what stands in a profile."""

from __future__ import annotations

from pathlib import Path

import pytest

from swapfast.testing import Count, Settings
from swapfast.testing.callgrind import Counted, parse
from swapfast.testing.gate import compare, verdict

PLAIN = Settings()


@pytest.mark.parametrize(
    ("before", "now", "why"),
    [
        ((1_000_000, 5_000), (1_009_000, 5_090), ""),
        ((1_000_000, 5_000), (1_011_000, 5_000), "more instructions"),
        ((1_000_000, 5_000), (1_000_000, 5_101), "more misses"),
        ((1_000_000, 10), (1_000_000, 900), ""),  # so few are chance
        ((1_000_000, 5_000), (0, 0), "nothing counted"),
    ],
)
def test_verdicts(before: tuple[int, int], now: tuple[int, int], why: str) -> None:
    assert verdict(Count(*before), Count(*now), PLAIN) == why


def test_how_many_more_are_too_many_can_be_said() -> None:
    loose = Settings(instructions=10, misses=50)
    assert verdict(Count(1_000_000, 5_000), Count(1_090_000, 7_400), loose) == ""


def test_what_is_new_passes_and_what_fails_does_not() -> None:
    now = Counted(
        {"same": Count(9, 1), "new": Count(9, 1)}, {"bad": "x\nE: no", "left": "skipped: y"}
    )
    before = Counted({"same": Count(9, 1)}, {"new": "no such function"})
    found = {one.name: one for one in compare(now, before, PLAIN)}
    assert [one.name for one in found.values() if one.why] == ["bad"]
    assert found["bad"].why == "E: no"
    assert found["left"].note == "skipped: y"
    assert found["new"].note and found["new"].ratio is None
    assert found["same"].ratio == 1


def test_no_benchmark_at_all_does_not_pass() -> None:
    (found,) = compare(Counted(), Counted(), PLAIN)
    assert found.why == "nothing counted"


def test_totals_of_a_callgrind_file() -> None:
    text = "events: Ir Dr Dw I1mr D1mr D1mw ILmr DLmr DLmw\nfn=x\n1 2\ntotals: 9 1 1 1 1 1 2 3 4\n"
    assert parse(text) == Count(9, 9)
    with pytest.raises(ValueError, match="no callgrind file"):
        parse("nothing")


def test_settings_of_a_project(tmp_path: Path) -> None:
    assert Settings.of(tmp_path) == PLAIN
    (tmp_path / "pyproject.toml").write_text(
        '[tool.swapfast.gate]\nbenchmarks = ["b.py::x", "pkg.m:f", "c.py:g"]\nmisses = 5\n'
    )
    found = Settings.of(tmp_path, misses=None, base="v1", inside=[])
    assert (found.misses, found.base, found.inside) == (5, "v1", [])
    assert found.kept() == ["b.py", "c.py"]
    assert Settings(benchmarks=["b.py"], keep=["bench"]).kept() == ["bench"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.swapfast.gate]\nbenchmark = []\n", "tool.swapfast.gate.benchmark: "),
        ("[tool.swapfast.gate]\nwarmup = -1\nbase = 7\n", "tool.swapfast.gate.base: "),
        ("[tool.swapfast]\ngate = 3\n", "tool.swapfast.gate is no table"),
        ("[tool\n", "pyproject.toml: "),
    ],
)
def test_settings_that_are_wrong(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(ValueError, match=said):
        Settings.of(tmp_path)
