"""Synthetic traces: the same for ever, with the shape that their pattern promises."""

from __future__ import annotations

import sys
import tracemalloc
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swapfast.traces import GENERATORS, WRITE, Trace, generate

GOLDEN = {
    ("uniform", 0): "b32487b9f6a0a437",
    ("uniform", 7): "f4c9f0807c830d3f",
    ("zipf", 0): "ddc2dcd4e00152bc",
    ("zipf", 7): "d03370fafbd1a21e",
    ("loop", 0): "c82bfce82525e9fc",
    ("loop", 7): "ed0412156ca761d3",
    ("hotspot", 0): "f403285e618eae58",
    ("hotspot", 7): "a3c587a835c17679",
    ("drift", 0): "b6e1af6cab39ec55",
    ("drift", 7): "9e9ffda56082847e",
    ("mixed", 0): "035f71fb46a66a8d",
    ("mixed", 7): "942e30019f81e360",
}


def pages_of(trace: Trace) -> np.ndarray:
    return trace.refs & ~WRITE


def test_every_pattern_has_a_golden_hash():
    assert {pattern for pattern, _ in GOLDEN} == set(GENERATORS)


@pytest.mark.parametrize(("pattern", "seed"), GOLDEN)
def test_a_seed_gives_the_same_trace_for_ever(pattern, seed):
    trace = generate(pattern, pages=300, refs=2300, seed=seed)
    digest = sha256(trace.refs.astype("<u4").tobytes()).hexdigest()
    assert digest[:16] == GOLDEN[pattern, seed]


@settings(max_examples=80)
@given(
    st.sampled_from(sorted(GENERATORS)),
    st.integers(1, 400),
    st.integers(1, 400),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.integers(0, 1 << 40),
    st.booleans(),
)
def test_any_size_is_a_valid_trace(pattern, pages, refs, ratio, seed, fill):
    total = refs + (pages if fill else 0)
    trace = generate(pattern, pages=pages, refs=total, write_ratio=ratio, seed=seed, fill=fill)
    assert trace.pages == pages
    assert len(trace) == total
    body = generate(pattern, pages=pages, refs=refs, write_ratio=ratio, seed=seed, fill=False)
    assert (trace.refs[-refs:] == body.refs).all()
    if fill:
        assert (trace.refs[:pages] == (np.arange(pages, dtype=np.uint32) | WRITE)).all()
    if ratio in (0, 1):
        assert body.writes == ratio * refs


@pytest.mark.parametrize("pattern", GENERATORS)
def test_one_reference_is_enough(pattern):
    assert len(generate(pattern, pages=1, refs=1, fill=False)) == 1


@pytest.mark.parametrize("pattern", GENERATORS)
def test_writes_have_their_share(pattern):
    trace = generate(pattern, pages=100, refs=40_000, write_ratio=0.3, fill=False)
    assert abs(trace.writes / 40_000 - 0.3) < 0.012  # five standard deviations


def test_origin_says_how_it_was_made():
    trace = generate("hotspot", pages=9, refs=18, seed=4, options={"width": 0.5, "jumps": 2})
    assert trace.origin == "hotspot(jumps=2, width=0.5) 9 pages, seed 4"


def test_uniform_is_even():
    counts = np.bincount(pages_of(generate("uniform", pages=50, refs=50_000, fill=False)))
    assert len(counts) == 50
    assert counts.min() > 1000 - 5 * 32
    assert counts.max() < 1000 + 5 * 32


@pytest.mark.parametrize("s", [0.5, 1.0, 2.0])
def test_zipf_has_the_frequencies_of_its_ranks(s):
    trace = generate("zipf", pages=100, refs=100_000, fill=False, options={"s": s})
    counts = np.sort(np.bincount(pages_of(trace), minlength=100))[::-1]
    expected = np.arange(1, 101.0) ** -s
    expected *= 100_000 / expected.sum()
    assert (np.abs(counts - expected)[:10] < 5 * np.sqrt(expected[:10])).all()


def test_loop_is_a_loop():
    trace = generate("loop", pages=7, refs=20, fill=False)
    assert pages_of(trace).tolist() == [i % 7 for i in range(20)]


def test_hotspot_stays_and_jumps():
    trace = generate(
        "hotspot", pages=1000, refs=4000, seed=1, fill=False, options={"jumps": 3, "width": 0.001}
    )
    phases = pages_of(trace).reshape(4, 1000)
    assert all(len(np.unique(phase)) < 15 for phase in phases)
    assert len({int(np.median(phase)) for phase in phases}) == 4


