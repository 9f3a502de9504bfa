# reduction: leave out references that no LRU memory of `window` pages or more would miss.
#
# Of three references to a page the middle one can go if fewer than `window` pages, this one
# counted, are touched from the first to the third: with or without it the page is among those
# that stay. If it wrote, the third one does instead; the page cannot be evicted between them.
# This is the "safely allowed drop" of Kaplan, Smaragdakis and Wilson, Trace Reduction for Virtual
# Memory Simulations, SIGMETRICS 1999. (Dropping all hits of a small LRU memory is simpler and
# wrong: a page that is always in use would look as if it were never used again.)
#
# References that may still go are in a list in order of time, those that stay among them. The last
# references of the `window` pages used last are marked in it; the oldest of these is the rim. What
# is before the rim stays and is put out. Behind it a page has three references at most, so that
# memory depends on the window and on the pages of the trace, not on its length.
#
# - reduction_begin(r, window)
# - reduction_page(r) -> False: no memory: one more page; the next number
# - reduction_put(r, page, write) -> False: no memory: a reference
# - reduction_end(r) -> False: no memory: puts out what is left
# - reduction_free(r)
#
# What is put out is in r.out, r.n of them.

from libc.stdint cimport int32_t, uint32_t, uint64_t
from libc.stdlib cimport free

from swapfast.traces.pages cimport more_room

cdef enum:
    NOBODY = -1
    WRITES = 1 << 31
    NEVER = 0            # no time: times begin with 1

cdef struct node_t:
    uint64_t time        # which of all references
    uint32_t ref         # page, and whether it writes
    bint last            # of its page, and that is among those used last
    int32_t before
    int32_t after

cdef struct used_t:
    # A page.
    uint64_t first       # time of its last reference that stays; NEVER
    int32_t node         # its last reference; NOBODY: that is before the rim
    bint middle          # ... which may still go

cdef struct reduction_t:
    uint64_t window
    uint64_t held        # pages with a node
    uint64_t now
    node_t *nodes
    uint64_t nodes_cap
    uint64_t nodes_n     # that were in use at some time
    int32_t spare        # list of those that are not, by `after`
    int32_t head
    int32_t tail
    used_t *pages
    uint64_t pages_cap
    uint64_t pages_n
    uint32_t *out
    uint64_t n
    uint64_t cap


cdef inline void reduction_begin(reduction_t *r, uint64_t window) noexcept nogil:
    r.window = window
    r.spare = r.head = r.tail = NOBODY


cdef inline bint reduction_page(reduction_t *r) noexcept nogil:
    if r.pages_n == r.pages_cap and not more_room(<void **>&r.pages, &r.pages_cap, 1024,
                                                  sizeof(used_t)):
        return False
    r.pages[r.pages_n].first = NEVER
    r.pages[r.pages_n].node = NOBODY
    r.pages[r.pages_n].middle = False
    r.pages_n += 1
    return True


cdef inline bint put_out(reduction_t *r, uint32_t ref) noexcept nogil:
    if r.n == r.cap and not more_room(<void **>&r.out, &r.cap, 65536, 4):
        return False
    r.out[r.n] = ref
    r.n += 1
    return True


cdef inline void append(reduction_t *r, int32_t at) noexcept nogil:
    r.nodes[at].before = r.tail
    r.nodes[at].after = NOBODY
    if r.tail != NOBODY:
        r.nodes[r.tail].after = at
    else:
        r.head = at
    r.tail = at


cdef inline void unlink(reduction_t *r, int32_t at) noexcept nogil:
    cdef int32_t before = r.nodes[at].before, after = r.nodes[at].after
    if before != NOBODY:
        r.nodes[before].after = after
    else:
        r.head = after
    if after != NOBODY:
        r.nodes[after].before = before
    else:
        r.tail = before


cdef inline bint to_rim(reduction_t *r) noexcept nogil:
    # Put out what is before the rim, so that the rim is the head of the list.
    cdef int32_t at = r.head
    while at != NOBODY and not r.nodes[at].last:
        if not put_out(r, r.nodes[at].ref):
            return False
        unlink(r, at)
        r.nodes[at].after = r.spare
        r.spare = at
        at = r.head
    return True


cdef inline bint new_last(reduction_t *r, used_t *page, uint32_t ref) noexcept nogil:
    cdef int32_t at = r.spare
    if at != NOBODY:
        r.spare = r.nodes[at].after
    else:
        if r.nodes_n == r.nodes_cap and not more_room(<void **>&r.nodes, &r.nodes_cap, 1024,
                                                      sizeof(node_t)):
            return False
        at = <int32_t>r.nodes_n
        r.nodes_n += 1
    r.nodes[at].time = r.now
    r.nodes[at].ref = ref
    r.nodes[at].last = True
    append(r, at)
    page.node = at
    return True


cdef inline void stays(reduction_t *r, used_t *page) noexcept nogil:
    # The last reference of a page is decided on, and its last no more.
    page.first = r.nodes[page.node].time
    page.middle = False
    r.nodes[page.node].last = False
    page.node = NOBODY


cdef inline bint reduction_put(reduction_t *r, uint32_t number, uint32_t write) noexcept nogil:
    cdef used_t *page = &r.pages[number]
    cdef int32_t at = page.node
    cdef bint again = page.first != NEVER
    r.now += 1
    if at != NOBODY and page.middle and (
            r.held < r.window or r.nodes[r.head].time <= page.first):
        # The middle one goes: it becomes this one.
        r.nodes[at].time = r.now
        r.nodes[at].ref |= write
        if at != r.tail:
            unlink(r, at)
            append(r, at)
            if not r.nodes[r.head].last:
                return to_rim(r)
        return True
    if at != NOBODY:
        stays(r, page)
    elif r.held < r.window:
        r.held += 1
    else:
        stays(r, &r.pages[r.nodes[r.head].ref & ~<uint32_t>WRITES])
    if not new_last(r, page, number | write):
        return False
    if again:
        page.middle = True
    else:
        page.first = r.now
    return to_rim(r)


cdef inline bint reduction_end(reduction_t *r) noexcept nogil:
    cdef int32_t at
    for at in range(<int32_t>r.nodes_n):
        r.nodes[at].last = False
    return to_rim(r)


cdef inline void reduction_free(reduction_t *r) noexcept nogil:
    free(r.nodes)
    free(r.pages)
    free(r.out)
