"""A page trace: which pages a program touched, in order.

- ``Trace``: references, how many pages there are, where it came from.
- ``WRITE``: bit 31 of a reference; the low 31 bits are the page.

Pages are dense, 0 to ``pages - 1``; in traces made from addresses they are numbered in the order of
their first touch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swapfast.units import PAGE_SIZE

__all__ = ["PAGE_MASK", "WRITE", "Trace"]

WRITE = np.uint32(0x80000000)
PAGE_MASK = np.uint32(0x7FFFFFFF)
MOST_PAGES = 0x7FFFFFFF
CHUNK = 1 << 22  # references looked at in one step


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
        self._refs = refs
        self._writes: int | None = None
        self.origin = origin
        self.addresses = addresses
        highest = max(int((part & PAGE_MASK).max()) for part in self.chunks())
        self.pages = highest + 1 if pages is None else pages
        self._check_pages()
        if highest >= self.pages:
            done = 0
            for part in self.chunks():
                self._check_part(part, done)
                done += len(part)

    def _check_pages(self) -> None:
        if not 1 <= self.pages <= MOST_PAGES:
            raise ValueError(f"{self.origin}: {self.pages} pages; a trace has 1 to {MOST_PAGES}")
        if self.addresses is not None and self.addresses.shape != (self.pages,):
            raise ValueError(
                f"{self.origin}: {self.addresses.shape} addresses for {self.pages} pages"
            )

    def _check_part(self, part: NDArray[np.uint32], first: int) -> None:
        pages = part & PAGE_MASK
        if int(pages.max()) >= self.pages:
            at = int(np.argmax(pages >= self.pages))
            raise ValueError(
                f"{self.origin}: reference {first + at}: page {pages[at]} of {self.pages} pages"
            )

    @property
    def refs(self) -> NDArray[np.uint32]:
        """All references in one array."""
        return self._refs

    @property
    def is_private(self) -> bool:
        """The references are in memory of this process: no other can change them any more."""
        return not isinstance(self._refs, np.memmap)

    def chunks(self, most: int = CHUNK) -> Iterator[NDArray[np.uint32]]:
        """The references in order, at most ``most`` at a time; nothing is copied."""
        for i in range(0, len(self._refs), most):
            yield self._refs[i : i + most]

    def __len__(self) -> int:
        return len(self._refs)

    @property
    def writes(self) -> int:
        """References that write."""
        if self._writes is None:
            self._writes = sum(int(np.count_nonzero(part & WRITE)) for part in self.chunks())
        return self._writes

    def head(self, n: int) -> Trace:
        """The first ``n`` references, over the same pages."""
        return Trace(self._refs[:n], self.pages, f"{self.origin}, first {n}", self.addresses)

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
