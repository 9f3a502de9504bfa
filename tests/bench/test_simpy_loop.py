"""The peer in SimPy is right: against a heap of events, by hand, and by theory."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapfast import _kernels
from tests.reference.queueing import mean_value_analysis, repairman

pytest.importorskip("simpy", reason="`make bench` installs SimPy")

from bench.peers.simpy_loop import Loop, closed_loop

MEAN = 50_000


def heap_loop(
    programs: Sequence[Sequence[int]], service: Callable[[int, int], int], units: int
) -> tuple[list[int], list[int]]:
    """When a request is done is known when it comes: first come, first served, no event for it."""
    free = [0] * units
    ends, waited = [0] * len(programs), [0] * len(programs)
    done = [0] * len(programs)
    heap = [(faults[0], number) for number, faults in enumerate(programs) if faults]
    heapq.heapify(heap)
    while heap:
        now, number = heapq.heappop(heap)
        unit = free.index(min(free))
        start = max(now, free[unit])
        waited[number] += start - now
        ends[number] = free[unit] = start + service(number, done[number])
        done[number] += 1
        if done[number] < len(programs[number]):
            heapq.heappush(heap, (ends[number] + programs[number][done[number]], number))
    return ends, waited


def exponential(number: int, count: int, mean: int = MEAN, seed: int = 1) -> list[int]:
    bits = _kernels.random_bits(seed, number, 0, count)
    return _kernels.draw(2, bits, at=float(mean)).tolist()


def test_by_hand() -> None:
    """Two programs, one unit that takes 10: the second waits once for the first, then never.

    0: computes 0 to 5, served 5 to 15, computes to 16, waits for the other, served 25 to 35.
    1: computes 0 to 7, waits 8, served 15 to 25.
    """
    found = closed_loop([[5, 1], [7]], 10)
    assert (found.ends_ns, found.waited_ns) == ((35, 25), (9, 8))
    two = closed_loop([[5, 1], [7]], 10, units=2)
    assert (two.ends_ns, two.waited_ns) == ((26, 17), (0, 0))


def test_among_those_of_the_same_ns_the_lower_number_is_first() -> None:
    """Program 1 starts its second round before 0 does, and comes at the same time: 20."""
    found = closed_loop([[20], [0, 10]], lambda number, fault: 10)
    assert found.waited_ns == (0, 10) and found.ends_ns == (30, 40)


def test_nothing_to_do() -> None:
    assert closed_loop([], 1) == Loop((), (), 0)
    assert closed_loop([[], [3]], 1).ends_ns == (0, 4)


@given(
    st.lists(st.lists(st.integers(0, 6), max_size=8), max_size=6),
    st.lists(st.integers(0, 6), min_size=8, max_size=8),
    st.integers(1, 4),
)
def test_the_same_as_with_a_heap(
    programs: list[list[int]], services: list[int], units: int
) -> None:
    def service(number: int, fault: int) -> int:
        return services[(number + fault) % 8]

    found = closed_loop(programs, service, units)
    ends, waited = heap_loop(programs, service, units)
    assert (list(found.ends_ns), list(found.waited_ns)) == (ends, waited)
    assert found == closed_loop(programs, service, units)


@pytest.mark.parametrize(("programs", "units"), [(1, 1), (4, 1), (16, 1), (16, 4)])
def test_throughput_is_that_of_theory(programs: int, units: int) -> None:
    """Exponential thinking and service: within 2 % of the exact mean, by 20,000 faults."""
    faults = 20_000 // programs
    thinks = [exponential(2 * n, faults, 4 * MEAN) for n in range(programs)]
    services = [exponential(2 * n + 1, faults) for n in range(programs)]
    found = closed_loop(thinks, lambda number, fault: services[number][fault], units)
    want = repairman(programs, 4 * MEAN, MEAN, units)
    if units == 1:
        assert want == pytest.approx(mean_value_analysis(programs, 4 * MEAN, MEAN))
    throughput = sum(faults / end for end in found.ends_ns)
    assert throughput == pytest.approx(want.throughput, rel=0.02)
