"""The exponent of cost per unit: 0 is flat, 1 means that twice as many cost twice as much each.

- ``exponent(points)``: slope of log cost over log count, with a 95 % interval.

The interval is the percentile bootstrap over the points (Efron, Tibshirani: An Introduction to the
Bootstrap, 1993, chapter 9); its resamples are drawn from a fixed seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.scale.axis import Point

__all__ = ["Exponent", "exponent"]

RESAMPLES = 4000
LEAST = 4  # points


@dataclass(frozen=True)
class Exponent:
    """Of cost per unit, and the bounds of its interval."""

    value: float
    low: float
    high: float


def exponent(points: Sequence[Point]) -> Exponent | None:
    """The slope of a straight line through the points, log by log; None: there are too few.

    Parameters
    ----------
    points : sequence of Point
    """
    if len(points) < LEAST:
        return None
    x = np.log([float(point.count) for point in points])
    y = np.log([point.ns for point in points])
    drawn = np.random.default_rng(1).integers(0, len(x), (RESAMPLES, len(x)))
    drawn = drawn[np.ptp(x[drawn], axis=1) > 0]
    low, high = np.percentile(slopes(x[drawn], y[drawn]), [2.5, 97.5])
    return Exponent(float(slopes(x[None], y[None])[0]), float(low), float(high))


def slopes(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least squares, a row each."""
    dx = x - x.mean(axis=1, keepdims=True)
    dy = y - y.mean(axis=1, keepdims=True)
    found: NDArray[np.float64] = (dx * dy).sum(axis=1) / (dx * dx).sum(axis=1)
    return found
