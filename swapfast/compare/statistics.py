"""Means, and how sure a ratio of two of them is.

- ``summary(values)``: mean and standard deviation over seeds.
- ``paired_ratio(values, base)``: ratio of means, with an interval from the same seeds.
- ``resamples(pairs)``: which pairs each resample takes, and how often; drawn once.

A seed is a pair: the same seed in two columns draws the same start times and the same devices, so
what they have in common cancels out. The interval is the percentile bootstrap of the ratio of means
(Efron, Tibshirani: An Introduction to the Bootstrap, 1993, chapter 13). Of few pairs it is too
narrow: of lognormal draws it holds the truth in 79 of 100 cases with four pairs, 86 with five, 91
with ten, 92 with twenty. With fewer than five there is none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEAST_PAIRS", "RESAMPLES", "Ratio", "Summary", "paired_ratio", "resamples", "summary"]

RESAMPLES = 10_000
LEAST_PAIRS = 5  # of an interval
LEVEL = 0.95
_SEED = 20260101  # of the resamples: the same runs give the same interval


@dataclass(frozen=True)
class Summary:
    """What the seeds of one column gave.

    Attributes
    ----------
    mean : float
    stdev : float or None
        With n - 1. None: there is one seed, or all gave the same, so that nothing can be said of
        how much seeds differ.
    seeds : int
    """

    mean: float
    stdev: float | None
    seeds: int


@dataclass(frozen=True)
class Ratio:
    """A column against the baseline.

    Attributes
    ----------
    value : float
        Mean of the column over the mean of the baseline.
    low, high : float or None
        Bounds of the 95 % interval. None: there are too few pairs, or no seed differs from another.
    pairs : int
        Seeds that both have.
    """

    value: float
    low: float | None
    high: float | None
    pairs: int

    @property
    def sure(self) -> bool:
        """Whether the interval excludes 1."""
        return self.low is not None and self.high is not None and not self.low <= 1 <= self.high


def summary(values: Sequence[float]) -> Summary:
    """Mean and standard deviation of one metric over seeds; at least one value."""
    mean = math.fsum(values) / len(values)
    if len(values) < 2 or min(values) == max(values):
        return Summary(values[0] if min(values) == max(values) else mean, None, len(values))
    squares = math.fsum((v - mean) ** 2 for v in values)
    return Summary(mean, math.sqrt(squares / (len(values) - 1)), len(values))


@cache
def resamples(pairs: int) -> NDArray[np.float64]:
    """How often each resample takes each pair.

    Returns
    -------
    array of float64, (10000, pairs)
        Each row adds up to ``pairs``.
    """
    rng = np.random.default_rng(_SEED)
    return rng.multinomial(pairs, [1 / pairs] * pairs, size=RESAMPLES).astype(np.float64)


def paired_ratio(values: Sequence[float], base: Sequence[float]) -> Ratio | None:
    """Ratio of means with its interval; entry i of both is one seed.

    Returns
    -------
    Ratio or None
        None: there is no pair, or the baseline's mean is 0 and nothing can be told against it.
    """
    ours, theirs = np.asarray(values, np.float64), np.asarray(base, np.float64)
    if not len(ours) or theirs.sum() == 0:
        return None
    value = float(ours.sum() / theirs.sum())
    same = bool((ours == ours[0]).all() and (theirs == theirs[0]).all())
    if len(ours) < LEAST_PAIRS or same:
        return Ratio(value, None, None, len(ours))
    weights = resamples(len(ours))
    above, below = weights @ ours, weights @ theirs
    nothing = (above == 0) & (below == 0)  # no difference is seen in such a resample
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(nothing, 1.0, above / below)
    # A bound is one of the ratios: between a number and infinity there is no other.
    low, high = np.quantile(
        found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="inverted_cdf", overwrite_input=True
    )
    return Ratio(value, float(low), float(high), len(ours))
