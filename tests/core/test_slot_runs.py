"""Runs of slots: the same as the slow twin's, whole, aligned, and never taken for free."""

from __future__ import annotations

import random

import numpy as np
import pytest

from swapfast._kernels import Slots
from tests.reference.slots import Clusters, NextFit

TWIN = {False: NextFit, True: Clusters}


@pytest.fixture(params=[False, True], ids=["2.6.25", "6.18"])
def clustered(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def take(slots: Slots, order: int = 0) -> int:
    found = slots.take(1, order=order)
    return int(found[0]) if len(found) else 0


@pytest.mark.parametrize("end", [11, 65, 512, 1000, 2600])
@pytest.mark.parametrize("fullness", [0.3, 0.9])
def test_runs_and_single_slots_are_the_slow_twins(
    clustered: bool, end: int, fullness: float
) -> None:
    chance = random.Random(end)
    bad = tuple(sorted(chance.sample(range(1, end), end // 50)))
    slots, twin = Slots(end, clustered=clustered, bad=bad), TWIN[clustered](end, bad)
    held: list[tuple[int, int]] = []
    for step in range(1200):
        if not held or (slots.inuse < fullness * slots.pages and chance.random() < 0.8):
            order = chance.choice((0, 0, 0, 1, 2, 3, 5, 6, 7, 8, 9))
            slot = take(slots, order)
            assert slot == twin.take_run(order), f"step {step}, order {order}"
            if slot:
                held.append((slot, order))
        else:
            slot, order = held.pop(chance.randrange(len(held)))
            slots.give([slot], order=order)
            twin.give_run(slot, order)
    slots.verify()
    for slot, order in held:
        slots.give([slot], order=order)
    slots.verify()
    assert slots.inuse == 0


def test_all_orders_fit_where_they_should() -> None:
    """Slots 0 to 2047, slot 0 is the header: three whole clusters, seven halves, ..."""
    for order in range(10):
        size = 1 << order
        found = Slots(2048).take(3000, order=order)
        assert found.tolist() == list(range(size if size > 1 else 1, 2048, size))


def test_a_run_given_back_in_pieces_is_one_again(clustered: bool) -> None:
    slots = Slots(1024, clustered=clustered)
    assert take(slots, 9) == 512
    assert take(slots, 9) == 0
    chance = random.Random(1)
    pieces = list(range(512, 1024))
    chance.shuffle(pieces)
    slots.give(pieces[:-1])
    assert take(slots, 9) == 0
    slots.give(pieces[-1:])
    assert take(slots, 9) == 512
    slots.verify()


def test_a_run_taken_whole_goes_back_slot_by_slot_and_the_other_way_round(clustered: bool) -> None:
    slots = Slots(256, clustered=clustered)
    singles = slots.take(255)
    assert sorted(singles.tolist()) == list(range(1, 256))
    slots.give([64], order=6)
    assert take(slots, 5) == 64
    slots.give(range(64, 96))
    assert take(slots, 6) == 64


def test_what_is_not_in_use_is_refused() -> None:
    slots = Slots(1024)
    first = take(slots, 4)
    for wrong, order in ((0, 0), (first + 16, 0), (first + 1, 1), (first, 5), (1024, 0)):
        with pytest.raises(ValueError, match="not a run in use"):
            slots.give([wrong], order=order)
    with pytest.raises(ValueError, match="order is 0 to 9"):
        slots.take(1, order=10)
    with pytest.raises(ValueError, match="bad slot 7 of an area of 5"):
        Slots(5, bad=[7])
    assert slots.inuse == 16


def test_a_map_to_begin_with(clustered: bool) -> None:
    """Every third slot is free; then a run of 32 in the middle."""
    free = np.zeros(4096, np.uint8)
    free[::3] = 1
    free[2048:2080] = 1
    words = np.packbits(free, bitorder="little").view(np.uint64)
    slots = Slots(4096, clustered=clustered, free=words)
    slots.verify()
    assert slots.inuse == slots.pages - (int(free.sum()) - 1)
    assert take(slots, 5) == 2048
    assert take(slots, 5) == 0
    rest = slots.take(4096)
    assert sorted(rest.tolist()) == [s for s in range(3, 4096, 3) if not 2048 <= s < 2080]


def test_churn_leaves_the_area_as_it_was(clustered: bool) -> None:
    slots = Slots(5000, clustered=clustered)
    assert slots.churn(20_000, 100, order=3) > 0
    assert slots.churn(20_000, 100) > 0
    assert slots.inuse == 0
    slots.verify()
