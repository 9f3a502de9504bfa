"""Miss-ratio curves: exact against replays of each size, sampled within their stated error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swapfast.mrc import Distances, Sample, miss_ratio_curve
from swapfast.replacement import POLICIES, simulate
from swapfast.traces import Trace
from swapfast.traces.generate import generate


def distances(pages: list[int]) -> dict[int, int]:
    """Stack distances, from a list."""
    stack: list[int] = []
    found: dict[int, int] = {}
    for page in pages:
        if page in stack:
            d = len(stack) - stack.index(page)
            found[d] = found.get(d, 0) + 1
            stack.remove(page)
        stack.append(page)
    return found


@settings(max_examples=80, derandomize=True)
@given(
    pages=st.lists(st.integers(0, 40), min_size=1, max_size=300),
    cuts=st.lists(st.integers(1, 90), max_size=4),
)
def test_distances_equal_a_list(pages: list[int], cuts: list[int]) -> None:
    refs = np.array(pages, dtype=np.uint32)
    d = Distances(41)
    at = 0
    for cut in cuts:
        d.run(refs[at : at + cut])
        at += cut
    d.run(refs[at:])
    histogram = d.histogram()
    assert {int(k): int(histogram[k]) for k in np.flatnonzero(histogram)} == distances(pages)
    assert d.cold == len(set(pages))
    assert d.refs == len(pages)


def test_exact_at_every_size_also_when_the_axis_is_packed() -> None:
    # 2**21 positions for a small trace: more references than that pack it.
    trace = generate("mixed", pages=3000, refs=2_600_000, seed=1, fill=False)
    curve = miss_ratio_curve(trace)
    for frames in (1, 10, 500, 1500, 2999, 3000):
        assert curve.at([frames]).faults[0] == simulate(trace, frames, "lru").misses
    assert (np.diff(curve.faults) <= 0).all()
    assert curve.faults[-1] == curve.first


@pytest.mark.parametrize("policy", [p for p in POLICIES if p != "lru"])
def test_other_policies_are_replays_side_by_side(policy: str) -> None:
    trace = generate("zipf", pages=300, refs=20_000, seed=3, fill=False)
    curve = miss_ratio_curve(trace, policy, sizes=[200, 10, 100], threads=2)
    assert curve.sizes.tolist() == [10, 100, 200]
    expected = [simulate(trace, k, policy).misses for k in (10, 100, 200)]
    assert curve.faults.tolist() == expected


def test_sizes_by_default() -> None:
    trace = generate("zipf", pages=1000, refs=5000, seed=3)
    assert miss_ratio_curve(trace).sizes.tolist() == list(range(1, 1001))
    assert len(miss_ratio_curve(trace, "clock").sizes) == 50
    tiny = generate("loop", pages=7, refs=50, fill=False)
    assert miss_ratio_curve(tiny, "clock").sizes.tolist() == list(range(1, 8))


def test_a_sample_is_close_and_says_how_close() -> None:
    trace = generate("uniform", pages=20_000, refs=400_000, seed=9)
    sizes = [4000, 10_000, 16_000]
    exact = miss_ratio_curve(trace, sizes=sizes).miss_ratio
    for rate in (0.9, 0.2):
        sampled = miss_ratio_curve(trace, sizes=sizes, rate=rate)
        assert sampled.error is not None
        assert (np.abs(sampled.miss_ratio - exact) < 5 * sampled.error + 1e-3).all()
        assert sampled.rate == pytest.approx(rate)
        assert sampled.first == pytest.approx(20_000, rel=0.1)


def test_a_sample_of_everything_is_the_exact_curve() -> None:
    trace = generate("zipf", pages=70, refs=900, seed=4)
    exact, sampled = miss_ratio_curve(trace), miss_ratio_curve(trace, rate=1.0)
    assert sampled.faults.tolist() == exact.faults.tolist()
    assert sampled.sizes.tolist() == exact.sizes.tolist()
    assert (sampled.first, sampled.rate, sampled.error) == (exact.first, 1.0, None)


@pytest.mark.parametrize(
    ("pages", "rate", "advice"),
    [
        (1, 0.01, "the trace is small: leave the sample"),
        (999, 0.999, "the trace is small: leave the sample"),
        (2000, 0.01, "sample 50 % or more, or leave the sample"),
        (50_000, 0.0199, "sample 2 % or more, or leave the sample"),
    ],
)
def test_a_sample_of_a_few_pages_is_refused(pages: int, rate: float, advice: str) -> None:
    trace = Trace(np.arange(pages, dtype=np.uint32))
    with pytest.raises(ValueError, match=f"of {pages} pages is less than 1000 pages.*{advice}"):
        miss_ratio_curve(trace, rate=rate)


def test_a_sampled_curve_begins_where_it_knows_something() -> None:
    trace = generate("uniform", pages=10_000, refs=50_000, seed=9)
    curve = miss_ratio_curve(trace, rate=0.2)
    assert curve.sizes[0] in (40, 41)  # eight samples, of a fortieth each
    assert (curve.miss_ratio < 1).all()
    with pytest.raises(ValueError, match=r"the curve begins at 4[01] pages"):
        miss_ratio_curve(trace, rate=0.2, sizes=[39, 100])


def test_samples_are_disjoint_and_cover_everything_at_rate_one() -> None:
    trace = generate("zipf", pages=5000, refs=50_000, seed=2)
    sample = Sample(5000, 1.0)
    sample.run(trace.refs)
    parts = sample.histograms()
    assert sum(refs for refs, _, _, _ in parts) == len(trace)
    assert sum(cold for _, cold, _, _ in parts) == 5000
    for refs, cold, _, histogram in parts:
        assert cold + int(histogram.sum()) == refs


def test_errors() -> None:
    trace = Trace(np.array([0, 1, 2], dtype=np.uint32), 3)
    with pytest.raises(ValueError, match="sampling is for lru"):
        miss_ratio_curve(trace, "clock", rate=0.1)
    for rate in (0.0, -1.0, 1.5, float("nan")):
        with pytest.raises(ValueError, match="above 0 and at most 1"):
            miss_ratio_curve(trace, rate=rate)
    with pytest.raises(ValueError, match="at least 1"):
        miss_ratio_curve(trace, sizes=[0])
    with pytest.raises(ValueError, match="no policy 'best'"):
        miss_ratio_curve(trace, "best")
    with pytest.raises(ValueError, match="page 2 of a trace of 2 pages"):
        Distances(2).run(trace.refs)
    with pytest.raises(ValueError, match="begins at 2 pages"):
        miss_ratio_curve(trace, "clock", sizes=[2]).at([1])
