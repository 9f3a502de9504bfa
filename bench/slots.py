"""Rows S1, S2, C1, C2: swap slots, and the copies and checks of single pages."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peers import loops
from bench.row import Row, Size, cpu, rates
from swapfast._kernels import Slots, count_zero, write_pages
from swapfast.units import PAGE_SIZE

__all__ = ["ROWS", "free_map"]

HELD = 256  # slots between a take and its free, at most
FILLS = (0.5, 0.9, 0.99, 0.999)


def free_map(slots: int, fill: float, run: int = 1) -> NDArray[np.uint64]:
    """A bit for each free slot, at random, in runs; beyond 2**20 slots it repeats itself."""
    block = min(slots, 1 << 20)
    free = np.random.default_rng(1).random(block // run) >= fill
    words = np.packbits(np.repeat(free, run), bitorder="little").view(np.uint64)
    return np.tile(words, slots // block)


def single_slots(size: Size) -> Iterator[Row]:
    """S1: take and free, 2.6.25's order; a map without room for its runs of 256 is next-fit."""
    count = max(
        20_480, size.refs // 20 // 256 * 256
    )  # so that each round begins at the lowest slot
    empty = Slots(min(size.slots, 1 << 16))
    cost: dict[str, list[float]] = {"empty": [], "huge": []}
    for slots in (min(size.slots, 1 << 20), size.slots):
        for fill in FILLS:
            free = free_map(slots, fill)
            area = Slots(slots, free=free)
            held = min(HELD, int(slots * (1 - fill)) // 4)
            totals: dict[str, int] = {}

            def ours(
                area: Slots = area, totals: dict[str, int] = totals, held: int = held
            ) -> float:
                totals["ours"], seconds = cpu(lambda: area.churn(count, held))  # type: ignore[assignment]
                return seconds

            def loop(
                free: NDArray[np.uint64] = free,
                slots: int = slots,
                held: int = held,
                totals: dict[str, int] = totals,
            ) -> float:
                # It makes its summaries anew each time: that is not on its time.
                spent = np.zeros(1, np.uint64)
                totals["loop"], _ = loops()("slot_loop", free.copy(), slots, count, held, spent)
                return float(spent[0]) / 1e9

            a, b, ratio = rates(count, size.rounds, ours, loop)
            if slots == size.slots and fill == FILLS[-1]:
                cost["huge"] = [1e9 / a]
                cost["empty"] = [cpu(lambda: empty.churn(count, HELD))[1] / count * 1e9]
            name = f"S1 2^{slots.bit_length() - 1} slots, {fill * 100:g} % full"
            yield Row(
                name,
                1e9 / a,
                1e9 / b,
                "ns/slot",
                "C loop",
                1 / ratio,
                1.5,
                better="lower",
                same=totals["ours"] == totals["loop"],
            )
    huge, small = cost["huge"][0], cost["empty"][0]
    name = f"S1 2^{size.slots.bit_length() - 1} slots, {FILLS[-1] * 100:g} % full"
    yield Row(name, huge, small, "ns/slot", "small, empty", huge / small, 10, better="lower")


def runs_of_slots(size: Size) -> Iterator[Row]:
    """S2: 32 slots at once against 32 single ones, where free slots lie in runs of 32."""
    slots, order = size.slots, 5
    count = max(1000, size.refs // 500)
    for fill in (0.5, 0.99):
        area = Slots(slots, free=free_map(slots, fill, 1 << order))
        before = area.inuse
        a, b, ratio = rates(
            count << order,
            size.rounds,
            lambda area=area: cpu(lambda: area.churn(count, HELD >> order, order=order))[1],
            lambda area=area: cpu(lambda: area.churn(count << order, HELD))[1],
        )
        name = f"S2 runs of 32, {fill * 100:g} % full"
        same = area.inuse == before
        yield Row(name, 1e9 / a, 1e9 / b, "ns/slot", "single slots", ratio, 3, same=same)


def copies(size: Size) -> Iterator[Row]:
    """C1: pages to a mapped file, one by one and in runs, against memcpy to the same places."""
    pages = max(1024, size.pages // 64)
    rng = np.random.default_rng(1)
    with tempfile.TemporaryFile() as file:
        file.truncate(pages * PAGE_SIZE)
        mapped = np.memmap(file, dtype=np.uint8, mode="r+", shape=(pages * PAGE_SIZE,))
        source = rng.integers(0, 256, pages * PAGE_SIZE, dtype=np.uint8)
        other = np.zeros(pages * PAGE_SIZE, dtype=np.uint8)
        for run in (1, 32):
            begins = rng.permutation(pages // run) * run
            slots = (begins[:, None] + np.arange(run)).reshape(-1).astype(np.uint32)
            write_pages(mapped, slots, source)  # every page is there from now on
            loops()("copy_pages", other, source, slots, len(slots), run)
            same = bool((mapped == other).all())
            a, b, ratio = rates(
                len(slots),
                3 * size.rounds,
                lambda slots=slots: cpu(lambda: write_pages(mapped, slots, source))[1],
                lambda slots=slots, run=run: loops()(
                    "copy_pages", mapped, source, slots, len(slots), run
                )[1],
            )
            gb = PAGE_SIZE / 1e9
            name = f"C1 pages to a mapped file, runs of {run}"
            yield Row(name, a * gb, b * gb, "GB/s", "memcpy there", ratio, 0.9, same=same)


def zeroes(size: Size) -> Iterator[Row]:
    """C2: is a page all zeroes? Where its first word says no, and where it is."""
    pages, times = 64, max(2, size.refs // 5_000)
    for what, value in (("first word differs", 1), ("all zeroes", 0)):
        data = np.zeros((pages, PAGE_SIZE // 8), dtype=np.uint64)
        data[:, 0] = value
        raw: NDArray[Any] = data.view(np.uint8).reshape(-1)
        same = count_zero(raw) == loops()("zero_loop", raw, pages, 1)[0]
        a, b, ratio = rates(
            pages * times,
            3 * size.rounds,
            lambda raw=raw: cpu(lambda: count_zero(raw, times))[1],
            lambda raw=raw: loops()("zero_loop", raw, pages, times)[1],
        )
        name = f"C2 zero page check, {what}"
        unit = "ns/page"
        cost = (1e9 / a, 1e9 / b)
        yield Row(name, *cost, unit, "C loop", 1 / ratio, 1.5, better="lower", same=same)


ROWS: dict[str, Callable[[Size], Iterator[Row]]] = {
    "S1": single_slots,
    "S2": runs_of_slots,
    "C1": copies,
    "C2": zeroes,
}
