# pages: page numbers of an address space -> pages of a trace, in the order of their first touch.
#
# - more_room(array, room, least, size) -> False: no memory
# - pages_find(t, page, dense) -> PAGES_OK, PAGES_NO_MEMORY or PAGES_TOO_MANY; a new page gets the
#   next number
# - pages_hint(t, page): it will be asked for soon
# - pages_free(t)

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define SWAPFAST_PREFETCH(p) __builtin_prefetch(p)
    #else
    #define SWAPFAST_PREFETCH(p) ((void)(p))
    #endif
    """
    void SWAPFAST_PREFETCH(const void *p) noexcept nogil

cdef enum:
    PAGES_OK = 0
    PAGES_NO_MEMORY = 1
    PAGES_TOO_MANY = 2
    PAGES_MOST = 0x7FFFFFFF

cdef struct pages_t:
    # Open addressing, at most half full.
    uint64_t *keys       # page + 1, 0 = empty
    uint32_t *values
    uint64_t mask
    uint64_t count
    uint64_t *pages      # the other way round: page of the trace -> of the address space
    uint64_t pages_cap


cdef inline uint64_t mix(uint64_t x) noexcept nogil:
    x ^= x >> 33
    x *= <uint64_t>0xff51afd7ed558ccd
    x ^= x >> 33
    return x


cdef inline bint more_room(void **array, uint64_t *room, uint64_t least,
                           size_t size) noexcept nogil:
    # Room for twice as many elements of ``size`` bytes, and ``least`` more.
    cdef uint64_t wanted = 2 * room[0] + least
    cdef void *moved = realloc(array[0], wanted * size)
    if moved == NULL:
        return False
    array[0] = moved
    room[0] = wanted
    return True


cdef inline bint pages_grow(pages_t *t) noexcept nogil:
    cdef uint64_t size = 2 * (t.mask + 1) if t.keys != NULL else 1024, i, at
    cdef uint64_t *keys = <uint64_t *>calloc(size, 8)
    cdef uint32_t *values = <uint32_t *>calloc(size, 4)
    if keys == NULL or values == NULL:
        free(keys)
        free(values)
        return False
    if t.keys != NULL:
        for i in range(t.mask + 1):
            if t.keys[i] != 0:
                at = mix(t.keys[i]) & (size - 1)
                while keys[at] != 0:
                    at = (at + 1) & (size - 1)
                keys[at] = t.keys[i]
                values[at] = t.values[i]
    free(t.keys)
    free(t.values)
    t.keys = keys
    t.values = values
    t.mask = size - 1
    return True


cdef inline int pages_find(pages_t *t, uint64_t page, uint32_t *dense) noexcept nogil:
    cdef uint64_t at
    if t.keys == NULL or 2 * t.count > t.mask:
        if not pages_grow(t):
            return PAGES_NO_MEMORY
    at = mix(page + 1) & t.mask
    while t.keys[at] != 0:
        if t.keys[at] == page + 1:
            dense[0] = t.values[at]
            return PAGES_OK
        at = (at + 1) & t.mask
    if t.count >= PAGES_MOST:
        return PAGES_TOO_MANY
    if t.count == t.pages_cap and not more_room(<void **>&t.pages, &t.pages_cap, 1024, 8):
        return PAGES_NO_MEMORY
    t.keys[at] = page + 1
    t.values[at] = <uint32_t>t.count
    t.pages[t.count] = page
    dense[0] = <uint32_t>t.count
    t.count += 1
    return PAGES_OK


cdef inline void pages_hint(const pages_t *t, uint64_t page) noexcept nogil:
    cdef uint64_t at
    if t.keys != NULL:
        at = mix(page + 1) & t.mask
        SWAPFAST_PREFETCH(&t.keys[at])
        SWAPFAST_PREFETCH(&t.values[at])


cdef inline void pages_free(pages_t *t) noexcept nogil:
    free(t.keys)
    free(t.values)
    free(t.pages)
