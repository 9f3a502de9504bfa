"""Latencies as one reads them: quantiles, sums, refusals."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapfast import _kernels
from swapfast.latency import BUCKETS, UPPER, Latency

times = st.lists(st.integers(0, (1 << 44)), max_size=50)


def of(*values: int) -> Latency:
    counts, _, ns, longest = _kernels.histogram(np.array(values, np.uint64))
    return Latency(counts, sum=ns, max=longest)


def test_nothing() -> None:
    none = Latency()
    assert not none and none == of()
    assert (none.count, none.mean, none.max, none.p50, none.p999) == (0, 0.0, 0, 0, 0)
    assert repr(none) == "<Latency of nothing>"
    assert len(none.table().splitlines()) == 5


def test_one() -> None:
    one = of(66_000)
    assert (one.count, one.mean, one.max, one.sum) == (1, 66_000.0, 66_000, 66_000)
    assert {one.quantile(q) for q in (0, 0.5, 1)} == {66_000}, "never above the longest"


def test_percentiles_by_hand() -> None:
    """1 to 100 us: the 50th is 50 us, and its bucket ends at 50,175 ns."""
    many = of(*range(1000, 100_001, 1000))
    assert many.mean == 50_500.0
    assert [many.p50, many.p90, many.p99, many.p999] == [50_175, 90_111, 100_000, 100_000]
    assert many.quantile(0.07) == many.quantile(0.0601) == int(UPPER[UPPER.searchsorted(7000)])
    assert repr(many) == (
        "<Latency of 100: mean 50.5 us, p50 50.2 us, p90 90.1 us, p99 100 us, p99.9 100 us, "
        "max 100 us>"
    )


def test_beyond_the_last_bucket_quantiles_are_the_longest() -> None:
    far = of(1, 1 << 43, 1 << 50)
    assert far.quantile(0.3) == 1 and far.p50 == far.max == 1 << 50


@given(times, times)
def test_together_is_as_if_recorded_in_one(a: list[int], b: list[int]) -> None:
    both = of(*a, *b)
    assert of(*a) + of(*b) == both == of(*a).merge(of(*b)) == sum([of(*b), of(*a)])
    assert hash(of(*a) + of(*b)) == hash(both)


def test_sums_are_of_latencies_only() -> None:
    with pytest.raises(TypeError):
        of(1) + 1
    assert of(1) != 1 and of(1) != of(2)


def test_it_does_not_change() -> None:
    counts = np.zeros(BUCKETS, np.uint32)
    counts[5] = 1
    one = Latency(counts, sum=5, max=5)
    counts[5] = 9
    assert one.count == 1
    with pytest.raises(ValueError, match="read-only"):
        one.counts[5] = 2
    for change in (lambda: setattr(one, "max", 1), lambda: delattr(one, "_max")):
        with pytest.raises(AttributeError, match="does not change"):
            change()
    assert pickle.loads(pickle.dumps(one)) == one


@pytest.mark.parametrize(
    ("counts", "ns", "longest", "what"),
    [
        (np.zeros(9, int), 0, 0, "counts: 1216 whole numbers"),
        (np.zeros(BUCKETS), 0, 0, "counts: 1216 whole numbers, not float64"),
        (np.full(BUCKETS, -1), 0, 0, "counts: -1 is below 0"),
        (None, 0, 7, "max: 7 ns"),
        (None, 7, 0, "sum: 7 ns"),
        (np.eye(1, BUCKETS, 64, dtype=int)[0], 64, 63, "max: 63 ns is not in the last bucket"),
        (np.eye(1, BUCKETS, 64, dtype=int)[0], 66, 66, "max: 66 ns is not in the last bucket"),
        (np.eye(1, BUCKETS, 64, dtype=int)[0], 63, 65, "sum: 63 ns for a longest time of 65 ns"),
    ],
)
def test_what_cannot_be_is_refused(counts, ns: int, longest: int, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        Latency(counts, sum=ns, max=longest)


@pytest.mark.parametrize("q", [-0.1, 1.1, float("nan")])
def test_a_quantile_is_from_0_to_1(q: float) -> None:
    with pytest.raises(ValueError, match="q: "):
        of(1).quantile(q)


def test_a_table_of_three() -> None:
    assert of(1000, 2000, 2000).table(unit="ns").splitlines() == [
        "       Value     Percentile TotalCount 1/(1-Percentile)",
        "",
        "    1007.000 0.000000000000          1           1.00",
        "    1007.000 0.100000000000          1           1.11",
        "    1007.000 0.200000000000          1           1.25",
        "    1007.000 0.300000000000          1           1.43",
        "    2000.000 0.400000000000          3           1.67",
        "    2000.000 1.000000000000          3",
        "#[Mean    =     1666.667, StdDeviation   =      471.405]",
        "#[Max     =     2000.000, Total count    =            3]",
        "#[Buckets =           38, SubBuckets     =           32]",
    ]
    with pytest.raises(ValueError, match=r"unit: 'min' is not one of ns, us, ms, s"):
        of(1).table(unit="min")
