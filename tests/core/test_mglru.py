"""Policy linux-6.18-mglru against its slow twin: the same counters, generations, pages and clock.

One task under a memory limit. The twin is written for reading (tests/reference/mglru.py); here both
get the same references and are compared after every hundred.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import swapfast as sf
from swapfast import _core
from swapfast.core import mapping_table, memcg_table
from tests.reference.mglru import CACHED, MAPPED, NONE, OUT, Model

PAGE = 4096
COUNTERS = {
    "pgmajfault": "pgmajfault",
    "pswpin": "pswpin",
    "pswpout": "pswpout",
    "scanned": "pgscan_direct",
    "pgrefill": "pgrefill",
    "pgactivate": "pgactivate",
    "workingset_activate": "workingset_activate",
    "workingset_restore": "workingset_restore",
    "reclaims": "reclaims",
}
NO_DEVICE = {"write_request": 0, "write_page": 0, "write_latency": 0}


class Pair:
    """A machine with one program, and the twin."""

    def __init__(
        self,
        pages: int,
        limit: int,
        slots: int = 131_070,
        *,
        zram: bool = False,
        off: int = 0,
        times: dict[str, int] | None = None,
        lru_gen: int = 7,
        rule: str = "always",
    ) -> None:
        times = {"reference": 20, **(times or {})}
        self.twin = Model(
            pages,
            limit,
            slots,
            synchronous=zram,
            walks=lru_gen & 2 != 0,
            rule=rule,
            off=off,
            times=times,
        )
        self.machine = machine = sf.Machine(
            "64MiB",
            "6.18-mglru",
            contents=False,
            cache=0,
            overcommit=1,
            page_cluster=0,
            times=times,
            lru_gen=lru_gen,
            lru_gen_rule=rule,
        )
        device = machine.device("z", "zram") if zram else None
        self.area = machine.add_swap((slots + 1) * PAGE, device=device)
        task = machine.init.fork()
        self.group = machine.memory_group(limit * PAGE)
        self.group.add(task)
        task.mm.next_address += off * PAGE
        self.heap = task.mmap(pages * PAGE)
        self.zram = zram

    def touch(self, numbers: Any, write: Any) -> None:
        """The same references for both."""
        self.heap.touch(numbers, write=write)
        for number, stored in zip(numbers.tolist(), write.tolist(), strict=True):
            self.twin.touch(number, stored)

    def compare(self) -> None:
        """Everything that can be seen."""
        machine, twin = self.machine, self.twin
        count = machine.core.counters()
        mine = {name: count[theirs] for name, theirs in COUNTERS.items()}
        assert mine == {name: twin.n[name] for name in COUNTERS}
        generations = memcg_table.generations(machine.core, self.group.number)
        assert generations is not None
        assert (generations["max_seq"], generations["min_seq"]) == (twin.max_seq, twin.min_seq)
        seqs = range(twin.min_seq, twin.max_seq + 1)
        assert generations["pages"] == [twin.size[seq % 4] for seq in seqs]
        for i, tier in enumerate(generations["tiers"]):
            assert tier == {
                "refaulted": twin.refaulted[i],
                "evicted": twin.evicted[i],
                "protected": twin.protected[i],
                "avg_refaulted": twin.avg_refaulted[i],
                "avg_total": twin.avg_total[i],
            }
        if not self.zram:
            assert machine.now == twin.now
        self.compare_pages()
        machine.verify()

    def compare_pages(self) -> None:
        pte, entry, _, _ = mapping_table.state(
            self.machine.core, self.heap.number, 0, len(self.twin.pages)
        )
        base = self.area.info["base"]
        where = {0: NONE, _core.PRESENT: MAPPED, _core.SWAPPED: OUT}
        for p, bits, slot in zip(self.twin.pages, pte.tolist(), entry.tolist(), strict=True):
            expected = OUT if p.where == CACHED else p.where
            assert where[bits & (_core.PRESENT | _core.SWAPPED)] == expected
            assert (bits & _core.ACCESSED != 0) == (p.where == MAPPED and p.accessed)
            assert slot == (base + p.slot if p.has_slot else 0)


def uniform(rng: np.random.Generator, pages: int, n: int) -> Any:
    return rng.integers(0, pages, n)


def hot_and_cold(rng: np.random.Generator, pages: int, n: int) -> Any:
    hot = rng.random(n) < 0.8
    return np.where(hot, rng.integers(0, pages // 4, n), rng.integers(0, pages, n))


def phases(rng: np.random.Generator, pages: int, n: int) -> Any:
    """A working set that moves on."""
    start = np.arange(n) // 700 * (pages // 5)
    return (start + rng.integers(0, pages // 3, n)) % pages


def loop(rng: np.random.Generator, pages: int, n: int) -> Any:
    return np.arange(n) % pages


SLOW: dict[str, Any] = {"times": {"write_latency": 2_000_000}}  # a small group is soon killed
KINDS: list[dict[str, Any]] = [
    {},
    {"times": NO_DEVICE},
    SLOW,
    {"zram": True},
    {"lru_gen": 1},
    {"rule": "fault", "zram": True},
    {"rule": "ticks", "off": 300},
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("pattern", [uniform, hot_and_cold, phases, loop])
@pytest.mark.parametrize(("pages", "limit", "slots"), [(1500, 700, 131_070), (700, 600, 760)])
def test_all_is_the_slow_twins(
    pages: int, limit: int, slots: int, pattern: Any, kind: dict[str, Any]
) -> None:
    rng = np.random.default_rng(5)
    numbers = np.concatenate([np.arange(pages), pattern(rng, pages, 6000)])
    # Every page is written first: the twin has no zero page.
    write = np.concatenate([np.ones(pages, dtype=bool), rng.random(6000) < 0.3])
    pair = Pair(pages, limit, slots, **kind)
    for at in range(0, len(numbers), 100):
        part = slice(at, at + 100)
        pair.touch(numbers[part], write[part])
        pair.compare()
    assert pair.twin.n["agings"] > 2


@settings(max_examples=60, deadline=None)
@given(
    pages=st.integers(250, 900),
    share=st.floats(0.3, 0.95),
    off=st.sampled_from((0, 1, 63, 300, 511)),
    slots=st.sampled_from((1.05, 3.0)),
    kind=st.sampled_from([kind for kind in KINDS if kind is not SLOW]),
    seed=st.integers(0, 1000),
    walks=st.lists(
        st.tuples(st.floats(0, 1), st.floats(0.01, 1), st.integers(1, 600), st.floats(0, 1)),
        min_size=1,
        max_size=8,
    ),
)
def test_any_program(
    pages: int,
    share: float,
    off: int,
    slots: float,
    kind: dict[str, Any],
    seed: int,
    walks: list[tuple[float, float, int, float]],
) -> None:
    """Parts that each touch some pages somewhere, so and so often, and write some."""
    rng = np.random.default_rng(seed)
    pair = Pair(pages, int(pages * share), int(pages * slots) + 200, **{**kind, "off": off})
    pair.touch(np.arange(pages), np.ones(pages, dtype=bool))
    for start, width, n, writes in walks:
        most = max(int(pages * width), 1)
        numbers = (int(start * pages) + rng.integers(0, most, n)) % pages
        pair.touch(numbers, rng.random(n) < writes)
        pair.compare()
