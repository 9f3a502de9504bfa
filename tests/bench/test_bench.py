"""Every benchmark at smoke size, so that none rots, and the gate's own rules."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.gate import Count, count, parse, verdict
from bench.kernels import KERNELS
from bench.row import SMOKE
from bench.rows import ROWS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", list(ROWS))
def test_a_row_does_the_same_work_as_its_reference(name: str) -> None:
    for row in ROWS[name](SMOKE):
        assert row.same, row.name
        assert row.ours > 0
        assert row.reference > 0


@pytest.mark.parametrize("name", list(KERNELS))
def test_a_kernel_counts_the_same_each_time(name: str) -> None:
    kernel, _ = KERNELS[name]
    first = kernel()
    assert first > 0
    assert kernel() == first


def test_verdicts() -> None:
    base = Count(1_000_000, 5_000)
    assert verdict(base, Count(1_009_000, 5_090)) == ""
    assert verdict(base, Count(1_011_000, 5_000)) == "more instructions"
    assert verdict(base, Count(1_000_000, 5_101)) == "more misses"
    assert verdict(Count(1_000_000, 10), Count(1_000_000, 900)) == ""
    assert verdict(base, Count(0, 0)) == "nothing counted"
    assert verdict(Count(0, 0), base) == ""


def test_totals_of_a_callgrind_file() -> None:
    text = "events: Ir Dr Dw I1mr D1mr D1mw ILmr DLmr DLmw\nfn=x\n1 2\ntotals: 9 1 1 1 1 1 2 3 4\n"
    assert parse(text) == Count(9, 9)
    with pytest.raises(RuntimeError, match="no callgrind file"):
        parse("nothing")


@pytest.mark.slow
def test_callgrind_counts_every_kernel() -> None:
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed")
    found = count(ROOT, list(KERNELS))
    assert list(found) == list(KERNELS)
    # 400 000 references cost some instructions each, and not many.
    assert 400_000 * 3 < found["clock"].instructions < 400_000 * 60
    assert min(each.instructions for each in found.values()) > 100_000


def test_bytes_of_a_simulated_page_are_within_the_budget() -> None:
    """Memory, not time: 24 bytes a page that is resident or was swapped out, lists included."""
    (row,) = ROWS["B1"](SMOKE)
    assert row.met, f"{row.ours:.1f} bytes a page"
