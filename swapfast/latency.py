"""How long things took: a histogram of the core, read back.

- ``Latency``: count, mean, quantiles, and the table that HdrHistogram's plotters read.
- ``UPPER``: the longest time of each bucket, ns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swapfast.units import format_count, format_ns

__all__ = ["BUCKETS", "UPPER", "Latency"]

_SHIFT, _POWERS = 5, 42  # 2^5 buckets a power of two, up to 2^42 ns: mm/histogram.pxd
BUCKETS = (_POWERS - _SHIFT + 1) << _SHIFT


def _upper_edges() -> NDArray[np.uint64]:
    lead = np.arange(1 << _SHIFT, 2 << _SHIFT, dtype=np.uint64)
    powers = [((lead + np.uint64(1)) << np.uint64(k)) - np.uint64(1) for k in range(37)]
    return np.concatenate([np.arange(1 << _SHIFT, dtype=np.uint64), *powers])


UPPER: NDArray[np.uint64] = _upper_edges()
"""The longest time that belongs in each bucket, ns; read-only."""
UPPER.flags.writeable = False

_NS = {"ns": 1, "us": 1000, "ms": 10**6, "s": 10**9}
_TICKS = 5  # of a percentile table, for each halving of what remains


class Latency:
    """Times in buckets of 3 %; does not change.

    Parameters
    ----------
    counts : integer array, optional
        How many times fell into each of the `BUCKETS`; by default none.
    sum, max : int, optional
        All of them together and the longest, exactly, ns.

    Raises
    ------
    ValueError
        Not so many buckets, a count below 0, or a longest time that is in another bucket than the
        last one in use.
    """

    __slots__ = ("_below", "_counts", "_max", "_sum")

    _counts: NDArray[np.uint64]
    _below: NDArray[np.uint64]
    _sum: int
    _max: int

    def __init__(self, counts: ArrayLike | None = None, *, sum: int = 0, max: int = 0) -> None:
        given = np.zeros(BUCKETS, np.uint64) if counts is None else np.asarray(counts)
        if given.shape != (BUCKETS,) or given.dtype.kind not in "iu":
            raise ValueError(f"counts: {BUCKETS} whole numbers, not {given.dtype} {given.shape}")
        if given.dtype.kind == "i" and (given < 0).any():
            raise ValueError(f"counts: {given.min()} is below 0")
        own = given.astype(np.uint64)  # a copy
        used = np.flatnonzero(own)
        last = int(used[-1]) if len(used) else 0
        if not _lowest(last) <= max <= (_INFINITE if last == BUCKETS - 1 else int(UPPER[last])):
            raise ValueError(f"max: {max} ns is not in the last bucket in use, {last}")
        if sum < max or (not len(used) and sum):
            raise ValueError(f"sum: {sum} ns for a longest time of {max} ns")
        own.flags.writeable = False
        values = {"_counts": own, "_below": own.cumsum(), "_sum": int(sum), "_max": int(max)}
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Latency does not change: {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Latency does not change: {name}")

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._counts, self._sum, self._max)

    @property
    def counts(self) -> NDArray[np.uint64]:
        """Times in each bucket, a read-only array."""
        return self._counts

    @property
    def count(self) -> int:
        """How many times there are."""
        return int(self._below[-1])

    @property
    def sum(self) -> int:
        """All of them together, ns."""
        return self._sum

    @property
    def mean(self) -> float:
        """Exact, ns; 0 without any."""
        return self._sum / self.count if self.count else 0.0

    @property
    def max(self) -> int:
        """The longest, exact, ns; 0 without any."""
        return self._max

    def quantile(self, q: float) -> int:
        """The least time that a share ``q`` of all does not exceed, up to the end of its bucket.

        Parameters
        ----------
        q : float
            0 to 1; 0 asks for the shortest.

        Returns
        -------
        int
            Nanoseconds, at most 1/32 too long and never more than `max`; 0 without any times.

        Raises
        ------
        ValueError
            Not from 0 to 1.
        """
        if not 0 <= q <= 1:
            raise ValueError(f"q: {q} is not from 0 to 1")
        if not self.count:
            return 0
        # 0.07 * 100 is more than 7 in doubles; the factor is less than any rank that there can be.
        rank = min(max(math.ceil(q * self.count * (1 - 2e-15)), 1), self.count)
        return self._end_of(int(np.searchsorted(self._below, rank)))

    def _end_of(self, bucket: int) -> int:
        """Its longest time, as far as times went."""
        return self._max if bucket == BUCKETS - 1 else min(int(UPPER[bucket]), self._max)

    @property
    def p50(self) -> int:
        """The median, ns."""
        return self.quantile(0.5)

    @property
    def p90(self) -> int:
        """The 90th percentile, ns."""
        return self.quantile(0.9)

    @property
    def p99(self) -> int:
        """The 99th percentile, ns."""
        return self.quantile(0.99)

    @property
    def p999(self) -> int:
        """The 99.9th percentile, ns."""
        return self.quantile(0.999)

    def merge(self, *others: Latency) -> Latency:
        """The times of all together."""
        every = (self, *others)
        counts = np.add.reduce([one._counts for one in every])
        ns, longest = 0, 0
        for one in every:
            ns, longest = ns + one._sum, max(longest, one._max)
        return Latency(counts, sum=ns, max=longest)

    def __add__(self, other: object) -> Latency:
        return self.merge(other) if isinstance(other, Latency) else NotImplemented

    def __radd__(self, other: object) -> Latency:
        # sum() begins with 0.
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Latency):
            return NotImplemented
        same = (self._sum, self._max) == (other._sum, other._max)
        return same and np.array_equal(self._counts, other._counts)

    def __hash__(self) -> int:
        return hash((self._sum, self._max, self._counts.tobytes()))

    def __bool__(self) -> bool:
        return self.count > 0

    def __repr__(self) -> str:
        if not self.count:
            return "<Latency of nothing>"
        shown = {"p50": self.p50, "p90": self.p90, "p99": self.p99, "p99.9": self.p999}
        text = "".join(f", {name} {format_ns(ns)}" for name, ns in shown.items())
        return (
            f"<Latency of {format_count(self.count)}: mean {format_ns(self.mean)}{text}, "
            f"max {format_ns(self.max)}>"
        )

    def _rows(self) -> Iterator[tuple[int, float, int]]:
        """(value in ns, percentile, times up to there), denser and denser towards the end."""
        percentile, at = 0.0, 0
        for bucket in np.flatnonzero(self._counts).tolist():
            at = int(self._below[bucket])
            while percentile <= 100 * at / self.count:
                yield self._end_of(bucket), percentile, at
                if at == self.count:
                    break
                halvings = int(math.log2(100 / (100 - percentile))) + 1
                percentile += 100 / (_TICKS << halvings)
        if at:
            yield self._max, 100.0, at

    def table(self, unit: str = "us") -> str:
        """The percentiles as HdrHistogram writes them, for plotters that read its text.

        Parameters
        ----------
        unit : str
            Of the values: ns, us, ms or s.

        Raises
        ------
        ValueError
            Another unit.
        """
        if unit not in _NS:
            raise ValueError(f"unit: {unit!r} is not one of {', '.join(_NS)}")
        scale = _NS[unit]
        lines = [
            f"{'Value':>12} {'Percentile':>14} {'TotalCount':>10} {'1/(1-Percentile)':>14}",
            "",
        ]
        for ns, percentile, at in self._rows():
            line = f"{ns / scale:12.3f} {percentile / 100:2.12f} {at:10d}"
            lines.append(line if percentile == 100 else f"{line} {100 / (100 - percentile):14.2f}")
        middle = (UPPER.astype(float) + [_lowest(b) for b in range(BUCKETS)]) / 2
        spread = ((middle - self.mean) ** 2 * self._counts).sum() / max(self.count, 1)
        mean, deviation, longest = (x / scale for x in (self.mean, math.sqrt(spread), self.max))
        lines += [
            f"#[Mean    = {mean:12.3f}, StdDeviation   = {deviation:12.3f}]",
            f"#[Max     = {longest:12.3f}, Total count    = {self.count:12d}]",
            f"#[Buckets = {_POWERS - _SHIFT + 1:12d}, SubBuckets     = {1 << _SHIFT:12d}]",
        ]
        return "\n".join(lines) + "\n"


_INFINITE = (1 << 64) - 1


def _lowest(bucket: int) -> int:
    """The shortest time that belongs in a bucket, ns."""
    return int(UPPER[bucket - 1]) + 1 if bucket else 0


def _restored(counts: NDArray[np.uint64], ns: int, longest: int) -> Latency:
    """A pickled one."""
    return Latency(counts, sum=ns, max=longest)
