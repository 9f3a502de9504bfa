"""A page trace: which pages a program touched, in order.

- ``Trace``: references, how many pages there are, where it came from.
- ``WRITE``: bit 31 of a reference; the low 31 bits are the page.

Pages are dense, 0 to ``pages - 1``; in traces made from addresses they are numbered in the order of
their first touch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swapfast.units import PAGE_SIZE

__all__ = ["PAGE_MASK", "WRITE", "Trace"]

WRITE = np.uint32(0x80000000)
PAGE_MASK = np.uint32(0x7FFFFFFF)
MOST_PAGES = 0x7FFFFFFF
CHUNK = 1 << 24  # references looked at in one step


class Trace:
    """Page references of one program.

    Parameters
    ----------
    refs : uint32 array, shape (n,)
        Bit 31: write; low 31 bits: page. Kept, not copied; a memory map stays one.
    pages : int, optional
        Distinct pages; the highest page plus one by default.
    origin : str
        Where it came from, for people.
    addresses : uint64 array, shape (pages,), optional
        Virtual page number of each page.

    Raises
    ------
    ValueError
        Another type or shape, or a page outside ``pages``, with its position.
    """

    def __init__(
        self,
        refs: NDArray[np.uint32],
        pages: int | None = None,
        origin: str = "array",
        addresses: NDArray[np.uint64] | None = None,
    ) -> None:
        if not isinstance(refs, np.ndarray) or refs.dtype != np.uint32 or refs.ndim != 1:
            kind = getattr(refs, "dtype", type(refs).__name__)
            raise ValueError(
                f"{origin}: references are a uint32 array of one dimension, not {kind}"
            )
        if not refs.flags.c_contiguous:
            raise ValueError(f"{origin}: references must be contiguous")
        if not len(refs):
            raise ValueError(f"{origin}: no references")
        highest = self._highest(refs)
        self.pages = highest + 1 if pages is None else pages
        if not 1 <= self.pages <= MOST_PAGES:
            raise ValueError(f"{origin}: {self.pages} pages; a trace has 1 to {MOST_PAGES}")
        if highest >= self.pages:
            at = self._first_beyond(refs, self.pages)
            page = int(refs[at] & PAGE_MASK)
            raise ValueError(f"{origin}: reference {at}: page {page} of {self.pages} pages")
        if addresses is not None and addresses.shape != (self.pages,):
            raise ValueError(f"{origin}: {addresses.shape} addresses for {self.pages} pages")
        self.refs = refs
        self.origin = origin
        self.addresses = addresses

    @staticmethod
    def _highest(refs: NDArray[np.uint32]) -> int:
        return max(int((refs[i : i + CHUNK] & PAGE_MASK).max()) for i in range(0, len(refs), CHUNK))

    @staticmethod
    def _first_beyond(refs: NDArray[np.uint32], pages: int) -> int:
        for i in range(0, len(refs), CHUNK):
            beyond = np.flatnonzero((refs[i : i + CHUNK] & PAGE_MASK) >= pages)
            if beyond.size:
                return i + int(beyond[0])
        raise AssertionError("some reference is beyond the pages")

    def __len__(self) -> int:
        return len(self.refs)

    @property
    def writes(self) -> int:
        """References that write."""
        return sum(
            int(np.count_nonzero(self.refs[i : i + CHUNK] & WRITE))
            for i in range(0, len(self.refs), CHUNK)
        )

    def head(self, n: int) -> Trace:
        """The first ``n`` references, over the same pages."""
        return Trace(self.refs[:n], self.pages, f"{self.origin}, first {n}", self.addresses)

    def describe(self) -> dict[str, Any]:
        """Facts: origin, refs, writes, pages, and the footprint in bytes."""
        return {
            "origin": self.origin,
            "refs": len(self),
            "writes": self.writes,
            "pages": self.pages,
            "footprint_bytes": self.pages * PAGE_SIZE,
        }

    def __repr__(self) -> str:
        return f"<Trace {self.origin}: {len(self)} references to {self.pages} pages>"
