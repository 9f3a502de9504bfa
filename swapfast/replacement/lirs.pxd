# lirs: pages are ranked by the distance between their last two uses, not by the last use alone.
# Most of the memory belongs to pages whose distance is short (LIR); the rest serves all others
# (HIR).
#
# Source: S. Jiang, X. Zhang, "LIRS: an efficient low inter-reference recency set replacement
# policy", SIGMETRICS 2002; 1 % of the memory for HIR pages, as there.
#
#   stack S   LIR pages, HIR pages used since the oldest LIR page, in memory or not
#   queue Q   HIR pages in memory; the oldest is the victim
#
# The bottom of S is always LIR (the stack is pruned). The paper leaves the number of pages in S
# that are not in memory open; here it is at most as many as the memory has frames, the oldest are
# dropped.

from swapfast.replacement.contract cimport *
from swapfast.replacement.links cimport *
from libc.stdlib cimport calloc, free

cdef enum:
    LIR = 8
    IN_STACK = 16

    STACK = 0                # list of the first pair of arrays
    QUEUE = 0                # lists of the second pair: a page is on one of them
    GONE = 1                 # not in memory, but in S; newest first

cdef struct lirs_t:
    links_t stack
    links_t others
    uint64_t lir
    uint64_t lir_most
    uint64_t hir_most

cdef inline int lirs_begin(sim_t *s) noexcept nogil:
    cdef lirs_t *l = <lirs_t *>calloc(1, sizeof(lirs_t))
    s.state = l
    if l == NULL:
        return -1
    l.hir_most = s.frames // 100
    if l.hir_most == 0:
        l.hir_most = 1
    l.lir_most = s.frames - l.hir_most
    if not links_init(&l.stack, s.pages, 1):
        return -1
    return 0 if links_init(&l.others, s.pages, 2) else -1

cdef inline void lirs_end(sim_t *s) noexcept nogil:
    cdef lirs_t *l = <lirs_t *>s.state
    if l != NULL:
        links_free(&l.stack)
        links_free(&l.others)
        free(l)

cdef inline void lirs_unstack(sim_t *s, lirs_t *l, uint32_t page) noexcept nogil:
    links_remove(&l.stack, STACK, page)
    s.flag[page] &= ~IN_STACK
    if s.flag[page] & IN == 0:
        links_remove(&l.others, GONE, page)

cdef inline void lirs_prune(sim_t *s, lirs_t *l) noexcept nogil:
    cdef uint32_t page
    while l.stack.count[STACK] > 0:
        page = links_oldest(&l.stack, STACK)
        if s.flag[page] & LIR:
            break
        lirs_unstack(s, l, page)

cdef inline void lirs_demote(sim_t *s, lirs_t *l) noexcept nogil:
    # The LIR page at the bottom of the stack becomes the newest HIR page of the queue.
    cdef uint32_t page = links_oldest(&l.stack, STACK)
    links_remove(&l.stack, STACK, page)
    s.flag[page] &= ~(LIR | IN_STACK)
    links_front(&l.others, QUEUE, page)
    l.lir -= 1
    lirs_prune(s, l)

cdef inline void lirs_evict(sim_t *s, lirs_t *l) noexcept nogil:
    cdef uint32_t page
    s.scanned += 1
    if l.others.count[QUEUE] == 0:
        lirs_demote(s, l)
    page = links_oldest(&l.others, QUEUE)
    links_remove(&l.others, QUEUE, page)
    if s.flag[page] & IN_STACK:
        leave(s, page, IN_STACK)
        links_front(&l.others, GONE, page)
        if l.others.count[GONE] > s.frames:
            lirs_unstack(s, l, links_oldest(&l.others, GONE))
    else:
        leave(s, page, 0)

cdef inline int lirs_run(sim_t *s, const uint32_t *refs, uint64_t n) noexcept nogil:
    cdef lirs_t *l = <lirs_t *>s.state
    cdef uint8_t *flag = s.flag
    cdef uint64_t i
    cdef uint32_t page, bits, ref
    cdef bint promoted, bottom
    for i in range(n):
        ref = refs[i]
        page = ref & PAGE_BITS
        bits = flag[page]
        if bits & IN:
            flag[page] = <uint8_t>(bits | (ref >> WRITE_BIT) * DIRTY | IN_STACK)
            if bits & LIR:
                bottom = links_oldest(&l.stack, STACK) == page
                links_remove(&l.stack, STACK, page)
                links_front(&l.stack, STACK, page)
                if bottom:
                    lirs_prune(s, l)
                continue
            if bits & IN_STACK and l.lir_most > 0:
                # Used again within the stack: a short distance.
                links_remove(&l.stack, STACK, page)
                links_front(&l.stack, STACK, page)
                links_remove(&l.others, QUEUE, page)
                flag[page] |= LIR
                l.lir += 1
                if l.lir > l.lir_most:
                    lirs_demote(s, l)
            else:
                if bits & IN_STACK:
                    links_remove(&l.stack, STACK, page)
                links_front(&l.stack, STACK, page)
                links_remove(&l.others, QUEUE, page)
                links_front(&l.others, QUEUE, page)
            continue
        if s.resident == s.frames:
            lirs_evict(s, l)
        else:
            s.resident += 1
        bits = flag[page]    # the eviction may have dropped it from the stack
        promoted = bits & IN_STACK != 0
        if promoted:
            links_remove(&l.stack, STACK, page)
            links_remove(&l.others, GONE, page)
            promoted = l.lir_most > 0
        links_front(&l.stack, STACK, page)
        if promoted or l.lir < l.lir_most:
            enter(s, ref, LIR | IN_STACK)
            l.lir += 1
            if l.lir > l.lir_most:
                lirs_demote(s, l)
        else:
            enter(s, ref, IN_STACK)
            links_front(&l.others, QUEUE, page)
    return 0
