"""What a row of the benchmark table is, and how it is measured.

- ``Size``, ``FULL``, ``SMOKE``: how much work.
- ``Row``: one line of the table.
- ``cpu(call)``, ``wall(call)``: result and seconds; ``rates(n, rounds, ours, reference)``: both in
  turns, and the median of their ratios.
- ``trace(pattern, pages, refs)``: made once a run.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from swapfast.traces import Trace
from swapfast.traces.generate import generate

__all__ = ["FULL", "SMOKE", "Row", "Size", "cpu", "rates", "trace", "wall"]


@dataclass(frozen=True)
class Size:
    """How much work: the full figures, or as little as shows that a row still runs.

    Attributes
    ----------
    pages, refs : int
        Of the traces.
    peer_refs : int
        References beside peers that are slow.
    rounds : int
    namespaces : int
        The most of them.
    slots : int
        Of the largest area.
    terabyte : int
        Pages of the largest machine.
    image : int
        Pages of the largest checkpoint.
    """

    pages: int
    refs: int
    peer_refs: int
    rounds: int
    namespaces: int
    slots: int
    terabyte: int
    image: int

    @property
    def smoke(self) -> bool:
        return self.rounds == 1


FULL = Size(
    pages=1_000_000,
    refs=50_000_000,
    peer_refs=4_000_000,
    rounds=5,
    namespaces=100_000,
    slots=1 << 30,
    terabyte=1 << 28,
    image=10_000_000,
)
SMOKE = Size(
    pages=2_000,
    refs=50_000,
    peer_refs=20_000,
    rounds=1,
    namespaces=30,
    slots=1 << 16,
    terabyte=1 << 14,
    image=5_000,
)


@dataclass(frozen=True)
class Row:
    """One line of the table. ``ratio`` compares with ``goal``; better says in which direction."""

    name: str
    ours: float
    reference: float
    unit: str
    against: str
    ratio: float
    goal: float
    better: str = "higher"
    same: bool = True

    @property
    def met(self) -> bool:
        return self.ratio >= self.goal if self.better == "higher" else self.ratio <= self.goal


def cpu(call: Callable[[], object]) -> tuple[object, float]:
    """Result and CPU seconds."""
    begin = time.process_time()
    result = call()
    return result, time.process_time() - begin


def wall(call: Callable[[], object]) -> tuple[object, float]:
    """Result and seconds on the clock."""
    begin = time.perf_counter()
    result = call()
    return result, time.perf_counter() - begin


def rates(
    n: int, rounds: int, ours: Callable[[], float], reference: Callable[[], float]
) -> tuple[float, float, float]:
    """Events a second of both, in turns, and the median of their ratios round by round."""
    a, b = [], []
    gc.disable()
    for _ in range(rounds):
        b.append(reference())
        a.append(ours())
    gc.enable()
    ratio = statistics.median(y / x for x, y in zip(a, b, strict=True))
    return n / statistics.median(a), n / statistics.median(b), ratio


@cache
def trace(pattern: str, pages: int, refs: int) -> Trace:
    return generate(pattern, pages=pages, refs=refs, seed=1, fill=False)
