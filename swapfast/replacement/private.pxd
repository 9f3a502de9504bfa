# private: references of the caller, copied before they are checked and used.
#
# Another thread, or a process that writes to a mapped file, can change an array between the
# check of a reference and its use. A block is copied to memory of our own and checked there: what
# was checked is what is used.
#
# - highest_page(refs, n): of references
# - writes_among(refs, n): references that write
# - take_over(own, refs, n): copy them; the highest page among the copies

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy

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

cdef inline uint32_t take_over(uint32_t *own, const uint32_t *refs, uint64_t n) noexcept nogil:
    memcpy(own, refs, n * sizeof(uint32_t))
    return highest_page(own, n)
