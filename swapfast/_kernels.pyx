"""Parts of the core on their own: what benchmarks time and tests hold against a slow twin.

- ``Slots``: the slots of one swap area, without pages.
- ``write_pages(file, slots, pages)``: pages into a mapped swapfile, as swap-out copies them.
- ``count_zero(pages)``: pages that are all zeroes.
- ``random_bits``, ``unit_open``, ``normal``: random numbers, and the distributions at their root.
- ``draw``, ``seek``: what a device takes, for an array of random bits.
- ``histogram``, ``histogram_upper``: latencies into buckets, and where the buckets end.
"""

from libc.stdint cimport uint32_t, uint64_t, uint8_t
from swapfast.mm.bitmap cimport bitmap_next
from swapfast.mm.draw cimport EMPIRICAL, draw as draw_one, draw_t, seek as seek_one
from swapfast.mm.histogram cimport (
    HISTOGRAM_BUCKETS, histogram_add, histogram_t, histogram_upper as upper_of,
)
from swapfast.mm.random cimport normal as normal_at, splitmix, unit_open as unit_of
from swapfast.mm.slots cimport (
    MAX_ORDER, runs_next, slots_count, slots_free, slots_give, slots_give_run, slots_init,
    slots_take, slots_take_run,
)
from swapfast.mm.types cimport area_t, page_is_zero
from swapfast.mm.words cimport CLUSTER, NO_SLOT, PAGE_SIZE, SLOTS_CLUSTER, SLOTS_NEXTFIT
from libc.string cimport memset

from swapfast.core.guard cimport guard_arm, guard_copy

import numpy as np