def test_drift_goes_once_around():
    trace = generate("drift", pages=1000, refs=10_000, fill=False, options={"width": 1e-6})
    assert (np.abs(np.diff(pages_of(trace).astype(int))) <= 1).sum() == 9_998  # and wraps at 1000
    assert len(np.unique(pages_of(trace))) == 1000


def test_mixed_scans_in_bursts():
    trace = generate("mixed", pages=100, refs=400, fill=False)
    steps = np.diff(pages_of(trace).astype(int)).reshape(-1)
    scan = (np.arange(399) // 25) % 2 == 1
    inside = scan & np.roll(scan, -1)
    assert set(steps[inside].tolist()) == {1}
    assert len(set(steps[~scan].tolist())) > 10


BAD = [
    ({"pattern": "lru"}, "no pattern 'lru'; there are drift, hotspot, loop, mixed, uniform, zipf"),
    ({"pages": 0}, "pages is 1 to 2147483647, not 0"),
    ({"pages": 1 << 31}, "pages is 1 to 2147483647"),
    ({"refs": 0}, "refs is at least 1, not 0"),
    ({"write_ratio": -0.1}, "write_ratio is 0 to 1"),
    ({"write_ratio": 1.1}, "write_ratio is 0 to 1"),
    ({"write_ratio": float("nan")}, "write_ratio is 0 to 1"),
    ({"seed": -1}, "seed is not negative"),
    ({"options": {"s": 1}}, "uniform has no option 's'; it takes none"),
    ({"pattern": "zipf", "options": {"width": 1}}, "zipf has no option 'width'; it takes s"),
    ({"pattern": "zipf", "options": {"s": 9}}, "s is 0 to 8, not 9"),
    ({"pattern": "zipf", "options": {"s": float("nan")}}, "s is 0 to 8, not nan"),
    ({"pattern": "hotspot", "options": {"jumps": -1}}, "jumps is a whole number"),
    ({"pattern": "hotspot", "options": {"jumps": 1.5}}, "jumps is a whole number"),
    ({"pattern": "hotspot", "options": {"jumps": 1e7}}, "0 to 1000000, not 10000000"),
    ({"pattern": "hotspot", "options": {"jumps": float("nan")}}, "jumps is a whole number"),
    ({"pattern": "hotspot", "options": {"width": 0}}, "width is a share of the pages"),
    ({"pattern": "drift", "options": {"width": 1.01}}, "width is a share of the pages"),
]


@pytest.mark.parametrize(("arguments", "cause"), BAD)
def test_bad_parameters_are_named(arguments, cause):
    good = {"pattern": "uniform", "pages": 10, "refs": 10}
    with pytest.raises(ValueError, match=cause):
        generate(**{**good, **arguments})


def test_whole_numbers_may_come_as_floats():
    # Options of a scenario are numbers; TOML's 2.0 is one.
    a = generate("hotspot", pages=10, refs=60, options={"jumps": 2.0})
    b = generate("hotspot", pages=10, refs=60, options={"jumps": 2})
    assert (a.refs == b.refs).all()


@pytest.mark.parametrize("pattern", GENERATORS)
@pytest.mark.parametrize("pages", [1, 2, 63, 1000])
@pytest.mark.parametrize("refs", [1, 2, 62, 63, 64, 999, 1000, 1001, 5000])
def test_there_are_as_many_references_as_were_asked_for(pattern, pages, refs):
    for fill in (True, False):
        trace = generate(pattern, pages=pages, refs=refs, fill=fill)
        assert (len(trace), trace.pages) == (refs, pages)
    assert len(generate(pattern, pages=pages, refs=refs)) == refs


@pytest.mark.parametrize("pattern", GENERATORS)
def test_a_long_trace_takes_little_more_memory_than_itself(pattern, monkeypatch):
    monkeypatch.setattr(sys.modules[generate.__module__], "CHUNK", 1 << 14)
    refs = 1 << 20
    tracemalloc.start()
    try:
        generate(pattern, pages=1000, refs=refs)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * 4 * refs, "the trace, and the fill before it"


@pytest.mark.parametrize("pattern", GENERATORS)
def test_parts_do_not_show(pattern, monkeypatch):
    whole = generate(pattern, pages=300, refs=20_000, write_ratio=0).refs
    monkeypatch.setattr(sys.modules[generate.__module__], "CHUNK", 777)
    assert (generate(pattern, pages=300, refs=20_000, write_ratio=0).refs == whole).all()
