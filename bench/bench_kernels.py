"""Wall time of the kernels by pytest-benchmark: ``pytest bench``; groups by how often they matter.

Compare two versions with ``--benchmark-save`` and ``--benchmark-compare``; for a verdict that noise
cannot fool see ``make gate``.
"""

from __future__ import annotations

from typing import Any

import pytest

from bench.kernels import KERNELS

GROUPS = {
    "frequent": ("resident", "bursts", "clock", "lru", "slots", "slot-runs"),
    "targeted": ("sieve", "s3fifo", "distances", "shards"),
    "simulation": ("linux-6.18", "linux-6.18-mglru", "linux-2.6.25", "contents"),
    "side by side": ("together_alone", "together_fault"),
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.benchmark(group=group))
        for group, names in GROUPS.items()
        for name in names
    ],
)
def bench_kernel(name: str, benchmark: Any) -> None:
    assert benchmark.pedantic(KERNELS[name], rounds=5, warmup_rounds=1) > 0
