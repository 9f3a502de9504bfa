"""What damo prints of DAMON's records: regions of memory, and how often each was found accessed.

- ``RegionParser``: snapshots of regions, as tables.
"""

from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy

from swapfast.traces._lines cimport Lines, begins, decimal, hexadecimal, past_blanks, trimmed
from swapfast.traces._numbered cimport E_FORM, E_MEMORY, E_OWN, OK, PAGE_SHIFT, SKIP
from swapfast.traces.pages cimport more_room

import numpy as np

from swapfast.traces._lines import LINE_CAUSES

cdef enum:
    E_RANGE = E_OWN
    E_COUNT
    E_TARGET

    COUNT_MOST = 1 << 16     # samples of an interval
    STEP = 1 << 20           # references that are made at a time
    FIELDS = 4

CAUSES = LINE_CAUSES | {
    E_FORM: "is not 'START-END (SIZE) ACCESSES', nor a line of a snapshot's head",
    E_RANGE: "the region does not end beyond its start",
    E_TARGET: "regions of another target, which has an address space of its own",
    E_COUNT: f"the accesses are no number up to {COUNT_MOST}",
}


cdef struct region_t:
    uint64_t snapshot
    uint64_t first           # page
    uint64_t pages
    uint64_t count           # accesses


cdef class RegionParser(Lines):
    """Parse text of ``damo report raw``.

    `regions` has what was read since the last call: rows of snapshot (from 1), first page, pages
    and accesses; without those that have none.
    """

    cdef region_t *found
    cdef uint64_t n
    cdef uint64_t cap
    cdef uint64_t snapshot
    cdef bint targeted
    cdef uint64_t target     # a hash of what names it

    def __init__(self, bint collapse=False):
        self.causes = CAUSES
        self.collapse = collapse

    def __dealloc__(self):
        free(self.found)

    def regions(self):
        """Regions since the last call: a uint64 array of four columns."""
        taken = np.empty((self.n, FIELDS), dtype=np.uint64)
        cdef uint64_t[:, ::1] view = taken
        if self.n:
            memcpy(&view[0, 0], self.found, self.n * sizeof(region_t))
        self.n = 0
        return taken

    cdef int other(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
        # A target is an address space.
        cdef uint64_t target = 0
        while p < end:
            target = (target ^ p[0]) * <uint64_t>0x100000001b3
            p += 1
        if self.targeted and target != self.target:
            return E_TARGET
        self.targeted = True
        self.target = target
        return SKIP

    cdef int parse(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
        cdef uint64_t first = 0, last = 0, count = 0
        end = trimmed(p, end)
        p = past_blanks(p, end)
        if p == end or p[0] == 35 or begins(p, end, b"base_time", 9):
            return SKIP
        if begins(p, end, b"target_id:", 10):
            return self.other(past_blanks(p + 10, end), end)
        if begins(p, end, b"monitoring_start", 16):
            self.snapshot += 1
            return SKIP
        if begins(p, end, b"monitoring_", 11) or begins(p, end, b"nr_regions", 10):
            return SKIP
        p = hexadecimal(p, end, &first)
        if p == NULL or p == end or p[0] != 45:
            return E_FORM
        p = hexadecimal(p + 1, end, &last)
        if p == NULL:
            return E_FORM
        while p < end and p[0] != 41:                   # "( 31.617 MiB)"
            p += 1
        if p == end:
            return E_FORM
        p += 1
        if p < end and p[0] == 58:
            p += 1
        if decimal(past_blanks(p, end), end, &count) == NULL or count > COUNT_MOST:
            return E_COUNT
        if last <= first:
            return E_RANGE
        first >>= PAGE_SHIFT
        last = ((last - 1) >> PAGE_SHIFT) + 1
        if count == 0:
            return SKIP
        if self.n == self.cap and not more_room(<void **>&self.found, &self.cap, 1024,
                                                sizeof(region_t)):
            return E_MEMORY
        self.found[self.n] = region_t(self.snapshot, first, last - first, count)
        self.n += 1
        return SKIP

    def expand(self, const uint64_t[:, ::1] regions not None, uint64_t number, uint64_t row,
               uint64_t page):
        """References of a round: to regions with more accesses than ``number``.

        From a row, and a page of its region, on; not too many at a time.

        Returns
        -------
        row, page : int
            Where to go on; behind the last row, the round is over.
        """
        cdef uint64_t left = STEP, step
        cdef int status = OK
        with nogil:
            while row < <uint64_t>regions.shape[0] and left and status == OK:
                if regions[row, 3] > number:
                    step = min(left, regions[row, 2] - page)
                    status = self.span(regions[row, 1] + page, step, False)
                    left -= step
                    page += step
                    if page < regions[row, 2]:
                        continue
                row += 1
                page = 0
        if status > SKIP:
            raise MemoryError(f"no memory for {STEP} references, or {self.causes[status]}")
        return row, page
