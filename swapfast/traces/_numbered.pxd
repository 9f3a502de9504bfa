# Numbered: references, each to a page that is numbered in the order of its first touch.
#
# - touch(address, size, write) -> OK or a cause: a reference to each page of an access
# - span(page, count, write): the same for so many pages
# - chunk(p, end) -> OK, SKIP or a cause: the next bytes of the file; fail(status): raise it
# - E_OWN: the first code of a subclass's own causes
# - copied(items, n, dtype): an array of its own

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from swapfast.traces.pages cimport PAGES_OK, PAGES_TOO_MANY, more_room, pages_find, pages_t

cdef enum:
    OK = 0
    SKIP = 1             # not a reference: a banner, an empty line
    E_FORM = 2
    E_SIZE = 3
    E_PAGES = 4
    E_LONG = 5
    E_MEMORY = 6
    E_SPACES = 7
    E_OWN = 16

    SIZE_MOST = 1 << 20  # bytes of an access
    PAGE_SHIFT = 12

cdef extern from *:
    """
    #ifndef SWAPFAST_TRACES_NUMBERED
    #define SWAPFAST_TRACES_NUMBERED
    static const uint32_t WRITE_BIT = 0x80000000u;
    static const uint32_t NO_REF = 0xffffffffu; /* 2**31 - 1 is no page: there are not as many */
    static const uint64_t NO_PAGE = ~(uint64_t)0;
    #endif
    """
    const uint32_t WRITE_BIT
    const uint32_t NO_REF
    const uint64_t NO_PAGE

cdef struct out_t:
    uint32_t *refs
    uint64_t n
    uint64_t cap
    uint32_t last        # reference before the next one, also of a chunk that was taken


cdef inline int emit(out_t *o, uint32_t ref, bint collapse) noexcept nogil:
    if collapse and (o.last ^ ref) & ~WRITE_BIT == 0 and (o.last & WRITE_BIT or ref == o.last):
        return OK
    if o.n == o.cap and not more_room(<void **>&o.refs, &o.cap, 65536, 4):
        return E_MEMORY
    o.refs[o.n] = ref
    o.n += 1
    o.last = ref
    return OK


cdef object copied(const void *items, uint64_t n, dtype)


cdef class Numbered:
    cdef pages_t table
    cdef out_t out
    cdef bint collapse
    cdef uint64_t space      # of whom the next references are: bits above all page numbers
    cdef uint64_t last_page
    cdef uint32_t last_dense
    cdef object causes       # what each status means

    cdef int chunk(self, const uint8_t *p, const uint8_t *end) noexcept nogil
    cdef fail(self, int status)

    cdef inline int span(self, uint64_t page, uint64_t count, bint write) noexcept nogil:
        cdef uint32_t flag = WRITE_BIT if write else 0
        cdef int status
        page |= self.space
        while count:
            if page != self.last_page:
                status = pages_find(&self.table, page, &self.last_dense)
                if status != PAGES_OK:
                    return E_PAGES if status == PAGES_TOO_MANY else E_MEMORY
                self.last_page = page
            status = emit(&self.out, self.last_dense | flag, self.collapse)
            if status != OK:
                return status
            page += 1
            count -= 1
        return OK

    cdef inline int touch(self, uint64_t address, uint64_t size, bint write) noexcept nogil:
        cdef uint64_t page = address >> PAGE_SHIFT
        if size == 0 or size > SIZE_MOST or address + (size - 1) < address:
            return E_SIZE
        return self.span(page, ((address + size - 1) >> PAGE_SHIFT) - page + 1, write)
