# sieve: a hand moves from the oldest page to the newest and evicts the first that was not used
# since it last came by; pages that it spares stay where they are.
#
# New pages come in ahead of the hand, survivors are behind it: quick demotion without a ghost list.
# Source: Y. Zhang et al., "SIEVE is simpler than LRU", NSDI 2024.
#
# The queue is one array, oldest first. Behind the hand the survivors are kept packed, so removing a
# page from the middle costs nothing:
#
#   [0, packed) survivors   [packed, hand) room   [hand, head) not looked at yet

from swapfast.replacement.contract cimport *
from libc.stdlib cimport free, malloc
from libc.string cimport memmove

cdef enum:
    VISITED = 8

cdef struct sieve_t:
    uint64_t packed
    uint64_t hand
    uint64_t head
    uint64_t room
    uint32_t *queue

cdef inline int sieve_begin(sim_t *s) noexcept nogil:
    cdef sieve_t *q = <sieve_t *>malloc(sizeof(sieve_t))
    s.state = q
    if q == NULL:
        return -1
    q.packed = q.hand = q.head = 0
    q.room = 2 * s.frames + 64
    q.queue = <uint32_t *>malloc(q.room * sizeof(uint32_t))
    return 0 if q.queue != NULL else -1

cdef inline void sieve_end(sim_t *s) noexcept nogil:
    cdef sieve_t *q = <sieve_t *>s.state
    if q != NULL:
        free(q.queue)
        free(q)

cdef inline void sieve_around(sieve_t *q) noexcept nogil:
    # The hand passed the newest page: everything is behind it, the next look begins at the oldest.
    if q.hand == q.head:
        q.head = q.packed
        q.packed = q.hand = 0

cdef inline void sieve_evict(sim_t *s, sieve_t *q) noexcept nogil:
    cdef uint8_t *flag = s.flag
    cdef uint32_t *queue = q.queue
    cdef uint32_t page
    while True:
        page = queue[q.hand]
        q.hand += 1
        s.scanned += 1
        if flag[page] & VISITED == 0:
            break
        flag[page] &= ~VISITED
        queue[q.packed] = page
        q.packed += 1
        sieve_around(q)
    leave(s, page, 0)
    sieve_around(q)

cdef inline int sieve_run(sim_t *s, const uint32_t *refs, uint64_t n) noexcept nogil:
    cdef sieve_t *q = <sieve_t *>s.state
    cdef uint64_t i = 0, waiting
    while True:
        i = hits(s, refs, i, n, VISITED)
        if i == n:
            break
        if s.resident == s.frames:
            sieve_evict(s, q)
        else:
            s.resident += 1
        if q.head == q.room:
            waiting = q.head - q.hand
            memmove(q.queue + q.packed, q.queue + q.hand, waiting * sizeof(uint32_t))
            q.hand = q.packed
            q.head = q.packed + waiting
        enter(s, refs[i], 0)
        q.queue[q.head] = refs[i] & PAGE_BITS
        q.head += 1
        i += 1
    return 0
