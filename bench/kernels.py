"""The kernels that are watched, each a fixed piece of work that returns what it counted.

- ``KERNELS``: name -> (function, pattern of the compiled function's symbol).
- ``python -m bench.kernels NAME``: does it once; what callgrind runs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

from swapfast.mrc import Distances, Sample
from swapfast.replacement import simulate
from swapfast.replay import replay
from swapfast.traces.generate import generate
from swapfast.traces.trace import Trace

__all__ = ["KERNELS"]

PAGES, REFS = 20_000, 400_000


def _trace(pattern: str = "zipf") -> Trace:
    return generate(pattern, pages=PAGES, refs=REFS, seed=1, fill=False)


def resident() -> int:
    return simulate(_trace(), PAGES, "clock").misses


def clock() -> int:
    return simulate(_trace(), PAGES // 5, "clock").misses


def lru() -> int:
    return simulate(_trace(), PAGES // 5, "lru").misses


def sieve() -> int:
    return simulate(_trace(), PAGES // 5, "sieve").misses


def s3fifo() -> int:
    return simulate(_trace(), PAGES // 5, "s3fifo").misses


def linux618() -> int:
    return replay(_trace(), "40%", policy="linux-6.18", page_cluster=0).pgmajfault


def linux25() -> int:
    return replay(_trace(), "40%", policy="linux-2.6.25", page_cluster=0).pgmajfault


def distances() -> int:
    found = Distances(PAGES)
    found.run(_trace().refs)
    return int(found.histogram()[1:100].sum())


def shards() -> int:
    sample = Sample(PAGES, 0.05)
    sample.run(_trace().refs)
    return sum(refs for refs, *_ in sample.histograms())


def bursts() -> int:
    refs = np.repeat(_trace().refs[: REFS // 64], 64)
    return simulate(Trace(refs, PAGES), PAGES // 5, "clock").misses


RUN = "*_10Simulation_*run"
TOUCH = "*_4Core_*touch"
KERNELS: dict[str, tuple[Callable[[], int], str]] = {
    "resident": (resident, RUN),
    "clock": (clock, RUN),
    "lru": (lru, RUN),
    "sieve": (sieve, RUN),
    "s3fifo": (s3fifo, RUN),
    "bursts": (bursts, RUN),
    "linux-6.18": (linux618, TOUCH),
    "linux-2.6.25": (linux25, TOUCH),
    "distances": (distances, "*_9Distances_*run"),
    "shards": (shards, "*_6Sample_*run"),
}

if __name__ == "__main__":
    print(KERNELS[sys.argv[1]][0]())
