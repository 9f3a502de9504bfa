"""Slots that a checkpoint keeps: pins, and checksums of their bytes."""

from libc.stdint cimport int64_t, uint32_t, uint64_t, uint8_t

from swapfast._core cimport Core
from swapfast.core.guard cimport guard_arm
from swapfast.mm.state cimport area_keep_sums, area_pin, area_sums, area_unpin
from swapfast.mm.types cimport area_t, lazy_map, lazy_unmap, page_sum
from swapfast.mm.words cimport NO_SLOT, PAGE_SIZE

import numpy as np


def pin(Core core, uint32_t number, const uint32_t[::1] slots not None):
    """Exactly these slots keep their bytes from now on, whatever becomes of their pages."""
    cdef area_t *a = core.area(number)
    core.idle()
    if not area_pin(&core.c, a, &slots[0] if slots.shape[0] else NULL, slots.shape[0]):
        raise MemoryError("no room for a map of slots")
    core.wipe()


def unpin(Core core, uint32_t number):
    """No slot is kept for a checkpoint any more."""
    cdef area_t *a = core.area(number)
    core.idle()
    area_unpin(&core.c, a)
    core.wipe()


def pinned(Core core, uint32_t number):
    """Slots that a checkpoint names, as a uint32 array."""
    cdef area_t *a = core.area(number)
    if a.pinned == NULL:
        return np.empty(0, dtype=np.uint32)
    words = np.asarray(<uint64_t[:(a.slots + 63) // 64]>a.pinned)
    bits = np.unpackbits(words.view(np.uint8), bitorder="little")
    return np.flatnonzero(bits).astype(np.uint32)


def keep_sums(Core core, uint32_t number):
    """From now on a slot gets its checksum when it is written, from the page in memory."""
    if not area_keep_sums(core.area(number)):
        raise MemoryError("no room for the checksums of a swap area")


def sums_of(Core core, uint32_t number, const uint32_t[::1] slots not None):
    """Checksums of slots in use, those of zero pages 0; from now on they are kept.

    Raises
    ------
    OSError
        A slot cannot be read: ``args[0]`` is its number.
    """
    cdef area_t *a = core.area(number)
    cdef uint32_t bad = NO_SLOT
    cdef uint64_t n = slots.shape[0]
    core.idle()
    guard_arm()
    if not area_keep_sums(a):
        raise MemoryError("no room for the checksums of a swap area")
    sums = np.zeros(n + 1, dtype=np.uint32)
    cdef uint32_t[::1] v = sums
    if a.file != NULL and n:
        with nogil:
            bad = area_sums(a, &slots[0], n, &v[0])
    if bad != NO_SLOT:
        raise OSError(bad)
    return sums[:n]


def set_sums(Core core, uint32_t number, const uint32_t[::1] slots not None,
             const uint32_t[::1] sums not None):
    """Say what the checksums of slots are; each is compared when the slot is read."""
    cdef area_t *a = core.area(number)
    cdef uint64_t i
    core.idle()
    if not area_keep_sums(a):
        raise MemoryError("no room for the checksums of a swap area")
    for i in range(<uint64_t>slots.shape[0]):
        a.sums[slots[i]] = sums[i]
        a.summed[slots[i] >> 6] |= <uint64_t>1 << (slots[i] & 63)


def different(const uint32_t[::1] values not None, uint64_t end):
    """The first number, of numbers below ``end``, that is there twice, or -1."""
    cdef uint64_t i, n
    cdef uint64_t *seen = <uint64_t *>lazy_map((end >> 3) + 8)
    cdef int64_t twice = -1
    if seen == NULL:
        raise MemoryError(f"no room for {end} bits")
    with nogil:
        for i in range(<uint64_t>values.shape[0]):
            n = values[i]
            if (seen[n >> 6] >> (n & 63)) & 1:
                twice = n
                break
            seen[n >> 6] |= <uint64_t>1 << (n & 63)
    lazy_unmap(seen, (end >> 3) + 8)
    return twice


def checksum(const uint8_t[::1] page not None):
    """The checksum of a page of 4096 bytes."""
    if page.shape[0] != PAGE_SIZE:
        raise ValueError(f"a page has {PAGE_SIZE} bytes, not {page.shape[0]}")
    return page_sum(&page[0])


def checksums(const uint8_t[::1] pages not None):
    """Checksums of whole pages that lie one after the other, as a uint32 array."""
    cdef uint64_t i, n = pages.shape[0] // PAGE_SIZE
    sums = np.empty(n, dtype=np.uint32)
    cdef uint32_t[::1] v = sums
    with nogil:
        for i in range(n):
            v[i] = page_sum(&pages[i * PAGE_SIZE])
    return sums
