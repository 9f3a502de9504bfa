"""Shorter traces that fault as the whole one does.

- ``reduced(refs, pages)``: the same LRU faults for ``pages`` of memory or more.
- ``first_writes(refs)``: the first reference to each page made a write.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swapfast.record._stream import Stream
from swapfast.traces import WRITE

__all__ = ["first_writes", "reduced"]


def reduced(refs: NDArray[np.uint32], pages: int) -> NDArray[np.uint32]:
    """Leave out references that no LRU memory of ``pages`` pages or more would notice.

    Of three references to a page the middle one can go if fewer than ``pages`` pages, this one
    counted, are touched from the first to the third: with or without it the page is among those
    that stay. If it wrote, the third one does instead; the page cannot be evicted between them.
    This is the "safely allowed drop" of Kaplan, Smaragdakis and Wilson, Trace Reduction for
    Virtual Memory Simulations, SIGMETRICS 1999.

    Parameters
    ----------
    refs : uint32 array
        Bit 31: write; low 31 bits: page.
    pages : int
        1 or more.
    """
    if pages < 1:
        raise ValueError(f"an LRU memory has at least one page, not {pages}")
    stream = Stream(pages, merge=False)
    stream.feed(entries(refs))
    stream.finish()
    short = stream.take()
    numbers = stream.addresses().astype(np.uint32)
    whole: NDArray[np.uint32] = numbers[short & ~WRITE] | (short & WRITE)
    return whole


def entries(refs: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """References as a stream takes them."""
    pages = (refs & ~WRITE).astype(np.uint64)
    return pages << np.uint64(1) | (refs >> np.uint32(31)).astype(np.uint64)


def first_writes(refs: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """What a program reads first, somebody has written: its loader, or the kernel from a file.

    A page that is only read would be the shared zero page, which takes no memory.
    """
    out = refs.copy()
    out[np.unique(refs & ~WRITE, return_index=True)[1]] |= WRITE
    return out
