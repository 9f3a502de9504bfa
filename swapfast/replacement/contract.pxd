# contract: what a replacement policy is, when nothing but replacement is asked about.
#
# A *simulation* is a memory of `frames` page frames, a trace over `pages` pages, one flag byte a
# page, and counters. A *policy* is a table of three functions; it is called with batches of
# references, so that its loop is its own and no call is made for one reference.
#
#   begin(s) -> 0, or -1: no memory       its state goes to s.state
#   run(s, refs, n) -> 0, or -1           n references; bit 31 = write, low 31 bits = page
#   end(s)                                frees s.state
#
# The low three flag bits mean the same for all; the other five are the policy's:
#
#   IN     the page is in memory
#   DIRTY  it would have to be written if it were evicted now
#   SEEN   it was in memory once (its first fault finds nothing in swap)
#
# To plug in a policy of your own: cimport this file, fill a replacement_t, and hand a capsule named
# REPLACEMENT_CAPSULE with its address to swapfast.replacement.simulate(). See tests/replacement.
#
# - enter(s, ref, mine): the page of this reference is in memory; mine = the policy's bits
# - leave(s, page, mine): the page is evicted; written out if it was dirty
# - hits(s, refs, i, n, mine) -> index of the first reference from i on that is not a hit; all
#   before it are marked: mine is OR-ed into their flags

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from * nogil:
    """
    #define REPLACEMENT_CAPSULE "swapfast.replacement"
    #ifndef SWAPFAST_REPLACEMENT
    #define SWAPFAST_REPLACEMENT
    #include <stdint.h>
    #define SWAPFAST_PAGE(ref) ((ref) & 0x7fffffffu)

    /* 1 if eight references are all to one page; any: the OR of them. Most are not; that is found
     * by three of them. */
    static inline int swapfast_one_page(const uint32_t *refs, uint32_t *any) {
        uint32_t differ = (refs[0] ^ refs[7]) | (refs[0] ^ refs[3]), all = 0;
        if (__builtin_expect(SWAPFAST_PAGE(differ) != 0, 1)) return 0;
        for (int k = 0; k < 8; k++) { differ |= refs[k] ^ refs[0]; all |= refs[k]; }
        *any = all;
        return SWAPFAST_PAGE(differ) == 0;
    }

    /* End of the references to one page of which the first eight are known; *any: the OR of all. */
    static inline uint64_t swapfast_burst(const uint32_t *refs, uint64_t i, uint64_t n,
                                          uint32_t *any) {
        uint32_t all = *any;
        for (i += 8; i + 8 <= n; i += 8) {
            uint32_t differ = 0, eight = 0;
            for (int k = 0; k < 8; k++) { differ |= refs[i + k] ^ all; eight |= refs[i + k]; }
            if (SWAPFAST_PAGE(differ)) break;
            all |= eight;
        }
        for (; i < n && SWAPFAST_PAGE(refs[i] ^ all) == 0; i++) all |= refs[i];
        *any = all;
        return i;
    }

    /* In C because of restrict: flag bytes may alias anything else. IN is 1, DIRTY is 2. */
    static inline int swapfast_hit(uint8_t *restrict flag, uint32_t ref, uint32_t mine) {
        uint8_t *f = flag + SWAPFAST_PAGE(ref);
        uint32_t bits = *f;
        if (__builtin_expect(!(bits & 1), 0)) return 0;
        *f = (uint8_t)(bits | mine | (ref >> 30 & 2));
        return 1;
    }

    /* A processor looks some twenty references ahead by itself; the prefetch looks further. */
    enum { SWAPFAST_AHEAD = 32 };

    static inline uint64_t swapfast_hits(uint8_t *restrict flag, const uint32_t *restrict refs,
                                         uint64_t i, uint64_t n, uint32_t mine) {
        while (i + SWAPFAST_AHEAD + 8 <= n) {
            const uint32_t *r = refs + i;
            uint32_t any;
            if (swapfast_one_page(r, &any)) {
                if (!(flag[SWAPFAST_PAGE(any)] & 1)) return i;
                i = swapfast_burst(refs, i, n, &any);
                swapfast_hit(flag, any, mine);
                continue;
            }
            for (int k = 0; k < 8; k++)
                __builtin_prefetch(flag + SWAPFAST_PAGE(r[k + SWAPFAST_AHEAD]), 1, 3);
    #pragma GCC unroll 8
            for (int k = 0; k < 8; k++)
                if (!swapfast_hit(flag, r[k], mine)) return i + (uint64_t)k;
            i += 8;
        }
        for (; i < n; i++)
            if (!swapfast_hit(flag, refs[i], mine)) return i;
        return n;
    }
    #define swapfast_likely(x) __builtin_expect(!!(x), 1)
    #define swapfast_unlikely(x) __builtin_expect(!!(x), 0)
    #define swapfast_prefetch(p) __builtin_prefetch((p), 1, 3)
    #endif
    """
    const char *REPLACEMENT_CAPSULE
    bint one_page "swapfast_one_page"(const uint32_t *refs, uint32_t *any)
    uint64_t swapfast_hits(uint8_t *flag, const uint32_t *refs, uint64_t i, uint64_t n,
                           uint32_t mine)
    bint likely "swapfast_likely"(bint x)
    bint unlikely "swapfast_unlikely"(bint x)
    void prefetch "swapfast_prefetch"(const void *p)

cdef enum:
    IN = 1
    DIRTY = 2
    SEEN = 4
    WRITE_BIT = 31
    PAGE_BITS = 0x7FFFFFFF

cdef struct sim_t:
    uint64_t frames          # size of the memory
    uint64_t resident        # pages in it
    uint32_t pages
    uint8_t *flag            # one byte a page
    uint64_t evicted         # every fault brings a page in: faults are evicted + resident
    uint64_t written         # of these, pages whose copy in swap was old or missing
    uint64_t scanned         # pages looked at in the search for a victim
    void *state              # the policy's own

cdef struct replacement_t:
    const char *name
    int (*begin)(sim_t *s) noexcept nogil
    int (*run)(sim_t *s, const uint32_t *refs, uint64_t n) noexcept nogil
    void (*end)(sim_t *s) noexcept nogil
    bint whole               # run() is called once, with the whole trace

cdef inline void enter(sim_t *s, uint32_t ref, uint32_t mine) noexcept nogil:
    cdef uint8_t *flag = &s.flag[ref & PAGE_BITS]
    # A page that swap has no copy of is as good as dirty.
    cdef uint32_t dirty = (ref >> WRITE_BIT) | ((flag[0] & SEEN) == 0)
    flag[0] = <uint8_t>(mine | IN | SEEN | dirty * DIRTY)

cdef inline void leave(sim_t *s, uint32_t page, uint32_t mine) noexcept nogil:
    s.evicted += 1
    s.written += (s.flag[page] & DIRTY) != 0
    s.flag[page] = <uint8_t>(mine | SEEN)

cdef inline uint64_t hits(sim_t *s, const uint32_t *refs, uint64_t i, uint64_t n,
                          uint32_t mine) noexcept nogil:
    return swapfast_hits(s.flag, refs, i, n, mine)
