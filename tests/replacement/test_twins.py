"""Every compiled policy against its twin in plain Python, whatever the batches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from swapfast.replacement import POLICIES, Simulation, needs_whole, simulate
from swapfast.traces import Trace
from swapfast.traces.generate import generate
from tests.reference.replacement import TWINS

WRITE = 1 << 31


def test_every_policy_has_a_twin() -> None:
    assert set(TWINS) == set(POLICIES)


@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=60, derandomize=True)
@given(
    pages=st.lists(st.integers(0, 24), min_size=1, max_size=400),
    frames=st.integers(1, 30),
    cuts=st.lists(st.integers(1, 40), max_size=6),
)
@example(pages=[0] * 40 + [1] * 17 + [0, 1, 2] * 9, frames=2, cuts=[3, 8])
def test_misses_equal_the_twins(
    policy: str, pages: list[int], frames: int, cuts: list[int]
) -> None:
    refs = np.array(pages, dtype=np.uint32)
    simulation = Simulation(policy, frames, 25)
    at = 0
    for cut in [] if needs_whole(policy) else cuts:
        simulation.run(refs[at : at + cut])
        at += cut
    simulation.run(refs[at:])
    assert simulation.counts()["misses"] == TWINS[policy](pages, frames)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("pattern", ["zipf", "mixed", "loop", "hotspot"])
def test_misses_equal_the_twins_on_longer_traces(policy: str, pattern: str) -> None:
    trace = generate(pattern, pages=120, refs=3000, seed=7, fill=False)
    pages = (trace.refs & 0x7FFFFFFF).tolist()
    for frames in (1, 2, 7, 20, 60, 119, 120, 200):
        assert simulate(trace, frames, policy).misses == TWINS[policy](pages, frames), frames


@pytest.mark.parametrize("policy", POLICIES)
def test_counts_add_up(policy: str) -> None:
    trace = generate("zipf", pages=300, refs=20_000, seed=1, write_ratio=0.3, fill=False)
    c = simulate(trace, 50, policy)
    touched = len(np.unique(trace.refs & 0x7FFFFFFF))
    assert c.first == touched
    assert c.misses == c.evicted + c.resident
    assert c.resident == 50
    assert c.first - c.resident <= c.written <= c.evicted
    assert c.scanned >= c.evicted


@pytest.mark.parametrize("policy", POLICIES)
def test_a_clean_page_is_not_written_twice(policy: str) -> None:
    # Reads only: each page is written when it leaves for the first time, never again.
    trace = generate("loop", pages=100, refs=5000, write_ratio=0, fill=False)
    c = simulate(trace, 40, policy)
    assert c.evicted > 100
    assert c.written <= 100
    # Writes only: each eviction writes.
    writes = Trace(trace.refs | np.uint32(WRITE), trace.pages)
    c = simulate(writes, 40, policy)
    assert c.written == c.evicted


@pytest.mark.parametrize("policy", POLICIES)
def test_a_burst_of_reads_and_one_write_leaves_the_page_dirty(policy: str) -> None:
    # The write hides in the middle of eight references to one page.
    burst = [5, 5, 5, 5 | WRITE, 5, 5, 5, 5, 5, 5, 5, 5]
    refs = np.array([5, *range(6, 30), *burst, *range(30, 60)], dtype=np.uint32)
    simulation = Simulation(policy, 1, 60)
    simulation.run(refs)
    # One frame: every eviction is a first one, except that of page 5, dirty by its write.
    c = simulation.counts()
    assert (c["evicted"], c["written"]) == (55, 55)


@pytest.mark.parametrize("policy", POLICIES)
def test_all_in_memory_faults_once_a_page(policy: str) -> None:
    trace = generate("zipf", pages=500, refs=50_000, seed=2)
    c = simulate(trace, 500, policy)
    assert (c.misses, c.first, c.evicted, c.written) == (500, 500, 0, 0)


def test_opt_is_the_best() -> None:
    trace = generate("mixed", pages=400, refs=30_000, seed=5, fill=False)
    best = simulate(trace, 100, "opt").misses
    assert all(simulate(trace, 100, p).misses >= best for p in POLICIES)


def test_belady_anomaly() -> None:
    # Belady, Nelson, Shedler 1969: FIFO faults more with four frames than with three.
    refs = np.array([1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5], dtype=np.uint32)
    trace = Trace(refs, 6)
    assert [simulate(trace, k, "fifo").misses for k in (3, 4)] == [9, 10]
    assert [simulate(trace, k, "lru").misses for k in (3, 4)] == [10, 8]


def test_errors() -> None:
    refs = np.array([0, 9], dtype=np.uint32)
    with pytest.raises(ValueError, match=r"no policy 'mru'; there are lru"):
        Simulation("mru", 4, 10)
    with pytest.raises(ValueError, match="frames is 1 to"):
        Simulation("lru", 0, 10)
    with pytest.raises(ValueError, match="pages is 1 to"):
        Simulation("lru", 1, 1 << 31)
    simulation = Simulation("lru", 4, 9)
    with pytest.raises(ValueError, match="page 9 of a trace of 9 pages"):
        simulation.run(refs)
    assert simulation.counts()["refs"] == 0
    whole = Simulation("opt", 4, 10)
    whole.run(refs)
    with pytest.raises(ValueError, match="whole"):
        whole.run(refs)
