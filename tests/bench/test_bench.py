"""Every benchmark at smoke size, so that none rots, and the kernels of the gate."""

from __future__ import annotations

import pytest

from bench.bench_kernels import GROUPS
from bench.kernels import KERNELS
from bench.row import SMOKE
from bench.rows import ROWS


@pytest.mark.parametrize("name", list(ROWS))
def test_a_row_does_the_same_work_as_its_reference(name: str) -> None:
    for row in ROWS[name](SMOKE):
        assert row.same, row.name
        assert row.ours > 0
        assert row.reference > 0


@pytest.mark.parametrize("name", list(KERNELS))
def test_a_kernel_counts_the_same_each_time(name: str) -> None:
    kernel = KERNELS[name]
    first = kernel()
    assert first > 0
    assert kernel() == first


def test_every_kernel_is_timed() -> None:
    assert sorted(KERNELS) == sorted(name for names in GROUPS.values() for name in names)
