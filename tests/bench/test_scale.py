"""Every axis at its first point, so that none rots; the exponent of curves that are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bench.scale.__main__ import AXES, cost, counted, document, main, table
from bench.scale.axis import Axis, Point, Work, measure, tell
from bench.scale.draw import draw
from bench.scale.fit import exponent


@pytest.mark.parametrize("name", [name for name in AXES if name not in ("threads", "processes")])
def test_an_axis_does_its_work(name: str) -> None:
    axis = AXES[name]
    assert list(axis.counts) == sorted(set(axis.counts))
    work = axis.work(axis.counts[0])
    assert work.seconds > 0 and work.units > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["threads", "processes"])
def test_machines_at_once(name: str) -> None:
    assert AXES[name].work(2).units == 2 * AXES[name].work(1).units


def curve(power: float, noise: float = 0.0) -> list[Point]:
    rng = np.random.default_rng(2)
    counts = 10 ** np.arange(1, 8)
    return [Point(int(n), float(50 * n**power * np.exp(noise * rng.normal())), 1.0) for n in counts]


@pytest.mark.parametrize("power", [-0.5, 0.0, 0.05, 1.0])
def test_exponents(power: float) -> None:
    fitted = exponent(curve(power))
    assert fitted is not None
    assert fitted.low == pytest.approx(power) == fitted.value == pytest.approx(fitted.high)
    noisy = exponent(curve(power, 0.1))
    assert noisy is not None and noisy.low < power < noisy.high
    assert noisy == exponent(curve(power, 0.1)), "the same points, the same interval"
    assert exponent(curve(power)[:3]) is None


def test_a_point_has_a_process_of_its_own() -> None:
    point = measure("forks", 10)
    assert point.count == 10 and point.ns > 0 and point.mib >= 0
    with pytest.raises(RuntimeError, match="nothing at 10: KeyError"):
        measure("nothing", 10)


def test_what_is_over_soon_is_done_again_and_the_quickest_counts() -> None:
    seconds = iter([9.0, 0.2, 0.1, 0.3])  # the first is to warm up

    def work(count: int) -> Work:
        return Work(next(seconds), count)

    point = json.loads(tell(Axis("things", "thing", (1, 10), work), 10))
    assert point["count"] == 10 and point["ns"] == pytest.approx(0.1 / 10 * 1e9)


def test_words() -> None:
    assert [counted(n) for n in (1, 1000, 1 << 16, (1 << 16) + 1)] == [
        "1",
        "1,000",
        "2^16",
        "65,537",
    ]
    assert [cost(ns) for ns in (5.04, 1234.5, 2.5e6, 3e9)] == [
        "5.04 ns",
        "1.23 us",
        "2.5 ms",
        "3 s",
    ]


def test_a_table_a_document_and_a_picture(tmp_path: Path) -> None:
    found = {"forks": curve(0.0), "areas": curve(0.5)}
    assert table(found).row_count == 2
    told = json.loads(document(found, 1.0))
    assert told["axes"]["areas"]["exponent"]["value"] == pytest.approx(0.5)
    assert len(told["axes"]["forks"]["points"]) == 7 and told["machine"]["cores"]
    pytest.importorskip("matplotlib")
    for name in ("one.svg", "two.svg"):
        draw(found, AXES, tmp_path / name)
    text = (tmp_path / "one.svg").read_bytes()
    assert text == (tmp_path / "two.svg").read_bytes() and b"<svg" in text


@pytest.mark.slow
def test_the_command() -> None:
    refused = CliRunner().invoke(main, ["--only", "nothing"])
    assert refused.exit_code == 2 and "no axis nothing" in refused.output
    shown = CliRunner().invoke(main, ["--only", "forks", "--quick"])
    assert shown.exit_code == 0 and "forks of one task" in shown.output
