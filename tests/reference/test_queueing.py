"""Queueing theory against numbers worked by hand, its own limits, and a walk over arrivals."""

from __future__ import annotations

import numpy as np
import pytest

from tests.reference.queueing import (
    erlang_c,
    md1_wait,
    mean_value_analysis,
    mg1_wait,
    mm1_wait,
    mmc_wait,
    repairman,
    throughput_bounds,
)

LOADS = [0.3, 0.6, 0.9]


def test_by_hand() -> None:
    """Service 1: at half load the wait is 1; two units that are offered 1 have C = 1/3."""
    assert mm1_wait(0.5, 1.0) == pytest.approx(1.0)
    assert md1_wait(0.5, 1.0) == pytest.approx(0.5)
    assert erlang_c(2, 1.0) == pytest.approx(1 / 3)
    assert mmc_wait(1.0, 1.0, 2) == pytest.approx(1 / 3)
    # 4 units offered 2: B = (16/24) / (1 + 2 + 2 + 8/6 + 16/24) = 2/21, C = B / (1 - (1 - B) / 2)
    assert erlang_c(4, 2.0) == pytest.approx(4 / 23)


@pytest.mark.parametrize("rho", LOADS)
def test_one_formula_contains_the_other(rho: float) -> None:
    assert mm1_wait(rho, 1.0) == pytest.approx(mg1_wait(rho, 1.0, 1.0))
    assert md1_wait(rho, 1.0) == pytest.approx(mg1_wait(rho, 1.0, 0.0))
    assert mmc_wait(rho, 1.0, 1) == pytest.approx(mm1_wait(rho, 1.0))
    assert erlang_c(1, rho) == pytest.approx(rho)


def test_an_unstable_queue_has_no_mean() -> None:
    for refused in (lambda: mm1_wait(1.0, 1.0), lambda: erlang_c(2, 2.0)):
        with pytest.raises(ValueError, match="grows for ever"):
            refused()


def walk(rho: float, units: int, service: np.ndarray) -> tuple[float, float]:
    """Mean wait and its error, from 40 batches of a first-come queue."""
    chance = np.random.default_rng(7)
    arrivals = chance.exponential(1 / (rho * units), len(service)).cumsum()
    free = [0.0] * units
    waits = np.empty(len(service))
    for i, (now, needed) in enumerate(zip(arrivals.tolist(), service.tolist(), strict=True)):
        unit = free.index(min(free))
        start = max(now, free[unit])
        waits[i] = start - now
        free[unit] = start + needed
    batches = waits.reshape(40, -1).mean(axis=1)
    return float(batches.mean()), float(batches.std(ddof=1) / np.sqrt(40))


@pytest.mark.parametrize("rho", LOADS)
def test_a_queue_that_is_walked_through(rho: float) -> None:
    n = 200_000
    exponential = np.random.default_rng(8).exponential(1.0, n)
    for units, service, want in (
        (1, exponential, mm1_wait(rho, 1.0)),
        (1, np.ones(n), md1_wait(rho, 1.0)),
        (4, exponential, mmc_wait(4 * rho, 1.0, 4)),
    ):
        mean, error = walk(rho, units, service)
        assert abs(mean - want) < 4 * error


def test_closed_by_hand() -> None:
    """Think 1, service 1. Two programs: the second finds half a request there."""
    assert mean_value_analysis(1, 1.0, 1.0) == (0.5, 1.0, 0.5)
    assert mean_value_analysis(2, 1.0, 1.0) == pytest.approx((0.8, 1.5, 1.2))


@pytest.mark.parametrize("programs", [1, 2, 4, 8, 16, 100])
@pytest.mark.parametrize("think", [0.1, 1.0, 10.0])
def test_closed_two_ways_and_between_its_bounds(programs: int, think: float) -> None:
    found = mean_value_analysis(programs, think, 1.0)
    assert found == pytest.approx(repairman(programs, think, 1.0))
    least, most = throughput_bounds(programs, think, 1.0)
    assert least <= found.throughput * (1 + 1e-12) and found.throughput <= most * (1 + 1e-12)
    assert programs == pytest.approx(found.throughput * (found.response + think))


@pytest.mark.parametrize("units", [1, 2, 4, 8])
def test_more_units_than_programs_are_no_queue(units: int) -> None:
    found = repairman(units, 3.0, 1.0, units)
    assert found.response == pytest.approx(1.0)
    assert found.throughput == pytest.approx(throughput_bounds(units, 3.0, 1.0, units)[1])
