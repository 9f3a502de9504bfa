# s3fifo: three FIFO queues. New pages wait in a small one; those used twice there move to the main
# one, the others go, and are remembered: a page that comes back soon enters the main queue at once.
#
# Most pages are used once; a small queue gets rid of them quickly. The main queue is a CLOCK with a
# two-bit counter. Source: J. Yang et al., "FIFO queues are all you need for cache eviction", SOSP
# 2023: small queue 10 % of the memory, as many remembered as the main queue holds.
#
# Two definitions differ while the memory fills: in the paper new pages always go to the small
# queue; libCacheSim's S3FIFO sends them to the main queue once the small one is full (`s3fifo`,
# the better one). The paper's is `s3fifo-paper`.

from swapfast.replacement.contract cimport *
from libc.stdlib cimport calloc, free, malloc

cdef enum:
    FREQ_ONE = 8
    FREQ_TWO = 16
    FREQ = 24                # two bits, saturating
    GHOST = 32

cdef struct fifo_ring_t:
    uint32_t *page
    uint64_t head
    uint64_t tail
    uint64_t count
    uint64_t room

cdef struct s3fifo_t:
    fifo_ring_t small
    fifo_ring_t main
    uint64_t main_size
    uint64_t small_size
    bint evicted             # since when new pages always go to the small queue
    # ghosts: a log; an entry counts if the page still says that it is there
    uint32_t *ghost
    uint32_t *ghost_at
    uint64_t ghosts
    uint64_t ghosts_most
    uint64_t ghost_head
    uint64_t ghost_tail
    uint64_t ghost_room

cdef inline bint queue_init(fifo_ring_t *r, uint64_t room) noexcept nogil:
    r.page = <uint32_t *>malloc(room * sizeof(uint32_t))
    r.head = r.tail = r.count = 0
    r.room = room
    return r.page != NULL

cdef inline void queue_add(fifo_ring_t *r, uint32_t page) noexcept nogil:
    r.page[r.head] = page
    r.head = 0 if r.head + 1 == r.room else r.head + 1
    r.count += 1

cdef inline uint32_t queue_take(fifo_ring_t *r) noexcept nogil:
    cdef uint32_t page = r.page[r.tail]
    r.tail = 0 if r.tail + 1 == r.room else r.tail + 1
    r.count -= 1
    return page

cdef inline int s3fifo_begin(sim_t *s) noexcept nogil:
    cdef s3fifo_t *q = <s3fifo_t *>calloc(1, sizeof(s3fifo_t))
    s.state = q
    if q == NULL:
        return -1
    # In floating point, as the figures that it is compared with.
    q.small_size = <uint64_t>(<double>s.frames * 0.10)
    if q.small_size == 0:
        q.small_size = 1
    q.main_size = s.frames - q.small_size
    q.ghosts_most = <uint64_t>(<double>s.frames * 0.90)
    if q.ghosts_most == 0:
        q.ghosts_most = 1
    q.ghost_room = 2 * q.ghosts_most + 64
    q.ghost = <uint32_t *>malloc(q.ghost_room * sizeof(uint32_t))
    q.ghost_at = <uint32_t *>malloc(s.pages * sizeof(uint32_t))
    if not queue_init(&q.small, s.frames + 1) or not queue_init(&q.main, s.frames + 1):
        return -1
    return 0 if q.ghost != NULL and q.ghost_at != NULL else -1

cdef inline int s3fifo_paper_begin(sim_t *s) noexcept nogil:
    cdef int failed = s3fifo_begin(s)
    if failed == 0:
        (<s3fifo_t *>s.state).evicted = True
    return failed

cdef inline void s3fifo_end(sim_t *s) noexcept nogil:
    cdef s3fifo_t *q = <s3fifo_t *>s.state
    if q != NULL:
        free(q.small.page)
        free(q.main.page)
        free(q.ghost)
        free(q.ghost_at)
        free(q)

cdef inline bint ghost_here(sim_t *s, s3fifo_t *q, uint64_t at) noexcept nogil:
    cdef uint32_t page = q.ghost[at]
    return s.flag[page] & GHOST != 0 and q.ghost_at[page] == at

cdef inline void ghost_pack(sim_t *s, s3fifo_t *q) noexcept nogil:
    cdef uint64_t at, to = 0
    for at in range(q.ghost_tail, q.ghost_head):
        if ghost_here(s, q, at):
            q.ghost_at[q.ghost[at]] = <uint32_t>to
            q.ghost[to] = q.ghost[at]
            to += 1
    q.ghost_tail = 0
    q.ghost_head = to

cdef inline void ghost_add(sim_t *s, s3fifo_t *q, uint32_t page) noexcept nogil:
    if q.ghosts == q.ghosts_most:
        while not ghost_here(s, q, q.ghost_tail):
            q.ghost_tail += 1
        s.flag[q.ghost[q.ghost_tail]] &= ~GHOST
        q.ghost_tail += 1
        q.ghosts -= 1
    if q.ghost_head == q.ghost_room:
        ghost_pack(s, q)
    q.ghost[q.ghost_head] = page
    q.ghost_at[page] = <uint32_t>q.ghost_head
    q.ghost_head += 1
    q.ghosts += 1

cdef inline bint evict_small(sim_t *s, s3fifo_t *q) noexcept nogil:
    cdef uint32_t page, bits
    while q.small.count > 0:
        page = queue_take(&q.small)
        s.scanned += 1
        bits = s.flag[page]
        if bits & FREQ_TWO:
            s.flag[page] = <uint8_t>(bits & ~FREQ)
            queue_add(&q.main, page)
        else:
            ghost_add(s, q, page)
            leave(s, page, GHOST)
            return True
    return False

cdef inline bint evict_main(sim_t *s, s3fifo_t *q) noexcept nogil:
    cdef uint32_t page
    while q.main.count > 0:
        page = queue_take(&q.main)
        s.scanned += 1
        if s.flag[page] & FREQ == 0:
            leave(s, page, 0)
            return True
        s.flag[page] -= FREQ_ONE
        queue_add(&q.main, page)
    return False

cdef inline int s3fifo_run(sim_t *s, const uint32_t *refs, uint64_t n) noexcept nogil:
    cdef s3fifo_t *q = <s3fifo_t *>s.state
    cdef uint8_t *flag = s.flag
    cdef uint64_t i
    cdef uint32_t page, bits, ref
    cdef bint ghost, gone
    for i in range(n):
        ref = refs[i]
        page = ref & PAGE_BITS
        bits = flag[page]
        if likely(bits & IN):
            bits += FREQ_ONE * ((bits & FREQ) != FREQ)
            flag[page] = <uint8_t>(bits | (ref >> WRITE_BIT) * DIRTY)
            continue
        ghost = bits & GHOST != 0
        if ghost:
            flag[page] &= ~GHOST
            q.ghosts -= 1
        if s.resident == s.frames:
            q.evicted = True
            gone = False
            while not gone:
                if q.main.count > q.main_size or q.small.count == 0:
                    gone = evict_main(s, q)
                else:
                    gone = evict_small(s, q)
        else:
            s.resident += 1
        enter(s, ref, 0)
        if ghost or (not q.evicted and q.small.count >= q.small_size):
            queue_add(&q.main, page)
        else:
            queue_add(&q.small, page)
    return 0
