# private: references of the caller, copied before they are checked and used.
#
# Another thread, or a process that writes to a mapped file, can change an array between the
# check of a reference and its use. A block is copied to memory of our own and checked there: what
# was checked is what is used. A file that is cut short has no pages where its references were: what
# reads them is guarded, and has called guard_arm() before.
#
# - highest_page(refs, n): of references in memory of our own
# - writes_among(refs, n): references that write
# - take_over(own, refs, n): copy them; the highest page among the copies, or LOST
# - look_over(refs, n): the highest page among references of the caller, or LOST
# - outside(page, pages, what, later): the error of a page that is not below ``pages``, or of LOST

from libc.stdint cimport uint32_t, uint64_t

from swapfast.core.guard cimport guard_copy, guard_read

cdef extern from * nogil:
    """
    #ifndef SWAPFAST_CLONES
    #if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
    #define SWAPFAST_CLONES __attribute__((target_clones("arch=x86-64-v3", "default")))
    #else
    #define SWAPFAST_CLONES
    #endif
    #endif
    SWAPFAST_CLONES
    static uint32_t swapfast_highest_page(const uint32_t *refs, uint64_t n) {
        uint32_t highest = 0;
        for (uint64_t i = 0; i < n; i++) {
            uint32_t page = refs[i] & 0x7fffffffu;
            if (page > highest) highest = page;
        }
        return highest;
    }
    SWAPFAST_CLONES
    static uint64_t swapfast_writes(const uint32_t *refs, uint64_t n) {
        uint64_t writes = 0;
        for (uint64_t i = 0; i < n; i++) writes += refs[i] >> 31;
        return writes;
    }
    """
    uint32_t highest_page "swapfast_highest_page"(const uint32_t *refs, uint64_t n)
    uint64_t writes_among "swapfast_writes"(const uint32_t *refs, uint64_t n)

cdef enum:
    OWN_BLOCK = 4096         # references, 16 KiB: half of a small first-level cache
    LOST = 0xFFFFFFFF        # above every page: the file of the references was cut short

cdef inline uint32_t take_over(uint32_t *own, const uint32_t *refs, uint64_t n) noexcept nogil:
    return highest_page(own, n) if guard_copy(own, refs, n * sizeof(uint32_t)) else LOST

cdef struct look_t:
    const uint32_t *refs
    uint64_t n
    uint32_t highest

cdef inline void look(void *what) noexcept nogil:
    cdef look_t *it = <look_t *>what
    it.highest = highest_page(it.refs, it.n)

cdef inline uint32_t look_over(const uint32_t *refs, uint64_t n) noexcept nogil:
    cdef look_t it = look_t(refs, n, 0)
    return it.highest if guard_read(look, &it) else LOST

cdef inline outside(uint32_t page, uint64_t pages, str what, bint later=False):
    if page == LOST:
        return ValueError("the file of these references was cut short since it was mapped")
    changed = ": the references were changed meanwhile" if later else ""
    return ValueError(f"page {page} of a {what} of {pages} pages{changed}")
