# opt: the page whose next use is farthest away goes. No policy can do better; none can do it
# without knowing the future, so it needs the whole trace.
#
# Source: L. A. Belady, "A study of replacement algorithms for a virtual-storage computer", IBM
# Systems Journal 5(2), 1966 (MIN).
#
# The next uses of the pages in memory are a set of distinct positions of the trace: a bitmap of as
# many bits, with summaries of summaries above it, so that the farthest is found in a few steps.
# Pages that are never used again are kept apart and go first.

from swapfast.replacement.contract cimport *
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

cdef extern from * nogil:
    """
    #define highest_bit64(w) (63 - __builtin_clzll(w))
    #define NEVER 0xffffffffu
    """
    int highest_bit64(uint64_t w)
    const uint32_t NEVER

cdef enum:
    OPT_LEVELS = 6

cdef struct opt_t:
    uint32_t *next           # position -> position of the next reference to the same page, or NEVER
    uint64_t *level[6]       # OPT_LEVELS
    uint32_t levels
    uint32_t *dead           # pages in memory that are never used again
    uint64_t deads

cdef inline int opt_begin(sim_t *s) noexcept nogil:
    cdef opt_t *o = <opt_t *>calloc(1, sizeof(opt_t))
    s.state = o
    if o == NULL:
        return -1
    o.dead = <uint32_t *>malloc(s.frames * sizeof(uint32_t))
    return 0 if o.dead != NULL else -1

cdef inline void opt_end(sim_t *s) noexcept nogil:
    cdef opt_t *o = <opt_t *>s.state
    cdef uint32_t k
    if o != NULL:
        for k in range(OPT_LEVELS):
            free(o.level[k])
        free(o.next)
        free(o.dead)
        free(o)

cdef inline bint opt_look_ahead(sim_t *s, opt_t *o, const uint32_t *refs,
                                uint64_t n) noexcept nogil:
    cdef uint32_t *later = <uint32_t *>malloc(s.pages * sizeof(uint32_t))
    cdef uint64_t i, bits = n
    cdef uint32_t page
    o.next = <uint32_t *>malloc(n * sizeof(uint32_t))
    o.levels = 0
    while True:
        bits = (bits + 63) >> 6
        o.level[o.levels] = <uint64_t *>calloc(bits, sizeof(uint64_t))
        if o.level[o.levels] == NULL:
            break
        o.levels += 1
        if bits == 1:
            break
    if later == NULL or o.next == NULL or bits != 1 or o.level[o.levels - 1] == NULL:
        free(later)
        return False
    memset(later, 0xFF, s.pages * sizeof(uint32_t))
    i = n
    while i > 0:
        i -= 1
        page = refs[i] & PAGE_BITS
        o.next[i] = later[page]
        later[page] = <uint32_t>i
    free(later)
    return True

cdef inline void opt_add(opt_t *o, uint32_t at) noexcept nogil:
    cdef uint32_t k
    cdef uint64_t before
    for k in range(o.levels):
        before = o.level[k][at >> 6]
        o.level[k][at >> 6] = before | (<uint64_t>1 << (at & 63))
        if before != 0:
            break
        at >>= 6

cdef inline void opt_remove(opt_t *o, uint32_t at) noexcept nogil:
    cdef uint32_t k
    for k in range(o.levels):
        o.level[k][at >> 6] &= ~(<uint64_t>1 << (at & 63))
        if o.level[k][at >> 6] != 0:
            break
        at >>= 6

cdef inline uint32_t opt_farthest(opt_t *o) noexcept nogil:
    cdef uint32_t k = o.levels, at = 0
    while k > 0:
        k -= 1
        at = (at << 6) | <uint32_t>highest_bit64(o.level[k][at])
    return at

cdef inline int opt_run(sim_t *s, const uint32_t *refs, uint64_t n) noexcept nogil:
    cdef opt_t *o = <opt_t *>s.state
    cdef uint8_t *flag = s.flag
    cdef uint64_t i
    cdef uint32_t page, ref, at
    if not opt_look_ahead(s, o, refs, n):
        return -1
    for i in range(n):
        ref = refs[i]
        page = ref & PAGE_BITS
        if flag[page] & IN:
            opt_remove(o, <uint32_t>i)
            flag[page] = <uint8_t>(flag[page] | (ref >> WRITE_BIT) * DIRTY)
        else:
            if s.resident < s.frames:
                s.resident += 1
            else:
                s.scanned += 1
                if o.deads > 0:
                    o.deads -= 1
                    leave(s, o.dead[o.deads], 0)
                else:
                    at = opt_farthest(o)
                    opt_remove(o, at)
                    leave(s, refs[at] & PAGE_BITS, 0)
            enter(s, ref, 0)
        if o.next[i] == NEVER:
            o.dead[o.deads] = page
            o.deads += 1
        else:
            opt_add(o, o.next[i])
    return 0
