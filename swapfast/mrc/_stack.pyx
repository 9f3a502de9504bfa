"""LRU stack distances, compiled: exact, and sampled as by SHARDS. The kernels are in stack.h.

- ``Distances``: feed references, read the histogram of distances; the GIL is released.
- ``Sample``: the same over disjoint samples of the pages.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

import numpy as np

from swapfast.core.guard cimport guard_arm
from swapfast.core.private cimport OWN_BLOCK, look_over, outside, take_over

cdef extern from "stack.h" nogil:
    ctypedef struct stack_t "stack_t_":
        uint64_t *hist
        uint64_t pages
        uint64_t cold
        uint64_t refs
    int stack_init(stack_t *s, uint64_t pages, uint32_t *last)
    void stack_free(stack_t *s)
    void stack_run(stack_t *s, const uint32_t *refs, uint64_t n)
    void shards_sizes(uint64_t pages, uint32_t bound, uint32_t parts, uint64_t *sizes)
    uint64_t shards_filter(const uint32_t *refs, uint64_t n, uint32_t bound, uint32_t *out)
    void shards_run(stack_t *parts, uint32_t count, uint32_t bound, const uint32_t *kept,
                    uint64_t n)

cdef enum:
    PARTS = 8
    PIECE = 65536
    MOST_PAGES = 0x3FFFFFFF  # four positions a page, of 32 bits

SAMPLES = PARTS


cdef uint32_t *unseen(uint64_t pages) except NULL:
    cdef uint32_t *last
    if not 1 <= pages <= MOST_PAGES:
        raise ValueError(f"pages is 1 to {MOST_PAGES}, not {pages}")
    last = <uint32_t *>malloc(pages * sizeof(uint32_t))
    if last == NULL:
        raise MemoryError(f"no memory for the distances of {pages} pages")
    memset(last, 0xFF, pages * sizeof(uint32_t))
    return last


cdef histogram(stack_t *s):
    cdef uint64_t n = s.pages + 1
    return np.array(<uint64_t[:n]>s.hist, copy=True)


cdef class Distances:
    """Exact LRU stack distances.

    Parameters
    ----------
    pages : int
        Pages of the trace, 1 to 2**30 - 1.
    """

    cdef stack_t s
    cdef uint32_t *last
    cdef uint64_t pages
    cdef bint busy

    def __cinit__(self, uint64_t pages):
        self.last = unseen(pages)
        self.pages = pages
        if stack_init(&self.s, pages, self.last) != 0:
            raise MemoryError(f"no memory for the distances of {pages} pages")

    def __dealloc__(self):
        if self.s.hist != NULL:
            stack_free(&self.s)
        free(self.last)

    def run(self, const uint32_t[::1] refs not None, *, bint checked=False):
        """Feed references; bit 31 = write, low 31 bits = page.

        They are checked first, and copied piece by piece, so that an array that changes meanwhile
        does no harm. ``checked``: the caller did that, and nobody else can change them.

        Raises
        ------
        ValueError
            A page outside the trace: nothing was done; or the array was changed, or its file cut
            short, meanwhile.
        """
        cdef uint32_t own[OWN_BLOCK]
        cdef uint32_t worst = 0
        cdef uint64_t n = refs.shape[0], done = 0, piece
        if self.busy:
            raise RuntimeError("these distances are in use by another thread")
        if n == 0:
            return
        guard_arm()
        self.busy = True
        with nogil:
            if checked:
                stack_run(&self.s, &refs[0], n)
                done = n
            else:
                worst = look_over(&refs[0], n)
            while done < n and worst < self.pages:
                piece = min(<uint64_t>OWN_BLOCK, n - done)
                worst = take_over(own, &refs[done], piece)
                if worst < self.pages:
                    stack_run(&self.s, own, piece)
                    done += piece
        self.busy = False
        if worst >= self.pages:
            raise outside(worst, self.pages, "trace", done > 0)

    @property
    def refs(self):
        """References so far."""
        return self.s.refs

    @property
    def cold(self):
        """First touches so far."""
        return self.s.cold

    def histogram(self):
        """References by distance, uint64, shape (pages + 1,); entry 0 is empty."""
        return histogram(&self.s)


cdef class Sample:
    """Distances within disjoint random samples of the pages.

    Parameters
    ----------
    pages : int
        Pages of the trace, 1 to 2**30 - 1.
    rate : float
        Share of the pages in all samples together, above 0 and at most 1.
    """

    cdef stack_t parts[PARTS]
    cdef uint32_t *last
    cdef uint32_t *kept
    cdef uint32_t bound
    cdef uint64_t pages
    cdef bint busy

    def __cinit__(self, uint64_t pages, double rate):
        cdef uint64_t sizes[PARTS]
        if not 0 < rate <= 1:
            raise ValueError(f"a sampling rate is above 0 and at most 1, not {rate}")
        self.last = unseen(pages)
        self.pages = pages
        self.bound = <uint32_t>min(max(rate * 4294967296.0, 1.0), 4294967295.0)
        memset(sizes, 0, sizeof(sizes))
        with nogil:
            shards_sizes(pages, self.bound, PARTS, sizes)
        self.kept = <uint32_t *>malloc((PIECE + 16) * sizeof(uint32_t))
        if self.kept == NULL:
            raise MemoryError("no memory for a sample")
        for i in range(PARTS):
            if stack_init(&self.parts[i], max(sizes[i], <uint64_t>1), self.last) != 0:
                raise MemoryError(f"no memory for a sample of {sizes[i]} pages")

    def __dealloc__(self):
        for i in range(PARTS):
            if self.parts[i].hist != NULL:
                stack_free(&self.parts[i])
        free(self.last)
        free(self.kept)

    @property
    def rate(self):
        """The rate in effect."""
        return self.bound / 4294967296.0

    def run(self, const uint32_t[::1] refs not None, *, bint checked=False):
        """Feed references; bit 31 = write, low 31 bits = page; `Distances.run` says the rest."""
        cdef uint32_t own[OWN_BLOCK]
        cdef uint32_t worst = 0
        cdef uint64_t n = refs.shape[0], done = 0, piece, found
        if self.busy:
            raise RuntimeError("this sample is in use by another thread")
        if n == 0:
            return
        guard_arm()
        self.busy = True
        with nogil:
            if not checked:
                worst = look_over(&refs[0], n)
            while done < n and worst < self.pages:
                if checked:
                    piece = min(<uint64_t>PIECE, n - done)
                    found = shards_filter(&refs[done], piece, self.bound, self.kept)
                else:
                    piece = min(<uint64_t>OWN_BLOCK, n - done)
                    worst = take_over(own, &refs[done], piece)
                    if worst >= self.pages:
                        break
                    found = shards_filter(own, piece, self.bound, self.kept)
                shards_run(self.parts, PARTS, self.bound, self.kept, found)
                done += piece
        self.busy = False
        if worst >= self.pages:
            raise outside(worst, self.pages, "trace", done > 0)

    def histograms(self):
        """For each sample: ``(references, first touches, pages, histogram)``."""
        return [(self.parts[i].refs, self.parts[i].cold, self.parts[i].pages,
                 histogram(&self.parts[i])) for i in range(PARTS)]
