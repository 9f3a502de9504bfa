"""Miss counts of libCacheSim 0.3.5 on seeded traces: ours are the same, to the last one.

The figures were made with its Python package: objects of size 1, requests in the trace's order,
default parameters; for Belady the next access time was filled in. ``bench/`` compares live.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from swapfast.replacement import simulate
from swapfast.traces.generate import generate

GOLDEN = json.loads((Path(__file__).parent / "libcachesim.json").read_text())


@pytest.mark.parametrize("pattern", sorted(GOLDEN["misses"]))
def test_same_misses_as_libcachesim(pattern: str) -> None:
    trace = generate(pattern, **GOLDEN["trace"], fill=False)
    for frames, misses in GOLDEN["misses"][pattern].items():
        ours = {policy: simulate(trace, int(frames), policy).misses for policy in misses}
        assert ours == misses, frames
