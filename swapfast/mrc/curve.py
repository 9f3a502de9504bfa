"""Miss-ratio curves of a trace.

- ``miss_ratio_curve(trace, policy, sizes=, rate=, threads=)`` -> ``Curve``

LRU: exact at every size in one pass (Mattson's stack), or from a sample of the pages (SHARDS) with
the standard error between disjoint samples. Other policies: one simulation for each size, side by
side over one pass of the trace.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from swapfast.mrc._stack import SAMPLES, Distances, Sample
from swapfast.replacement import (
    PythonSimulation,
    Simulation,
    is_own,
    needs_whole,
    own_policy,
)
from swapfast.results import Shown

if TYPE_CHECKING:
    from swapfast.traces import Trace

__all__ = ["Curve", "miss_ratio_curve"]

CHUNK = 1 << 22  # references in one step
CHUNK_OWN = 1 << 12  # the same of a policy in Python
POINTS = 50  # sizes of a curve if none are named
SAMPLED_LEAST = 1000  # pages: of fewer, the error that eight parts state is itself a guess
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Curve(Shown):
    """Faults at each memory size.

    Attributes
    ----------
    origin, policy : str
        Of the trace; the replacement policy.
    refs, pages : int
        References and pages of the trace.
    sizes : int64 array, shape (n,)
        Memory sizes in pages, rising.
    faults : float64 array, shape (n,)
        References that find their page not in memory, first touches among them. Whole numbers
        unless sampled.
    error : float64 array, shape (n,), or None
        Standard error of the miss ratio; None if exact.
    first : int
        First touches: no size avoids them. An estimate if sampled.
    rate : float
        Share of the pages that were looked at; 1 if all.
    wall_s : float
        Time this took, seconds.
    """

    origin: str
    policy: str
    refs: int
    pages: int
    sizes: NDArray[np.int64]
    faults: NDArray[np.float64]
    error: NDArray[np.float64] | None
    first: int
    rate: float
    wall_s: float

    @property
    def miss_ratio(self) -> NDArray[np.float64]:
        """Faults per reference, float64."""
        return self.faults / self.refs

    def at(self, sizes: Sequence[int]) -> Curve:
        """The same curve at fewer sizes (the next smaller one that is known)."""
        index = np.searchsorted(self.sizes, np.asarray(sizes, dtype=np.int64), side="right") - 1
        if (index < 0).any():
            raise ValueError(f"the curve begins at {int(self.sizes[0])} pages")
        return Curve(
            self.origin,
            self.policy,
            self.refs,
            self.pages,
            np.asarray(sizes, dtype=np.int64),
            self.faults[index],
            None if self.error is None else self.error[index],
            self.first,
            self.rate,
            self.wall_s,
        )

    def table(self) -> list[dict[str, Any]]:
        """A row for each size."""
        columns = {
            "size_pages": self.sizes.tolist(),
            "faults": self.faults.tolist(),
            "miss_ratio": self.miss_ratio.tolist(),
        }
        if self.error is not None:
            columns["standard_error"] = self.error.tolist()
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def line(self) -> tuple[str, str, list[float], list[float]]:
        """Misses against memory."""
        return "memory, pages", "miss ratio", self.sizes.tolist(), self.miss_ratio.tolist()

    def as_dict(self) -> dict[str, Any]:
        """The same, for JSON."""
        return {
            "trace": self.origin,
            "policy": self.policy,
            "refs": self.refs,
            "pages": self.pages,
            "first": self.first,
            "rate": self.rate,
            "wall_s": self.wall_s,
            "sizes_pages": self.sizes.tolist(),
            "faults": self.faults.tolist(),
            "miss_ratio": self.miss_ratio.tolist(),
            "standard_error": None if self.error is None else self.error.tolist(),
        }


def miss_ratio_curve(
    trace: Trace,
    policy: str = "lru",
    *,
    sizes: Sequence[int] | None = None,
    rate: float | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Curve:
    """Faults as a function of the memory's size.

    Parameters
    ----------
    trace : Trace
    policy : str
        One of ``swapfast.replacement.POLICIES``, or "file.py:Class" (see
        `swapfast.replacement.own_policy`).
    sizes : sequence of int, optional
        Memory sizes in pages. By default every size for LRU, else 50 from 2 % to 100 % of the
        trace's pages.
    rate : float, optional
        LRU only: look at this share of the pages (0.01 for 1 %) and state the error. 1 is the
        exact curve. A sampled curve begins where each of the disjoint samples has one frame.
    threads : int, optional
        For other policies; all cores by default.
    progress : callable, optional
        Called as ``progress(references done, all)``.

    Returns
    -------
    Curve

    Raises
    ------
    ValueError
        A parameter out of range, a sampled curve of another policy than LRU, a sample of fewer
        than 1000 pages, or a size below the first of the curve.
    """
    begin = time.perf_counter()
    wanted = _wanted(trace, sizes)
    first: float
    error = None
    if rate is not None:
        rate = _checked_rate(trace, policy, rate)
    if rate is not None:
        known, faults, error, first, rate = _sampled(trace, rate, progress)
    elif policy == "lru":
        known, faults, first = _exact(trace, progress)
    else:
        if wanted is None:
            wanted = np.unique(np.linspace(0, trace.pages, POINTS + 1).astype(np.int64)[1:])
            wanted = wanted[wanted > 0]
        known, faults, first = _replayed(trace, policy, wanted, threads, progress)
    curve = Curve(
        trace.origin,
        policy,
        len(trace),
        trace.pages,
        known,
        faults,
        error,
        round(first),
        1.0 if rate is None else rate,
        time.perf_counter() - begin,
    )
    return curve if wanted is None else curve.at(wanted.tolist())


def _checked_rate(trace: Trace, policy: str, rate: float) -> float | None:
    """None if all pages are looked at."""
    if policy != "lru":
        raise ValueError(f"sampling is for lru, not {policy}: small samples of others mislead")
    if not 0 < rate <= 1:
        raise ValueError(f"a sampling rate is above 0 and at most 1, not {rate}")
    if rate == 1:
        return None
    if rate * trace.pages < SAMPLED_LEAST:
        least = SAMPLED_LEAST / trace.pages
        more = f"sample {100 * least:.2g} % or more, or" if least < 1 else "the trace is small:"
        raise ValueError(
            f"{100 * rate:g} % of {trace.pages} pages is less than {SAMPLED_LEAST} pages, of which "
            f"a sample says too little: {more} leave the sample (--sample) out"
        )
    return rate


def _wanted(trace: Trace, sizes: Sequence[int] | None) -> NDArray[np.int64] | None:
    if sizes is None:
        return None
    wanted = np.unique(np.asarray(sizes, dtype=np.int64))
    if not wanted.size or wanted[0] < 1:
        raise ValueError("memory sizes are pages, at least 1")
    return wanted


def _feed(
    trace: Trace,
    take: Callable[[NDArray[np.uint32]], None],
    progress: Progress | None,
    chunk: int = CHUNK,
) -> None:
    n, done = len(trace), 0
    for refs in trace.chunks(chunk):
        if progress is not None:
            progress(done, n)
        take(refs)
        done += len(refs)
    if progress is not None:
        progress(n, n)


def _exact(
    trace: Trace, progress: Progress | None
) -> tuple[NDArray[np.int64], NDArray[np.float64], float]:
    distances = Distances(trace.pages)
    _feed(trace, lambda refs: distances.run(refs, checked=True), progress)
    hits = np.cumsum(distances.histogram()[1:], dtype=np.uint64)
    sizes = np.arange(1, trace.pages + 1, dtype=np.int64)
    return sizes, (np.uint64(len(trace)) - hits).astype(np.float64), distances.cold


def _sampled(
    trace: Trace, rate: float, progress: Progress | None
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], float, float]:
    sample = Sample(trace.pages, rate)
    _feed(trace, lambda refs: sample.run(refs, checked=True), progress)
    n, share = len(trace), sample.rate / SAMPLES
    smallest = min(int(np.ceil(1 / share)), trace.pages)
    sizes = np.unique(np.rint(np.geomspace(smallest, trace.pages, 400)).astype(np.int64))
    ratios, firsts = [], []
    for _, cold, _, histogram in sample.histograms():
        misses = cold + np.concatenate([np.cumsum(histogram[::-1])[::-1][1:], [0]])
        # A memory of m frames is one of m * share frames for the sample. What the sample has too
        # many or too few references of are hot pages, so hits (SHARDS-adj).
        small = np.minimum((sizes * share).astype(np.int64), len(misses) - 1)
        ratios.append(np.minimum(misses[small] / (n * share), 1.0))
        firsts.append(cold / share)
    each = np.array(ratios)
    error = each.std(axis=0, ddof=1) / np.sqrt(SAMPLES)
    return sizes, each.mean(axis=0) * n, error, float(np.mean(firsts)), sample.rate


def _replayed(
    trace: Trace,
    policy: str,
    sizes: NDArray[np.int64],
    threads: int | None,
    progress: Progress | None,
) -> tuple[NDArray[np.int64], NDArray[np.float64], int]:
    simulations: list[Simulation | PythonSimulation]
    if is_own(policy):
        make, workers = own_policy(policy), 1
        simulations = [PythonSimulation(make(), size, trace.pages) for size in sizes.tolist()]
    else:
        simulations = [Simulation(policy, size, trace.pages) for size in sizes.tolist()]
        workers = threads or os.cpu_count() or 1
    with ThreadPoolExecutor(max_workers=min(workers, len(simulations))) as pool:

        def take(refs: NDArray[np.uint32], checked: bool = True) -> None:
            list(pool.map(lambda s: s.run(refs, checked=checked), simulations))

        if is_own(policy):
            _feed(trace, take, progress, CHUNK_OWN)
        elif needs_whole(policy):
            take(trace.refs, trace.is_private)
        else:
            _feed(trace, take, progress)
    counts = [s.counts() for s in simulations]
    return sizes, np.array([c["misses"] for c in counts], dtype=np.float64), counts[0]["first"]
