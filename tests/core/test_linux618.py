"""Policy linux-6.18 against its slow twin: the same counters and the same clock, to the last digit.

One task under a memory limit. The twin is written for reading (tests/reference/linux618.py); here
both get the same references and are compared after every hundred.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import swapfast as sf
from tests.reference.linux618 import Model

PAGE = 4096
COUNTERS = {
    "pgmajfault": "pgmajfault",
    "pswpin": "pswpin",
    "pswpout": "pswpout",
    "scanned": "pgscan_direct",
    "pgactivate": "pgactivate",
    "pgdeactivate": "pgdeactivate",
    "workingset_activate": "workingset_activate",
    "reclaims": "reclaims",
}


def sequential(rng: np.random.Generator, pages: int, n: int) -> NDArray[np.int64]:
    return np.arange(n) % pages


def uniform(rng: np.random.Generator, pages: int, n: int) -> NDArray[np.int64]:
    return rng.integers(0, pages, n)


def hot_and_cold(rng: np.random.Generator, pages: int, n: int) -> NDArray[np.int64]:
    hot = rng.random(n) < 0.8
    return np.where(hot, rng.integers(0, pages // 4, n), rng.integers(0, pages, n))


def phases(rng: np.random.Generator, pages: int, n: int) -> NDArray[np.int64]:
    """A working set that moves on."""
    start = np.arange(n) // 700 * (pages // 5)
    return (start + rng.integers(0, pages // 3, n)) % pages


@pytest.mark.parametrize(
    ("page_cluster", "plug", "reference_ns"),
    [(0, "own", 20), (3, "own", 20), (3, "nested", 400)],
)
@pytest.mark.parametrize("writes", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("pattern", [sequential, uniform, hot_and_cold, phases])
@pytest.mark.parametrize(("pages", "limit", "slots"), [(400, 200, 131070), (300, 250, 330)])
def test_counters_and_clock_are_the_slow_twins(
    pages: int,
    limit: int,
    slots: int,
    pattern: object,
    writes: float,
    page_cluster: int,
    plug: str,
    reference_ns: int,
) -> None:
    rng = np.random.default_rng(5)
    numbers = pattern(rng, pages, 4000)  # type: ignore[operator]
    write = rng.random(4000) < writes
    # Every page is written first: the twin has no zero page.
    numbers = np.concatenate([np.arange(pages), numbers])
    write = np.concatenate([np.ones(pages, dtype=bool), write])
    twin = Model(pages, limit, slots, page_cluster, plug=plug)
    twin.t["reference"] = reference_ns
    machine = sf.Machine(
        "64MiB",
        "6.18",
        contents=False,
        cache=0,
        overcommit=1,
        page_cluster=page_cluster,
        plug=plug,
        times={"reference": reference_ns},
    )
    machine.add_swap((slots + 1) * PAGE)
    task = machine.init.fork()
    machine.memory_group(limit * PAGE).add(task)
    heap = task.mmap(pages * PAGE)
    for at in range(0, len(numbers), 100):
        part = slice(at, at + 100)
        heap.touch(numbers[part], write=write[part])
        for number, stored in zip(numbers[part].tolist(), write[part].tolist(), strict=True):
            twin.touch(number, stored)
        count = machine.core.counters()
        mine = {name: count[theirs] for name, theirs in COUNTERS.items()}
        assert mine == {name: twin.n[name] for name in COUNTERS}, f"after {at + 100}"
        assert machine.now == twin.now
        assert machine.areas[0].info["inuse"] == len(twin.slots.owner)
    assert twin.n["pswpin"] > 0 or pattern is hot_and_cold
    machine.verify()
