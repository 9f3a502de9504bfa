"""Buckets of latencies: where they begin and end, against plain arithmetic and HdrHistogram."""

from __future__ import annotations

import math
from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapfast import _kernels
from swapfast.latency import BUCKETS, UPPER, Latency

TOP = 1 << 42
times = st.lists(st.integers(0, TOP - 1) | st.integers(0, 200), min_size=1, max_size=200)
quantiles = st.floats(0, 1)


def bucket_of(ns: int) -> int:
    """The slow truth: by comparing."""
    return int(np.searchsorted(UPPER, min(ns, TOP - 1)))


def added(values: list[int]) -> Latency:
    counts, total, ns, longest = _kernels.histogram(np.array(values, np.uint64))
    assert total == len(values) == counts.sum()
    return Latency(counts, sum=ns, max=longest)


def test_the_edges_are_those_of_the_core() -> None:
    assert len(UPPER) == BUCKETS == 1216
    assert np.array_equal(UPPER, _kernels.histogram_upper())


def test_buckets_have_no_gap_and_32_make_a_power_of_two() -> None:
    upper = [int(x) for x in UPPER]
    assert upper[:64] == list(range(64)), "a nanosecond each"
    assert upper[-1] == TOP - 1
    for k in range(5, 42):
        inside = [x for x in upper if 1 << k <= x < 2 << k]
        assert len(inside) == 32
        assert {b - a for a, b in pairwise(inside)} == {1 << k - 5}


def test_each_edge_falls_into_its_bucket_and_the_next_ns_into_the_next() -> None:
    edges = UPPER.astype(np.uint64)
    counts, *_ = _kernels.histogram(edges)
    assert (counts == 1).all()
    after, *_ = _kernels.histogram(edges + np.uint64(1))
    assert after[0] == 0 and (after[1:-1] == 1).all() and after[-1] == 2


@pytest.mark.parametrize("ns", [TOP, TOP + 1, 1 << 50, (1 << 64) - 1])
def test_what_is_longer_falls_into_the_last(ns: int) -> None:
    counts, total, total_ns, longest = _kernels.histogram(np.array([ns], np.uint64))
    assert (total, total_ns, longest) == (1, ns, ns)
    assert counts[-1] == 1 and counts.sum() == 1


@given(times)
def test_counts_are_those_of_the_slow_twin(values: list[int]) -> None:
    counts, total, ns, longest = _kernels.histogram(np.array(values, np.uint64))
    want = np.zeros(BUCKETS, np.uint32)
    for value in values:
        want[bucket_of(value)] += 1
    assert np.array_equal(counts, want)
    assert (total, ns, longest) == (len(values), sum(values), max(values))


@given(times, quantiles)
def test_quantiles_are_numpys_to_the_end_of_a_bucket(values: list[int], q: float) -> None:
    rank = max(1, int(np.ceil(q * len(values) * (1 - 2e-15))))
    exact = sorted(values)[rank - 1]
    found = added(values).quantile(q)
    assert exact <= found <= min(max(values), int(UPPER[bucket_of(exact)]))


@pytest.mark.parametrize("q", [0.01, 0.5, 0.9, 0.99, 0.999, 1.0])
def test_quantiles_of_many_are_numpys(q: float) -> None:
    values = np.random.default_rng(1).lognormal(11, 1, 100_000).astype(np.uint64)
    counts, _, ns, longest = _kernels.histogram(values)
    exact = int(np.quantile(values, q, method="inverted_cdf"))
    found = Latency(counts, sum=ns, max=longest).quantile(q)
    assert exact <= found <= exact * 33 / 32


# ---------------------------------------------------------------- HdrHistogram


def hdr(values: np.ndarray, figures: int):
    hdrh = pytest.importorskip("hdrh.histogram", reason="`make test` installs hdrhistogram")
    made = hdrh.HdrHistogram(1, TOP, figures)
    for value in values.tolist():
        assert made.record_value(value)
    return made


SAMPLES = {
    "lognormal": lambda rng: rng.lognormal(11, 1.5, 20_000),
    "exponential": lambda rng: rng.exponential(80_000, 20_000),
    "two humps": lambda rng: rng.normal([2e3] * 9000 + [9e6] * 1000, [1e2] * 9000 + [1e5] * 1000),
    "few": lambda rng: rng.integers(1, 1000, 7),
    "all over": lambda rng: 2 ** rng.uniform(0, 41.9, 20_000),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_quantiles_within_one_bucket_of_hdrhistogram(name: str) -> None:
    values = np.asarray(SAMPLES[name](np.random.default_rng(2))).astype(np.uint64)
    peer, ours = hdr(values, 2), added(values.tolist())
    assert ours.count == peer.get_total_count()
    for percentile in [0.1, *range(1, 100), 99.5, 99.9, 99.99, 100]:
        # Ours is the first rank that reaches the percentile; the peer takes the nearest one.
        rank = max(1, math.ceil(percentile * len(values) / 100 - 1e-9))
        theirs = int(peer.get_value_at_percentile(100 * rank / len(values)))
        apart = bucket_of(ours.quantile(percentile / 100)) - bucket_of(theirs)
        assert abs(apart) <= 1, f"{percentile} %: {ours.quantile(percentile / 100)} and {theirs}"


@pytest.mark.parametrize("name", SAMPLES)
def test_the_table_is_read_as_hdrhistograms(name: str) -> None:
    """The same text: percentiles, and counts and values within a bucket, line by line."""
    values = np.asarray(SAMPLES[name](np.random.default_rng(3))).astype(np.uint64)
    peer, ours = hdr(values, 3), added(values.tolist())
    out = BytesIO()
    peer.output_percentile_distribution(out, 1000.0)
    theirs = out.getvalue().decode().splitlines()
    lines = ours.table(unit="us").splitlines()
    assert lines[0].split() == theirs[0].split()
    assert [line.split(" ")[0] for line in lines[-3:]] == ["#[Mean", "#[Max", "#[Buckets"]
    wanted = {}
    for line in theirs[2:-3]:
        value, percentile, *_ = line.split()
        wanted[percentile] = float(value)
    rows = [line.split() for line in lines[2:-3]]
    assert [float(row[1]) for row in rows] == sorted(float(row[1]) for row in rows)
    shared = [row for row in rows if row[1] in wanted]
    assert len(shared) >= min(len(rows), 7) // 2
    for value, percentile, count, *inverse in shared:
        apart = bucket_of(round(float(value) * 1000)) - bucket_of(round(wanted[percentile] * 1000))
        assert abs(apart) <= 1
        assert int(count) >= float(percentile) * len(values) - 1e-6
        if inverse:
            assert float(inverse[0]) == pytest.approx(1 / (1 - float(percentile)), rel=0.01)
    assert rows[-1][1] == "1.000000000000" and int(rows[-1][2]) == len(values)
