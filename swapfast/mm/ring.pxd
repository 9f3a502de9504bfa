# ring: a list that is consumed at its tail and fed at its head, as a ring of page indexes.
#
# Sequential reads and no links. A page that leaves from the middle (munmap, exit, rotation) leaves
# a tombstone (NIL); when the ring is full it is packed, or grows. Its capacity is at least an
# eighth above the pages it holds, so packing costs at most eight moves for each push.
#
# - ring_init(r, most) / ring_free(r): most = pages it should hold at once
# - ring_push(r, home, page) at the head; ring_push_tail at the tail: scanned next
# - ring_push_all(r, home, pages, n) at the head, in order
# - ring_pop(r) -> oldest page, NIL when there is none
# - ring_take(r, pages, want) -> n of the oldest, oldest first
# - ring_drop(r, home, page): a tombstone instead of the page

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.gens cimport ring_t
from swapfast.mm.types cimport SWAPFAST_CHECK, UNLIKELY, home_t, lazy_map, lazy_unmap
from swapfast.mm.words cimport NIL
from libc.string cimport memset

cdef inline bint ring_init(ring_t *r, uint64_t most) noexcept nogil:
    cdef uint64_t cap = most + (most >> 2) + 64
    memset(r, 0, sizeof(ring_t))
    r.buf = <uint32_t *>lazy_map(cap * sizeof(uint32_t))
    r.cap = <uint32_t>cap
    return r.buf != NULL

cdef inline void ring_free(ring_t *r) noexcept nogil:
    lazy_unmap(r.buf, <size_t>r.cap * sizeof(uint32_t))
    memset(r, 0, sizeof(ring_t))

cdef inline void ring_grow(ring_t *r, home_t *home) noexcept nogil:
    # A group may pay for more than its limit: a page that another group forked becomes its own.
    cdef ring_t old = r[0]
    cdef uint32_t source = old.tail, _i, page
    SWAPFAST_CHECK(ring_init(r, 2 * <uint64_t>old.cap), b"a list that grows finds memory")
    for _i in range(old.span):
        page = old.buf[source]
        source = 0 if source + 1 == old.cap else source + 1
        if page != NIL:
            r.buf[r.head] = page
            home[page].where = r.head
            r.head += 1
    r.span = r.live = old.live
    ring_free(&old)

cdef inline void ring_pack(ring_t *r, home_t *home) noexcept nogil:
    # Moves the live entries towards the tail, in order: the target never passes the source.
    cdef uint32_t source = r.tail, target = r.tail, _i, page
    if r.live > r.cap - (r.cap >> 3):
        ring_grow(r, home)
        return
    for _i in range(r.span):
        page = r.buf[source]
        source = 0 if source + 1 == r.cap else source + 1
        if page != NIL:
            r.buf[target] = page
            home[page].where = target
            target = 0 if target + 1 == r.cap else target + 1
    r.span = r.live
    r.head = target

cdef inline void ring_push(ring_t *r, home_t *home, uint32_t page) noexcept nogil:
    if UNLIKELY(r.span == r.cap):
        ring_pack(r, home)
    r.buf[r.head] = page
    home[page].where = r.head
    r.head = 0 if r.head + 1 == r.cap else r.head + 1
    r.span += 1
    r.live += 1

cdef inline void ring_lay(uint32_t *buf, home_t *home, const uint32_t *pages, uint32_t n,
                          uint32_t at) noexcept nogil:
    # Pages side by side.
    cdef uint32_t i, page
    for i in range(n):
        page = pages[i]
        buf[at + i] = page
        home[page].where = at + i

cdef inline void ring_push_all(ring_t *r, home_t *home, const uint32_t *pages,
                               uint32_t n) noexcept nogil:
    cdef uint32_t i, first
    if UNLIKELY(r.cap - r.span < n):
        for i in range(n):
            ring_push(r, home, pages[i])
        return
    first = r.cap - r.head   # up to where the ring wraps
    if first > n:
        first = n
    ring_lay(r.buf, home, pages, first, r.head)
    r.head += first
    if r.head == r.cap:
        r.head = n - first
        ring_lay(r.buf, home, pages + first, n - first, 0)
    r.span += n
    r.live += n

cdef inline void ring_push_tail(ring_t *r, home_t *home, uint32_t page) noexcept nogil:
    if UNLIKELY(r.span == r.cap):
        ring_pack(r, home)
    r.tail = r.cap - 1 if r.tail == 0 else r.tail - 1
    r.buf[r.tail] = page
    home[page].where = r.tail
    r.span += 1
    r.live += 1

cdef inline uint32_t ring_pop(ring_t *r) noexcept nogil:
    cdef uint32_t page
    if r.live == 0:
        return NIL
    while True:   # ends: a live entry lies between tail and head
        page = r.buf[r.tail]
        r.tail = 0 if r.tail + 1 == r.cap else r.tail + 1
        r.span -= 1
        if page != NIL:
            r.live -= 1
            return page

cdef inline uint32_t ring_take(ring_t *r, uint32_t *pages, uint32_t want) noexcept nogil:
    cdef uint32_t *buf = r.buf
    cdef uint32_t n = 0, at = r.tail, span = r.span, end, page
    while n < want and span > 0:
        # As many as are missing, no further than to where the ring wraps; tombstones do not count.
        end = at + (want - n if want - n < span else span)
        if end > r.cap:
            end = r.cap
        span -= end - at
        while at < end:
            page = buf[at]
            at += 1
            pages[n] = page
            n += page != NIL
        if at == r.cap:
            at = 0
    r.tail = at
    r.span = span
    r.live -= n
    return n

cdef inline void ring_drop(ring_t *r, home_t *home, uint32_t page) noexcept nogil:
    SWAPFAST_CHECK(r.buf[home[page].where] == page, b"a page on a list is where it says it is")
    r.buf[home[page].where] = NIL
    r.live -= 1
    if r.live == 0:
        r.span = 0
        r.tail = r.head
