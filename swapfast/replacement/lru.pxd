# lru: the page that was not used for the longest time goes. Exact.
#
# What every kernel approximates, since it cannot see a reference that does not fault. Source:
# L. A. Belady, "A study of replacement algorithms for a virtual-storage computer", IBM Systems
# Journal 5(2), 1966; R. L. Mattson et al., IBM Systems Journal 9(2), 1970.
#
# No linked list: each reference is written to a log, and the page remembers where. The victim is
# the first entry at the log's tail that is still its page's last. Writes are sequential, and what
# is read out of order can be prefetched, because the log says what comes next. A full log is
# packed.

from swapfast.replacement.contract cimport *
from libc.stdlib cimport free, malloc

cdef extern from *:
    """
    #define LRU_LOG_MOST 0xffffff00u   /* positions of the log are 32 bits */
    """
    const uint32_t LRU_LOG_MOST

cdef enum:
    LRU_AHEAD = 16           # log entries between prefetch and use
    REFS_AHEAD = 32          # the same of references

cdef struct lru_t:
    uint32_t *last           # page -> its last entry in the log
    uint32_t *log
    uint64_t tail
    uint64_t head
    uint64_t room

cdef inline int lru_begin(sim_t *s) noexcept nogil:
    cdef lru_t *l = <lru_t *>malloc(sizeof(lru_t))
    s.state = l
    if l == NULL:
        return -1
    l.tail = l.head = 0
    l.room = 4 * s.frames + 65536
    if l.room > LRU_LOG_MOST:
        l.room = LRU_LOG_MOST
    l.log = <uint32_t *>malloc((l.room + LRU_AHEAD) * sizeof(uint32_t))
    l.last = <uint32_t *>malloc(s.pages * sizeof(uint32_t))
    return 0 if l.log != NULL and l.last != NULL else -1

cdef inline void lru_end(sim_t *s) noexcept nogil:
    cdef lru_t *l = <lru_t *>s.state
    if l != NULL:
        free(l.log)
        free(l.last)
        free(l)

cdef inline void lru_pack(lru_t *l) noexcept nogil:
    # Entries that are still their page's last move to the front, in order.
    cdef uint32_t *log = l.log
    cdef uint32_t *last = l.last
    cdef uint64_t at, to = 0
    cdef uint32_t page
    for at in range(l.tail, l.head):
        if at + LRU_AHEAD < l.head:
            prefetch(&last[log[at + LRU_AHEAD]])
        page = log[at]
        if last[page] == at:
            last[page] = <uint32_t>to
            log[to] = page
            to += 1
    l.tail = 0
    l.head = to

cdef inline void lru_evict(sim_t *s, lru_t *l) noexcept nogil:
    cdef uint32_t *log = l.log
    cdef uint32_t *last = l.last
    cdef uint64_t tail = l.tail
    cdef uint32_t page
    while True:
        if tail + LRU_AHEAD < l.head:
            prefetch(&last[log[tail + LRU_AHEAD]])
        page = log[tail]
        if last[page] == tail:
            break
        tail += 1
    l.tail = tail + 1
    leave(s, page, 0)

cdef inline int lru_run(sim_t *s, const uint32_t *refs, uint64_t n) noexcept nogil:
    cdef lru_t *l = <lru_t *>s.state
    cdef uint32_t *log = l.log
    cdef uint32_t *last = l.last
    cdef uint8_t *flag = s.flag
    cdef uint64_t i = 0, head = l.head, evicted = s.evicted
    cdef uint32_t ref, page, any = 0
    while i < n:
        ref = refs[i]
        page = ref & PAGE_BITS
        if i > 0 and page == refs[i - 1] & PAGE_BITS:
            # The newest page again: its place in the log does not change.
            if i + 8 <= n and one_page(refs + i, &any):
                flag[page] |= (any >> WRITE_BIT) * DIRTY
                i += 8
            else:
                flag[page] |= (ref >> WRITE_BIT) * DIRTY
                i += 1
            continue
        if likely(i + REFS_AHEAD < n):
            prefetch(&last[refs[i + REFS_AHEAD] & PAGE_BITS])
            prefetch(&flag[refs[i + REFS_AHEAD] & PAGE_BITS])
        if unlikely(head == l.room):
            l.head = head
            lru_pack(l)
            head = l.head
        if flag[page] & IN:
            flag[page] = <uint8_t>(flag[page] | (ref >> WRITE_BIT) * DIRTY)
        else:
            if s.resident == s.frames:
                l.head = head
                lru_evict(s, l)
            else:
                s.resident += 1
            enter(s, ref, 0)
        last[page] = <uint32_t>head
        log[head] = page
        head += 1
        i += 1
    l.head = head
    s.scanned += s.evicted - evicted
    return 0
