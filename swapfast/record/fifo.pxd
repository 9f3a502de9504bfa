# fifo: the pages of one address space that are in its window, oldest first; where the others are
# kept; and the references so far.
#
# - fifo_begin(pages) -> an empty one with room for so many pages, NULL: no memory
# - fifo_entry(q, page) -> what is known of a page, NULL: no memory
# - fifo_look(q, page) -> the same, NULL: nothing is known
# - fifo_enter(q, e, page, ref): it is there, as the newest one
# - fifo_leave(q, e): it is there no more
# - fifo_reference(q, page, write) -> False: no memory: one more reference
# - fifo_free(q)

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from swapfast.traces.pages cimport more_room

cdef enum:
    LEAF_SHIFT = 14      # pages of a leaf
    LEAVES = 1 << 21     # for 47 bits of addresses
    OUT = 0              # no frame
    UNKNOWN = 0xFFFFFFFFFFFFFFFF  # no reference

cdef struct entry_t:
    uint32_t slot        # where its bytes are kept (kept.pxd); 0: they are zeroes
    uint32_t frame       # OUT, or which of the window's

cdef struct frame_t:
    uint64_t page
    uint64_t ref         # that brought it in; UNKNOWN
    uint32_t older
    uint32_t newer

cdef struct fifo_t:
    entry_t **leaves     # by page >> LEAF_SHIFT
    uint64_t *made       # which of them there are
    uint64_t made_n
    uint64_t made_cap
    frame_t *frames      # 0 is the head of the ring: newer than it is the oldest page
    uint32_t n           # pages that are there
    uint32_t fresh       # frames that were in use at some time
    uint32_t spare       # list of those that are not, by `newer`
    uint64_t *refs       # page << 1, bit 0: it was written to
    uint64_t refs_n
    uint64_t refs_cap


cdef inline fifo_t *fifo_begin(uint64_t pages) noexcept nogil:
    cdef fifo_t *q = <fifo_t *>calloc(1, sizeof(fifo_t))
    if q == NULL:
        return NULL
    q.leaves = <entry_t **>calloc(LEAVES, sizeof(entry_t *))
    q.frames = <frame_t *>calloc(pages + 1, sizeof(frame_t))
    if q.leaves == NULL or q.frames == NULL:
        fifo_free(q)
        return NULL
    return q


cdef inline void fifo_free(fifo_t *q) noexcept nogil:
    cdef uint64_t i
    for i in range(q.made_n):
        free(q.leaves[q.made[i]])
    free(q.leaves)
    free(q.made)
    free(q.frames)
    free(q.refs)
    free(q)


cdef inline entry_t *fifo_look(fifo_t *q, uint64_t page) noexcept nogil:
    cdef uint64_t number = page >> LEAF_SHIFT
    if number >= LEAVES or q.leaves[number] == NULL:
        return NULL
    return &q.leaves[number][page & ((1 << LEAF_SHIFT) - 1)]


cdef inline entry_t *fifo_entry(fifo_t *q, uint64_t page) noexcept nogil:
    cdef uint64_t number = page >> LEAF_SHIFT
    if number >= LEAVES:
        return NULL
    if q.leaves[number] == NULL:
        if q.made_n == q.made_cap and not more_room(<void **>&q.made, &q.made_cap, 16, 8):
            return NULL
        q.leaves[number] = <entry_t *>calloc(1 << LEAF_SHIFT, sizeof(entry_t))
        if q.leaves[number] == NULL:
            return NULL
        q.made[q.made_n] = number
        q.made_n += 1
    return fifo_look(q, page)


cdef inline void fifo_enter(fifo_t *q, entry_t *e, uint64_t page, uint64_t ref) noexcept nogil:
    cdef uint32_t at = q.spare
    if at:
        q.spare = q.frames[at].newer
    else:
        q.fresh += 1
        at = q.fresh
    q.frames[at].page, q.frames[at].ref = page, ref
    q.frames[at].older, q.frames[at].newer = q.frames[0].older, 0
    q.frames[q.frames[0].older].newer = at
    q.frames[0].older = at
    e.frame = at
    q.n += 1


cdef inline void fifo_leave(fifo_t *q, entry_t *e) noexcept nogil:
    cdef uint32_t at = e.frame
    q.frames[q.frames[at].older].newer = q.frames[at].newer
    q.frames[q.frames[at].newer].older = q.frames[at].older
    q.frames[at].newer = q.spare
    q.spare = at
    e.frame = OUT
    q.n -= 1


cdef inline bint fifo_reference(fifo_t *q, uint64_t page, bint write) noexcept nogil:
    if q.refs_n == q.refs_cap and not more_room(<void **>&q.refs, &q.refs_cap, 65536, 8):
        return False
    q.refs[q.refs_n] = page << 1 | write
    q.refs_n += 1
    return True
