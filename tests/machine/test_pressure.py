"""Global pressure falls on every memory group, whatever was created first."""

from __future__ import annotations

import numpy as np
import pytest

import swapfast as sf
from swapfast.kernel.state import Mapping
from tests.support.swapfiles import PAGE


def played(
    profile: str,
    sizes: list[int],
    ram: float,
    *,
    order: list[int] | None = None,
    turns: int = 60,
    seed: int = 1,
) -> tuple[list[int], list[int]]:
    """Programs that touch their pages at random, in turns, each in a group of its own.

    ``order`` says whose turn it is, by default as they were created. Returns their major faults,
    and their pages in memory at the end.
    """
    machine = sf.Machine(
        int(sum(sizes) * ram) * PAGE, profile, contents=False, overcommit=1, cache=0, page_cluster=0
    )
    machine.add_swap(4 * sum(sizes) * PAGE)
    heaps: list[Mapping] = []
    for pages in sizes:
        task = machine.init.fork()
        machine.memory_group().add(task)
        heaps.append(task.mmap(pages * PAGE))
    rng = np.random.default_rng(seed)
    turn = [heaps[i] for i in order or range(len(heaps))]
    for heap in turn:
        heap.touch(write=True)
    for _ in range(turns):
        for heap in turn:
            heap.touch(rng.integers(0, heap.pages, heap.pages // 8), write=True)
    machine.verify()
    users = [min(h.mm.users, key=lambda t: t.pid) for h in heaps]
    return [t.maj_flt for t in users], [h.count()[0] for h in heaps]


def jain(values: list[int]) -> float:
    """Jain's index of fairness: 1 for equal values, 1/n if one has all."""
    return sum(values) ** 2 / (len(values) * sum(v * v for v in values))


@pytest.mark.parametrize("programs", [2, 4, 7])
def test_equal_programs_share_the_pressure(profile: str, programs: int) -> None:
    faults, resident = played(profile, [2000] * programs, 0.6)
    assert jain(faults) > 0.95, faults
    assert jain(resident) > 0.95, resident


def test_the_order_of_creation_decides_nothing(profile: str) -> None:
    small, large = played(profile, [1000, 4000], 0.6)[0]
    large_first, small_last = played(profile, [4000, 1000], 0.6, order=[1, 0])[0]
    assert small_last == pytest.approx(small, rel=0.02)
    assert large_first == pytest.approx(large, rel=0.02)


def test_a_group_gives_in_proportion_to_what_it_has(profile: str) -> None:
    """An idle program next to ten times as many idle pages keeps most of its own."""
    machine = sf.Machine(
        6000 * PAGE, profile, contents=False, overcommit=1, cache=0, page_cluster=0
    )
    machine.add_swap("64MiB")
    heaps = []
    for pages in (500, 5000):
        task = machine.init.fork()
        machine.memory_group().add(task)
        heaps.append(task.mmap(pages * PAGE))
        heaps[-1].touch(write=True)
    hog = machine.init.fork().mmap(2000 * PAGE)
    hog.touch(write=True)
    out = [h.count()[1] for h in heaps]
    assert out[1] > 500
    assert out[0] < 250, "not a batch for every walk"


def test_small_machines_of_2_6_25_use_their_swap() -> None:
    """A process that fits into RAM and swap is not killed: empty lists are not unreclaimable."""
    for ram in (64, 72, 100, 128, 256):
        machine = sf.Machine(ram * PAGE, "2.6.25", contents=False, overcommit=1, cache=0)
        machine.add_swap(8 * ram * PAGE)
        rng = np.random.default_rng(ram)
        for pages in (ram * 7 // 10, ram, 3 * ram):
            heap = machine.init.fork().mmap(pages * PAGE)
            heap.touch(write=True)
            for k in range(8):
                heap.touch(rng.integers(0, pages, pages), write=bool(k % 2))
        assert machine.log == []
        machine.verify()
