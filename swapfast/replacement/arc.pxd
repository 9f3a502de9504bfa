# arc: two LRU lists, pages used once and pages used again, and a ghost list behind each. A fault
# on a ghost says which of the two should have been longer.
#
# Source: N. Megiddo, D. S. Modha, "ARC: a self-tuning, low overhead replacement cache", FAST 2003,
# figure 4. T1 + B1 hold at most c pages, all four at most 2c.
#
# The target p moves by |B2| / |B1| (or the inverse) at a ghost hit, at least by 1. The paper does
# not say whether the step is rounded; p is a real number here, as in libCacheSim.

from swapfast.replacement.contract cimport *
from swapfast.replacement.links cimport *
from libc.stdlib cimport calloc, free

cdef enum:
    T1 = 0
    T2 = 1
    B1 = 2
    B2 = 3
    AT = 8                   # flag: list number + 1, times eight
    AT_MASK = 56

cdef struct arc_t:
    links_t lists
    double p                 # how long T1 should be

cdef inline int arc_begin(sim_t *s) noexcept nogil:
    cdef arc_t *a = <arc_t *>calloc(1, sizeof(arc_t))
    s.state = a
    if a == NULL:
        return -1
    return 0 if links_init(&a.lists, s.pages, 4) else -1

cdef inline void arc_end(sim_t *s) noexcept nogil:
    cdef arc_t *a = <arc_t *>s.state
    if a != NULL:
        links_free(&a.lists)
        free(a)

cdef inline void arc_demote(sim_t *s, arc_t *a, uint32_t source, uint32_t to) noexcept nogil:
    # The oldest of a list in memory becomes the newest ghost behind it.
    cdef uint32_t page = links_oldest(&a.lists, source)
    links_remove(&a.lists, source, page)
    links_front(&a.lists, to, page)
    leave(s, page, (to + 1) * AT)
    s.resident -= 1

cdef inline void arc_replace(sim_t *s, arc_t *a, bint ghost_of_t2) noexcept nogil:
    cdef uint64_t t1 = a.lists.count[T1]
    s.scanned += 1
    if t1 > 0 and (<double>t1 > a.p or (<double>t1 == a.p and ghost_of_t2)):
        arc_demote(s, a, T1, B1)
    else:
        arc_demote(s, a, T2, B2)

cdef inline void arc_forget(sim_t *s, arc_t *a, uint32_t ghosts) noexcept nogil:
    cdef uint32_t page = links_oldest(&a.lists, ghosts)
    links_remove(&a.lists, ghosts, page)
    s.flag[page] &= ~AT_MASK

cdef inline double arc_step(arc_t *a, uint32_t more, uint32_t less) noexcept nogil:
    cdef uint64_t b_more = a.lists.count[more], b_less = a.lists.count[less]
    if b_more <= b_less:
        return 1.0
    return <double>b_more / <double>b_less

cdef inline void arc_make_room(sim_t *s, arc_t *a) noexcept nogil:
    # A page that no list knows comes in (case IV).
    cdef uint64_t *count = a.lists.count
    cdef uint64_t c = s.frames
    cdef uint32_t page
    if count[T1] + count[B1] == c:
        if count[T1] < c:
            arc_forget(s, a, B1)
            arc_replace(s, a, False)
        else:
            page = links_oldest(&a.lists, T1)
            links_remove(&a.lists, T1, page)
            leave(s, page, 0)
            s.scanned += 1
            s.resident -= 1
    elif count[T1] + count[T2] + count[B1] + count[B2] >= c:
        if count[T1] + count[T2] + count[B1] + count[B2] == 2 * c:
            arc_forget(s, a, B2)
        arc_replace(s, a, False)

cdef inline int arc_run(sim_t *s, const uint32_t *refs, uint64_t n) noexcept nogil:
    cdef arc_t *a = <arc_t *>s.state
    cdef uint8_t *flag = s.flag
    cdef uint64_t i
    cdef uint32_t page, bits, ref, at
    for i in range(n):
        ref = refs[i]
        page = ref & PAGE_BITS
        bits = flag[page]
        if bits & IN:
            at = ((bits & AT_MASK) >> 3) - 1
            links_remove(&a.lists, at, page)
            links_front(&a.lists, T2, page)
            flag[page] = <uint8_t>((bits & ~AT_MASK) | (T2 + 1) * AT
                                   | (ref >> WRITE_BIT) * DIRTY)
            continue
        if bits & AT_MASK:
            at = ((bits & AT_MASK) >> 3) - 1
            if at == B1:
                a.p += arc_step(a, B2, B1)
                if a.p > <double>s.frames:
                    a.p = <double>s.frames
            else:
                a.p -= arc_step(a, B1, B2)
                if a.p < 0.0:
                    a.p = 0.0
            arc_replace(s, a, at == B2)
            links_remove(&a.lists, at, page)
            links_front(&a.lists, T2, page)
            enter(s, ref, (T2 + 1) * AT)
        else:
            if s.resident == s.frames:
                arc_make_room(s, a)
            links_front(&a.lists, T1, page)
            enter(s, ref, (T1 + 1) * AT)
        s.resident += 1
    return 0
