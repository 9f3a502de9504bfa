"""Numbers and runs of indexes: the lowest that is free, against a set of those that are taken."""

from __future__ import annotations

from random import Random

import pytest

from swapfast.index_space import IndexSpace, Numbers


def test_numbers() -> None:
    random, numbers, taken = Random(1), Numbers(1), set[int]()
    for _ in range(2000):
        if taken and random.random() < 0.5:
            number = random.choice(sorted(taken))
            taken.remove(number)
            numbers.give(number)
        else:
            lowest = next(n for n in range(1, 3000) if n not in taken)
            assert numbers.take() == lowest
            taken.add(lowest)


@pytest.mark.parametrize("align", [1, 4])
def test_runs(align: int) -> None:
    """First fit: the lowest base from which on so many aligned indexes are free."""
    random, space, runs = Random(align), IndexSpace(align, align, 10_000, "things"), {}
    taken: set[int] = set()
    for _ in range(1500):
        if runs and random.random() < 0.5:
            base = random.choice(sorted(runs))
            length = runs.pop(base)
            taken.difference_update(range(base, base + length + align - 1))
            taken.update(n for b, k in runs.items() for n in range(b, b + k))
            space.give(base, length)
        else:
            length = random.randint(1, 30)
            whole = -(-length // align) * align
            base = next(
                b for b in range(align, 10_000, align) if taken.isdisjoint(range(b, b + whole))
            )
            assert space.take(length) == base
            runs[base] = whole
            taken.update(range(base, base + whole))
    for base, length in runs.items():
        space.give(base, length)
    assert space.take(1) == align
    with pytest.raises(MemoryError, match="10000 things at most"):
        space.take(10_000)
