"""What is left out of a trace changes no LRU memory, and the compiled way is the slow one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swapfast.record import first_writes, reduced
from swapfast.traces import generate
from tests.reference import reduction as slow

references = st.builds(
    lambda page, write: page | (slow.WRITE if write else 0), st.integers(0, 9), st.booleans()
)


@settings(max_examples=200)
@given(st.lists(references, min_size=1, max_size=80), st.integers(1, 12))
def test_the_slow_and_the_compiled_way_are_one(refs, pages):
    short = reduced(np.array(refs, dtype=np.uint32), pages)
    assert short.tolist() == slow.reduced(refs, pages)


@settings(max_examples=150)
@given(st.lists(references, min_size=1, max_size=80), st.integers(1, 8))
def test_reduced_traces_fault_as_the_whole_does(refs, pages):
    short = reduced(np.array(refs, dtype=np.uint32), pages).tolist()
    assert len(short) <= len(refs)
    for memory in range(pages, 11):
        assert slow.lru(short, memory) == slow.lru(refs, memory)


@pytest.mark.parametrize("pages", [1, 5, 100, 999, 5000])
def test_long_traces_too(pages):
    trace = generate("zipf", pages=1000, refs=30_000, seed=3)
    assert reduced(trace.refs, pages).tolist() == slow.reduced(trace.refs.tolist(), pages)


def test_reducing_makes_traces_shorter():
    trace = generate("hotspot", pages=1000, refs=30_000, options={"width": 0.01})
    short = reduced(trace.refs, 100)
    assert len(short) < len(trace) / 5


def test_a_page_always_in_use_stays_in_use():
    # Page 0 between any two others. Of an LRU memory of 2 pages it is a hit each time.
    refs = np.array([p for other in range(1, 100) for p in (0, other)] + [1], dtype=np.uint32)
    short = reduced(refs, 2)
    assert np.count_nonzero(short == 0) > 30
    assert slow.lru(short.tolist(), 10) == slow.lru(refs.tolist(), 10)


def test_nothing_is_short_and_no_memory_is_none():
    assert reduced(np.empty(0, dtype=np.uint32), 4).tolist() == []
    with pytest.raises(ValueError, match="at least one page, not 0"):
        reduced(np.array([1], dtype=np.uint32), 0)


def test_first_references_write():
    refs = np.array([3, 1, 3, 1 | 1 << 31, 2], dtype=np.uint32)
    assert (first_writes(refs) >> np.uint32(31)).tolist() == [1, 1, 0, 1, 1]
    assert refs[0] == 3
