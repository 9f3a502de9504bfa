"""What damo prints of DAMON's records: regions of memory, and how often each was found accessed.

- ``RegionParser``: snapshots of regions, as tables.
"""

from libc.stdint cimport uint8_t, uint64_t

from swapfast.traces._lines cimport Lines, begins, decimal, hexadecimal, past_blanks, trimmed
from swapfast.traces._numbered cimport E_FORM, E_OWN, PAGE_SHIFT, SKIP

from swapfast.traces._lines import LINE_CAUSES

cdef enum:
    E_RANGE = E_OWN
    E_COUNT
    E_TARGET

    COUNT_MOST = 1 << 16     # samples of an interval

CAUSES = LINE_CAUSES | {
    E_FORM: "is not 'START-END (SIZE) ACCESSES', nor a line of a snapshot's head",
    E_RANGE: "the region does not end beyond its start",
    E_TARGET: "regions of another target, which has an address space of its own",
    E_COUNT: f"the accesses are no number up to {COUNT_MOST}",
}


cdef class RegionParser(Lines):
    """Parse text of ``damo report raw``.

    `regions` has what was read since the last call: lists of (snapshot, first page, pages,
    accesses), snapshots counted from 1.
    """

    cdef list found
    cdef uint64_t snapshot
    cdef bint targeted
    cdef uint64_t target     # a hash of what names it

    def __init__(self, bint collapse=False):
        self.causes = CAUSES
        self.collapse = collapse
        self.found = []

    def regions(self):
        """Regions since the last call."""
        taken = self.found
        self.found = []
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
        if count:
            with gil:
                self.found.append((self.snapshot, first, last - first, count))
        return SKIP

    def expand(self, uint64_t page, uint64_t pages):
        """References to so many pages, in their order."""
        cdef int status
        with nogil:
            status = self.span(page, pages, False)
        if status > SKIP:
            raise MemoryError(f"no memory for {pages} references, or {self.causes[status]}")