cdef class Slots:
    """The slots of one swap area.

    Parameters
    ----------
    slots : int
        2 to 2**31, with slot 0, which is never given.
    clustered : bool
        6.18's order, else 2.6.25's next-fit.
    bad : uint32 array, optional
        Slots never given.
    free : uint64 array, optional
        A bit for each slot that is free to begin with, the lowest bits first; by default all.

    Raises
    ------
    ValueError
        A number out of range, an array of the wrong size.
    """

    cdef area_t a

    def __cinit__(self, uint64_t slots, *, bint clustered=False, bad=None, free=None):
        cdef const uint32_t[::1] badly = np.ascontiguousarray(() if bad is None else bad, np.uint32)
        cdef uint32_t i
        cdef uint64_t[::1] words
        memset(&self.a, 0, sizeof(area_t))
        if not 2 <= slots <= <uint64_t>1 << 31:
            raise ValueError(f"an area has 2 to 2**31 slots, not {slots}")
        for i in range(<uint32_t>badly.shape[0]):
            if badly[i] >= slots:
                raise ValueError(f"bad slot {badly[i]} of an area of {slots}")
        self.a.strategy = SLOTS_CLUSTER if clustered else SLOTS_NEXTFIT
        if not slots_init(&self.a, <uint32_t>slots, &badly[0] if badly.shape[0] else NULL,
                          <uint32_t>badly.shape[0]):
            raise MemoryError("no room for the maps of a swap area")
        if free is not None:
            words = np.ascontiguousarray(free, np.uint64)
            if <uint64_t>words.shape[0] != (slots + 63) >> 6:
                raise ValueError(f"a map of {slots} slots has {(slots + 63) >> 6} words")
            for i in range(<uint32_t>words.shape[0]):
                self.a.free.level[0][i] &= words[i]
            slots_count(&self.a)

    def __dealloc__(self):
        slots_free(&self.a)

    @property
    def pages(self):
        """Slots that can be given."""
        return self.a.pages

    @property
    def inuse(self):
        """Of these, those that are taken."""
        return self.a.inuse

    def take(self, uint64_t count, *, uint32_t order=0):
        """Take runs of ``2**order`` slots, aligned to their number; order 0 to 9.

        Returns
        -------
        uint32 array
            The first slot of each; fewer than ``count`` if there are no more.
        """
        cdef uint64_t n = 0
        cdef uint32_t slot
        if order > MAX_ORDER:
            raise ValueError(f"order is 0 to {MAX_ORDER}, not {order}")
        found = np.empty(count, np.uint32)
        cdef uint32_t[::1] v = found
        with nogil:
            while n < count:
                slot = slots_take_run(&self.a, order)
                if slot == NO_SLOT:
                    break
                v[n] = slot
                n += 1
        return found[:n]

    def give(self, slots, *, uint32_t order=0):
        """Give runs back.

        Raises
        ------
        ValueError
            A slot out of range, or that is not in use.
        """
        cdef const uint32_t[::1] v = np.ascontiguousarray(slots, np.uint32)
        cdef uint64_t i, size
        cdef uint32_t slot
        if order > MAX_ORDER:
            raise ValueError(f"order is 0 to {MAX_ORDER}, not {order}")
        size = 1 << order
        for i in range(<uint64_t>v.shape[0]):
            slot = v[i]
            if slot == 0 or slot % size or slot + size > self.a.slots \
                    or bitmap_next(&self.a.free, slot) < slot + size:
                raise ValueError(f"{size} slots from {slot} on are not a run in use")
            slots_give_run(&self.a, slot, order)

    def churn(self, uint64_t count, uint64_t held, *, uint32_t order=0):
        """Take ``count`` runs; each is given back when ``held`` more were taken.

        Returns
        -------
        int
            Sum of the first slots, modulo 2**64: what was given, in one number.
        """
        cdef uint64_t i, _i, total = 0, at = 0
        cdef uint32_t slot
        if order > MAX_ORDER or held == 0:
            raise ValueError(f"order is 0 to {MAX_ORDER}, held at least 1")
        ring = np.zeros(held, np.uint32)
        cdef uint32_t[::1] v = ring
        with nogil:
            for _i in range(count):
                slot = v[at]
                if slot == NO_SLOT:
                    pass
                elif order:
                    slots_give_run(&self.a, slot, order)
                else:
                    slots_give(&self.a, slot)
                slot = slots_take_run(&self.a, order) if order else slots_take(&self.a)
                v[at] = slot
                total += slot
                at = 0 if at + 1 == held else at + 1
            for i in range(held):
                if v[i] != NO_SLOT:
                    slots_give_run(&self.a, v[i], order)
        return total

    def free_map(self):
        """A copy of the map of free slots, one byte each, shape (slots,)."""
        cdef uint64_t n = (self.a.free.bits + 63) >> 6
        words = np.asarray(<uint64_t[:n]>self.a.free.level[0])
        return np.unpackbits(words.view(np.uint8), bitorder="little")[:self.a.slots]

    def verify(self):
        """Hold the levels of the map, and what is remembered of runs, against a slow count.

        Raises
        ------
        AssertionError
        """
        free = self.free_map()
        cdef uint32_t k, c, order
        cdef uint64_t w, words = (self.a.free.bits + 63) >> 6
        assert int(free.sum()) == self.a.pages - self.a.inuse, "slots in use"
        for k in range(1, self.a.free.levels):
            for w in range(words):
                below = self.a.free.level[k - 1][w] != 0
                assert (self.a.free.level[k][w >> 6] >> (w & 63)) & 1 == below, "a level"
            words = (words + 63) >> 6
        padded = np.zeros(self.a.clusters * CLUSTER, np.uint8)
        padded[:len(free)] = free
        for order in range(1, MAX_ORDER + 1):
            whole = padded.reshape(self.a.clusters, -1, 1 << order).all(axis=2).any(axis=1)
            for c in np.flatnonzero(whole).tolist():
                assert runs_next(&self.a, c, order) == c, f"a run of order {order} is forgotten"


def write_pages(uint8_t[::1] file not None, const uint32_t[::1] slots not None,
                const uint8_t[::1] pages not None):
    """Copy page after page to its slot of a mapped file.

    Returns
    -------
    int
        Pages written; fewer than there are if the file has lost one.

    Raises
    ------
    ValueError
        A slot beyond the file, or fewer pages than slots.
    """
    cdef uint64_t i, n = slots.shape[0], done = 0
    if <uint64_t>pages.shape[0] < n * PAGE_SIZE:
        raise ValueError(f"{n} slots and {pages.shape[0]} bytes of pages")
    for i in range(n):
        if (<uint64_t>slots[i] + 1) * PAGE_SIZE > <uint64_t>file.shape[0]:
            raise ValueError(f"slot {slots[i]} of a file of {file.shape[0]} bytes")
    guard_arm()
    with nogil:
        while done < n:
            if not guard_copy(&file[<size_t>slots[done] * PAGE_SIZE], &pages[done * PAGE_SIZE],
                              PAGE_SIZE):
                break
            done += 1
    return done


