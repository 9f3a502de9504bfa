"""A page trace: which pages a program touched, in order.

- ``Trace``: references, how many pages there are, where it came from.
- ``WRITE``: bit 31 of a reference; the low 31 bits are the page.
- ``HOLD``: how many references are kept in memory, unless told otherwise.
- ``printable(text)``: a name of any origin as text that can be shown and stored.

Pages are dense, 0 to ``pages - 1``; in traces made from addresses they are numbered in the order of
their first touch.

What is replayed was checked and cannot change afterwards: ``chunks()`` hands out memory that nobody
else writes to. A check of a mapped file, or of an array of the caller, would only say what was
there before.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swapfast.traces._survey import highest_page, own_copy, writes_among
from swapfast.units import PAGE_SIZE

__all__ = ["HOLD", "PAGE_MASK", "WRITE", "Trace", "printable"]

WRITE = np.uint32(0x80000000)
PAGE_MASK = np.uint32(0x7FFFFFFF)
MOST_PAGES = 0x7FFFFFFF
CHUNK = 1 << 22  # references looked at in one step
BLOCK = 1 << 17  # references copied and checked in one step: they stay in the processor's cache
HOLD = 1 << 28  # references, 1 GiB


def printable(text: str) -> str:
    """A name with nothing in it that a terminal would obey, or that UTF-8 cannot express.

    Bytes of a file name that are no UTF-8 (PEP 383) become ``\\xe9``, control characters ``?``.
    """
    known = os.fsencode(text) if _escapes_bytes(text) else text.encode("utf-8", "backslashreplace")
    shown = known.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else "?" for c in shown)


def _escapes_bytes(text: str) -> bool:
    return all(not "\ud800" <= c <= "\udfff" or "\udc80" <= c <= "\udcff" for c in text)


class Trace:
    """Page references of one program.

    Parameters
    ----------
    refs : uint32 array, shape (n,)
        Bit 31: write; low 31 bits: page. Copied, so that changes made to it later do not reach
        the trace; of more than ``HOLD`` references, each piece is copied when it is replayed.
    pages : int, optional
        Distinct pages; the highest page plus one by default.
    origin : str
        Where it came from, for people.
    addresses : uint64 array, shape (pages,), optional
        Virtual page number of each page.
    private : bool
        The caller gives ``refs`` away and will not change it: it is kept as it is.

    Attributes
    ----------
    kind : str
        What the references are: a name of ``swapfast.traces.kinds.KINDS``; "full" unless a reader
        found otherwise.
    window : int
        Of the kind "window": how many pages were there, without being seen; otherwise 0.

    Raises
    ------
    ValueError
        Another type or shape, or a page outside ``pages``, with its position; or the file that
        ``refs`` is mapped from was cut short.
    """

    kind = "full"
    window = 0

    def __init__(
        self,
        refs: NDArray[np.uint32],
        pages: int | None = None,
        origin: str = "array",
        addresses: NDArray[np.uint64] | None = None,
        *,
        private: bool = False,
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
        self._private = private or len(refs) <= HOLD
        self._refs = refs if private or not self._private else own_copy(refs)
        if self._private:
            self._refs = self._refs.view()  # the flag is ours, not that of the caller's array
            self._refs.flags.writeable = False
        self._writes: int | None = None
        self.origin = origin
        self.addresses = addresses
        highest = max(highest_page(part) for part in self._parts(BLOCK))
        self.pages = highest + 1 if pages is None else pages
        self._check_pages()
        if highest >= self.pages:
            done = 0
            for part in self._parts(BLOCK):
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
        if highest_page(part) >= self.pages:
            pages = own_copy(part) & PAGE_MASK
            at = int(np.argmax(pages >= self.pages))
            raise ValueError(
                f"{self.origin}: reference {first + at}: page {pages[at]} of {self.pages} pages"
            )

    @property
    def refs(self) -> NDArray[np.uint32]:
        """All references in one array, which cannot be written to unless it is the caller's."""
        return self._refs

    @property
    def is_private(self) -> bool:
        """``refs`` was checked, and nobody else can change it: not a large array of the caller."""
        return self._private

    def _parts(self, most: int) -> Iterator[NDArray[np.uint32]]:
        for i in range(0, len(self._refs), most):
            yield self._refs[i : i + most]

    def chunks(self, most: int = CHUNK) -> Iterator[NDArray[np.uint32]]:
        """The references in order, at most ``most`` at a time: checked, and in memory of our own.

        Raises
        ------
        ValueError
            A page outside the trace: the caller changed a large array in the meantime; or the file
            that it is mapped from was cut short.
        """
        if self._private:
            yield from self._parts(most)
            return
        done = 0
        for shared in self._parts(min(most, BLOCK)):
            part = own_copy(shared)
            self._check_part(part, done)
            done += len(part)
            yield part

    def address_chunks(self) -> Iterator[NDArray[np.uint64]]:
        """``addresses`` in pieces; none if they are not known."""
        if self.addresses is not None:
            yield self.addresses

    def __len__(self) -> int:
        return len(self._refs)

    @property
    def writes(self) -> int:
        """References that write."""
        if self._writes is None:
            self._writes = sum(writes_among(part) for part in self.chunks())
        return self._writes

    def head(self, n: int) -> Trace:
        """The first ``n`` references, over the same pages."""
        first = Trace(
            self._refs[:n],
            self.pages,
            f"{self.origin}, first {n}",
            self.addresses,
            private=self._private,
        )
        first.kind, first.window = self.kind, self.window
        return first

    def describe(self) -> dict[str, Any]:
        """Facts: origin, kind, window if it has one, refs, writes, pages, and bytes of these."""
        return {
            "origin": self.origin,
            "kind": self.kind,
            **({"window": self.window} if self.window else {}),
            "refs": len(self),
            "writes": self.writes,
            "pages": self.pages,
            "footprint_bytes": self.pages * PAGE_SIZE,
        }

    def __repr__(self) -> str:
        return f"<Trace {self.origin}: {len(self)} references to {self.pages} pages>"
