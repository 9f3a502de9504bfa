"""Means, spreads and paired ratios, against obvious Python."""

from __future__ import annotations

import math
import random
import statistics as plain

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from swapfast.compare.statistics import RESAMPLES, paired_ratio, resamples, summary

VALUES = st.floats(0.001, 1e6)
SEVERAL = st.lists(VALUES, min_size=2, max_size=12)


@given(SEVERAL)
def test_mean_and_deviation_are_those_of_the_standard_library(values: list[float]) -> None:
    told = summary(values)
    assert told.mean == pytest.approx(plain.fmean(values))
    if len(set(values)) == 1:
        assert told.stdev is None
    else:
        assert told.stdev == pytest.approx(plain.stdev(values), rel=1e-6)


def test_one_seed_or_equal_seeds_have_no_deviation() -> None:
    assert summary([3.0]).stdev is None
    assert summary([0.1, 0.1, 0.1]) == (told := summary([0.1, 0.1, 0.1])) and told.mean == 0.1


def slow_interval(ours: list[float], base: list[float]) -> tuple[float, float]:
    """The bootstrap as books have it: pairs drawn with replacement, sorted ratios."""
    rng = random.Random(5)
    found = []
    for _ in range(4000):
        picks = [rng.randrange(len(ours)) for _ in ours]
        found.append(sum(ours[i] for i in picks) / sum(base[i] for i in picks))
    found.sort()
    return found[int(0.025 * len(found))], found[int(0.975 * len(found))]


def test_the_interval_is_that_of_the_slow_bootstrap() -> None:
    rng = random.Random(1)
    base = [rng.uniform(80, 120) for _ in range(10)]
    ours = [b * rng.uniform(0.7, 0.9) for b in base]
    ratio = paired_ratio(ours, base)
    assert ratio is not None and ratio.value == pytest.approx(sum(ours) / sum(base))
    low, high = slow_interval(ours, base)
    assert ratio.low == pytest.approx(low, rel=0.01)
    assert ratio.high == pytest.approx(high, rel=0.01)
    assert ratio.sure and ratio.pairs == 10


def test_pairs_make_sure_what_columns_alone_do_not() -> None:
    """Seeds differ by a factor of ten, and the second column always takes 5 % more."""
    base = [10.0 * (n + 1) for n in range(10)]
    ours = [1.05 * b for b in base]
    ratio = paired_ratio(ours, base)
    assert ratio is not None and ratio.sure and ratio.low == pytest.approx(1.05)
    shuffled = paired_ratio(ours[::-1], base)
    assert shuffled is not None and not shuffled.sure


@given(SEVERAL)
def test_a_column_against_itself_is_never_sure(values: list[float]) -> None:
    ratio = paired_ratio(values, values)
    assert ratio is not None and ratio.value == 1 and not ratio.sure


@given(st.lists(st.tuples(VALUES, VALUES), min_size=5, max_size=8), st.floats(0.5, 2))
def test_the_interval_holds_its_ratio_and_scales(
    pairs: list[tuple[float, float]], factor: float
) -> None:
    ours, base = [a for a, _ in pairs], [b for _, b in pairs]
    assume(len(set(ours)) > 1 or len(set(base)) > 1)
    ratio, scaled = paired_ratio(ours, base), paired_ratio([factor * a for a in ours], base)
    assert ratio is not None and ratio.low is not None and ratio.high is not None
    assert ratio.low <= ratio.high
    assert min(a / b for a, b in pairs) * 0.999 <= ratio.low
    assert ratio.high <= max(a / b for a, b in pairs) * 1.001
    assert scaled is not None and scaled.value == pytest.approx(factor * ratio.value)


def test_nothing_can_be_told_against_nothing() -> None:
    assert paired_ratio([1.0, 2.0], [0.0, 0.0]) is None
    assert paired_ratio([], []) is None


def test_a_baseline_that_is_sometimes_nothing_has_an_interval_without_nan() -> None:
    ratio = paired_ratio([0.0, 3.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0, 0.0])
    assert ratio is not None and ratio.low is not None and ratio.high is not None
    assert ratio.low <= 4 and ratio.high == math.inf and not math.isnan(ratio.low)


def test_few_pairs_have_no_interval_though_all_agree() -> None:
    """Of four pairs chance alone makes all agree once in eight times."""
    base = [1.0, 2.0, 3.0, 4.0, 5.0]
    ours = [v / 2 + 0.1 for v in base]
    few, enough = paired_ratio(ours[:4], base[:4]), paired_ratio(ours, base)
    assert few is not None and few.low is None and not few.sure
    assert enough is not None and enough.low is not None and enough.sure


def test_one_pair_or_equal_seeds_have_a_ratio_and_no_interval() -> None:
    for count in (1, 5):
        ratio = paired_ratio([2.0] * count, [4.0] * count)
        assert ratio is not None and (ratio.value, ratio.low, ratio.sure) == (0.5, None, False)


def test_each_resample_takes_as_many_pairs_as_there_are() -> None:
    weights = resamples(7)
    assert weights.shape == (RESAMPLES, 7) and (weights.sum(axis=1) == 7).all()
    assert weights.mean() == pytest.approx(1)