def count_zero(const uint8_t[::1] pages not None, uint64_t times=1):
    """How many whole pages are all zeroes, counted several times."""
    cdef uint64_t i, n = pages.shape[0] // PAGE_SIZE, found = 0
    with nogil:
        for i in range(n * times):
            found += page_is_zero(&pages[i % n * PAGE_SIZE])
    return found


def random_bits(uint64_t seed, uint64_t stream, uint64_t first, uint64_t n):
    """The numbers ``first`` to ``first + n - 1`` of a stream.

    Returns
    -------
    uint64 array
    """
    found = np.empty(n, np.uint64)
    cdef uint64_t[::1] v = found
    cdef uint64_t i
    with nogil:
        for i in range(n):
            v[i] = splitmix(seed, stream, first + i)
    return found


def unit_open(const uint64_t[::1] bits not None):
    """Random bits as numbers strictly between 0 and 1."""
    cdef uint64_t i, n = bits.shape[0]
    found = np.empty(n, np.float64)
    cdef double[::1] v = found
    for i in range(n):
        v[i] = unit_of(bits[i])
    return found


def normal(const double[::1] u not None):
    """Quantiles of the standard normal distribution.

    Raises
    ------
    ValueError
        Not between 0 and 1.
    """
    cdef uint64_t i, n = u.shape[0]
    found = np.empty(n, np.float64)
    cdef double[::1] v = found
    for i in range(n):
        if not 0.0 < u[i] < 1.0:
            raise ValueError(f"a quantile is between 0 and 1, not {u[i]}")
        v[i] = normal_at(u[i])
    return found


def draw(uint32_t kind, const uint64_t[::1] bits not None, *, double at=0.0, double sigma=0.0,
         const double[::1] times=None, const double[::1] upto=None):
    """A draw for each of some random bits.

    Parameters
    ----------
    kind : int
        0 constant, 1 lognormal, 2 exponential, 3 empirical.
    bits : uint64 array
    at : float
        The time, the median, the mean, ns.
    sigma : float
        Of the lognormal distribution.
    times, upto : float arrays, optional
        The empirical one: times, and their cumulative weights.

    Returns
    -------
    uint64 array
        Nanoseconds.

    Raises
    ------
    ValueError
        No such kind, or a table that is none.
    """
    cdef draw_t d
    cdef uint64_t i, n = bits.shape[0]
    if kind > EMPIRICAL:
        raise ValueError(f"kind is 0 to {EMPIRICAL}, not {kind}")
    memset(&d, 0, sizeof(d))
    d.kind, d.at, d.sigma = kind, at, sigma
    if kind == EMPIRICAL:
        if times is None or upto is None or not 0 < times.shape[0] == upto.shape[0]:
            raise ValueError("as many times as cumulative weights, and one at least")
        d.n = <uint32_t>times.shape[0]
        d.time, d.upto = &times[0], &upto[0]
    found = np.empty(n, np.uint64)
    cdef uint64_t[::1] v = found
    with nogil:
        for i in range(n):
            v[i] = draw_one(&d, bits[i])
    return found


def seek(double a, double b, double turn, uint64_t distance, uint64_t size,
         const uint64_t[::1] bits not None):
    """How long the arm of a disk takes over a distance, for each of some random bits.

    Returns
    -------
    uint64 array
        Nanoseconds.

    Raises
    ------
    ValueError
        A distance beyond the size.
    """
    cdef uint64_t i, n = bits.shape[0]
    if distance > size:
        raise ValueError(f"a distance of {distance} slots on a disk of {size}")
    found = np.empty(n, np.uint64)
    cdef uint64_t[::1] v = found
    with nogil:
        for i in range(n):
            v[i] = seek_one(a, b, turn, distance, size, bits[i])
    return found


def histogram(const uint64_t[::1] times not None):
    """Add nanoseconds to an empty histogram.

    Returns
    -------
    counts : uint32 array
        One for each bucket.
    total, sum, max : int
    """
    cdef histogram_t h
    cdef uint64_t i, n = times.shape[0]
    memset(&h, 0, sizeof(h))
    with nogil:
        for i in range(n):
            histogram_add(&h, times[i])
    return np.array(<uint32_t[:HISTOGRAM_BUCKETS]>h.count), h.total, h.sum, h.max


def histogram_upper():
    """The longest time of each bucket, a uint64 array."""
    return np.array([upper_of(i) for i in range(HISTOGRAM_BUCKETS)], np.uint64)
