"""Columns of an image: one value a page, as runs where neighbours go together.

- ``pack_numbers``, ``unpack_numbers``, ``check_numbers``: uint32 values, runs of n, n+1, n+2, ...
- ``merged(...)``: all numbers of some columns, ascending.
- ``numbers_of(values)``: ``Numbers`` of plain values.
- ``pack_bytes``: page-table bytes, runs of equal ones; ``Bytes``: what is read back.

A column is written in the shorter of two forms: ``name`` holds the values, ``name_runs`` pairs of
first value and length. Runs are checked without being written out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swapfast.core import slot_pins

__all__ = [
    "Bytes",
    "Numbers",
    "merged",
    "numbers_of",
    "pack_bytes",
    "pack_numbers",
    "unpack_bytes",
    "unpack_numbers",
]

U32 = NDArray[np.uint32]
I64 = NDArray[np.int64]
Arrays = dict[str, NDArray[Any]]
MOST = (1 << 32) - 1
_ONE = np.ones(1, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Numbers:
    """Runs of ascending numbers: the first of each, and how many.

    Attributes
    ----------
    start : int64 or uint32 array
    length : int64 array
    """

    start: NDArray[Any]
    length: I64

    @classmethod
    def alone(cls, values: U32) -> Numbers:
        """Each number a run of its own; nothing is copied."""
        return cls(values, np.broadcast_to(_ONE, values.size))

    @property
    def _alone(self) -> bool:
        return self.length.strides == (0,)

    @property
    def total(self) -> int:
        """How many numbers."""
        return self.length.size if self._alone else int(self.length.sum())

    def values(self) -> U32:
        """All of them; not to be written to."""
        if self._alone or (self.length.size and int(self.length.max()) == 1):
            return self.start.astype(np.uint32, copy=False)
        before = np.cumsum(self.length) - self.length
        numbers = np.arange(self.total) + np.repeat(self.start - before, self.length)
        return np.asarray(numbers, dtype=np.uint32)

    def pieces(self, size: int) -> Iterator[U32]:
        """All of them, so many at a time."""
        until = np.cumsum(self.length)
        for first in range(0, self.total, size):
            end = min(first + size, self.total)
            low, high = np.searchsorted(until, (first, end - 1), side="right")
            start, length = self.start[low : high + 1].copy(), self.length[low : high + 1].copy()
            cut = first - int(until[low] - self.length[low])
            start[0] += cut
            length[0] -= cut
            length[-1] -= int(until[high]) - end
            yield Numbers(start, length).values()

    def problem(self, low: int, high: int) -> str | None:
        """Why they are not different numbers from ``low`` to ``high``; None if they are."""
        if self.start.size == 0:
            return None
        one_by_one = self.total == self.start.size
        end = self.start if one_by_one else self.start + self.length - 1
        if int(self.start.min()) < low or int(end.max()) > high:
            return f"a number outside {low}..{high}"
        if one_by_one:  # a bit each; few runs are sorted instead
            twice = slot_pins.different(self.values(), high + 1)
            return None if twice < 0 else f"number {twice} is there twice"
        order = np.argsort(self.start, kind="stable")
        overlap = np.flatnonzero(end[order][:-1] >= self.start[order][1:])
        if overlap.size:
            return f"number {int(self.start[order][1:][overlap[0]])} is there twice"
        return None


def _runs(values: U32) -> tuple[I64, I64]:
    wide = values.astype(np.int64)
    first = np.flatnonzero(np.concatenate(([True], np.diff(wide) != 1)))
    return wide[first], np.diff(np.concatenate((first, [wide.size])))


def merged(*many: I64) -> I64:
    """All numbers, ascending, each once; of sorted columns far quicker than numpy.union1d."""
    ordered = np.sort(np.concatenate(many), kind="stable")
    found: I64 = ordered[np.diff(ordered, prepend=-1) != 0]
    return found


def numbers_of(values: U32) -> Numbers:
    """Runs of these values."""
    if values.size == 0:
        return Numbers(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
    return Numbers(*_runs(values))


def pack_numbers(name: str, values: U32) -> Arrays:
    """The column as the member to write; nothing for no values."""
    if values.size == 0:
        return {}
    start, length = _runs(values)
    if 2 * start.size < values.size:
        pairs = np.stack((start, length), axis=1).ravel()
        return {f"{name}_runs": pairs.astype("<u4")}
    return {name: values.astype("<u4", copy=False)}


def _pairs(name: str, arrays: Arrays) -> tuple[I64, I64]:
    raw = arrays[f"{name}_runs"]
    if raw.dtype != np.uint32 or raw.size % 2 or raw.size == 0:
        raise ValueError(f"{name}_runs: not pairs of uint32")
    pairs = raw.astype(np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def unpack_numbers(name: str, arrays: Arrays) -> Numbers:
    """The column that `pack_numbers` wrote.

    Raises
    ------
    ValueError
        Both forms are there, or a run is empty or too long.
    """
    if name in arrays and f"{name}_runs" in arrays:
        raise ValueError(f"{name}: is there in two forms")
    if f"{name}_runs" in arrays:
        start, length = _pairs(name, arrays)
        if int(length.min()) == 0 or int((start + length).max()) > MOST + 1:
            raise ValueError(f"{name}_runs: an empty run, or one beyond 2**32")
        return Numbers(start, length)
    if name not in arrays:
        return Numbers(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
    raw = arrays[name]
    if raw.dtype != np.uint32 or raw.size == 0:
        raise ValueError(f"{name}: not a row of uint32")
    return Numbers.alone(raw.view(np.uint32))


@dataclass(frozen=True, slots=True)
class Bytes:
    """Runs of equal bytes.

    Attributes
    ----------
    value : uint8 array
    end : int64 array
        One past the last page of each run, ascending.
    """

    value: NDArray[np.uint8]
    end: I64

    @property
    def total(self) -> int:
        """How many bytes."""
        return int(self.end[-1]) if self.end.size else 0

    @property
    def length(self) -> I64:
        """How long each run is."""
        return np.diff(np.concatenate(([0], self.end)))

    def at(self, pages: I64) -> NDArray[np.uint8]:
        """The bytes of these pages."""
        found: NDArray[np.uint8] = self.value[np.searchsorted(self.end, pages, side="right")]
        return found

    def count(self, *values: int) -> int:
        """How many bytes have one of these values."""
        return int(self.length[np.isin(self.value, values)].sum())

    def values(self) -> NDArray[np.uint8]:
        """All of them."""
        return np.repeat(self.value, self.length)


def pack_bytes(name: str, values: NDArray[np.uint8] | Bytes) -> Arrays:
    """The column as the members to write."""
    if isinstance(values, Bytes):
        keep = np.append(values.value[1:] != values.value[:-1], True)[: values.value.size]
        value, end = values.value[keep], values.end[keep]
    else:
        last = np.flatnonzero(np.append(values[1:] != values[:-1], True)[: values.size])
        value, end = values[last], last + 1
    runs = Bytes(value, end)
    if runs.total == 0:
        return {}
    if 5 * value.size < runs.total:
        return {f"{name}_value": value, f"{name}_length": runs.length.astype("<u4")}
    return {name: runs.values()}


def unpack_bytes(name: str, arrays: Arrays) -> Bytes:
    """The column that `pack_bytes` wrote; errors as `unpack_numbers`."""
    plain, value = arrays.get(name), arrays.get(f"{name}_value")
    length = arrays.get(f"{name}_length")
    if (value is None) != (length is None) or (plain is not None and value is not None):
        raise ValueError(f"{name}: is there in two forms, or half")
    if plain is not None:
        if plain.dtype != np.uint8 or plain.size == 0:
            raise ValueError(f"{name}: not a row of bytes")
        return Bytes(plain.view(np.uint8), np.arange(1, plain.size + 1))
    if value is None or length is None:
        return Bytes(np.empty(0, dtype=np.uint8), np.empty(0, dtype=np.int64))
    if value.dtype != np.uint8 or length.dtype != np.uint32 or value.size != length.size:
        raise ValueError(f"{name}_length: not one uint32 for each byte of {name}_value")
    end = np.cumsum(length.astype(np.int64))
    if value.size == 0 or int(length.view(np.uint32).min()) == 0 or int(end[-1]) > MOST:
        raise ValueError(f"{name}_length: an empty run, or 2**32 pages and more")
    return Bytes(value.view(np.uint8), end)
