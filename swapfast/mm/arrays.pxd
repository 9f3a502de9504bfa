# arrays: memory that grows with the pages, the slots and the address spaces; each array said once.
#
# - arrays_reserve_pages(core, n), arrays_reserve_slots(core, n), arrays_reserve_mms(core, n)
#   -> False: no memory, and nothing has changed. Untouched memory costs nothing.
# - arrays_free(core)

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.types cimport core_t, home_t, lazy_grow, lazy_unmap, page_t
from swapfast.mm.words cimport BLOCK_SHIFT, CLUSTER

cdef enum:
    MOST_PAGES = 0xFFFFFFC0
    MOST_ENTRIES = 0xFFFFFE00
    CLUSTER_SHIFT = 9    # 512 slots
    PAGE_ARRAYS = 10
    SLOT_ARRAYS = 2
    MM_ARRAYS = 4

cdef struct array_t:
    void **at
    size_t size          # bytes of an element
    uint32_t shift       # an element is for 1 << shift indexes

cdef inline void page_arrays(core_t *core, array_t *all) noexcept nogil:
    all[0] = array_t(<void **>&core.page, sizeof(page_t), 0)
    all[1] = array_t(<void **>&core.home, sizeof(home_t), 0)
    all[2] = array_t(<void **>&core.next, 4, 0)
    all[3] = array_t(<void **>&core.prev, 4, 0)
    all[4] = array_t(<void **>&core.frame, 4, 0)
    all[5] = array_t(<void **>&core.alloc_scope, 4, 0)
    all[6] = array_t(<void **>&core.writer, 4, 0)
    all[7] = array_t(<void **>&core.anchor, 4, 0)
    all[8] = array_t(<void **>&core.anchors.home, 4, 0)
    all[9] = array_t(<void **>&core.block_mapping, 4, BLOCK_SHIFT)

cdef inline void slot_arrays(core_t *core, array_t *all) noexcept nogil:
    all[0] = array_t(<void **>&core.slot_page, 4, 0)
    all[1] = array_t(<void **>&core.cluster_area, 4, CLUSTER_SHIFT)

cdef inline void mm_arrays(core_t *core, array_t *all) noexcept nogil:
    all[0] = array_t(<void **>&core.token.interval, 4, 0)
    all[1] = array_t(<void **>&core.token.priority, 4, 0)
    all[2] = array_t(<void **>&core.token.last, 4, 0)
    all[3] = array_t(<void **>&core.token.stalled_until, 8, 0)

cdef inline bint grow_all(array_t *all, uint32_t n, uint64_t old, uint64_t new) noexcept nogil:
    cdef uint32_t i
    cdef void *moved
    for i in range(n):
        moved = lazy_grow(all[i].at[0], (old >> all[i].shift) * all[i].size,
                          (new >> all[i].shift) * all[i].size)
        if moved == NULL:
            while i > 0:   # those before go back to their length
                i -= 1
                moved = lazy_grow(all[i].at[0], (new >> all[i].shift) * all[i].size,
                                  (old >> all[i].shift) * all[i].size)
                if moved != NULL:
                    all[i].at[0] = moved
            return False
        all[i].at[0] = moved
    return True

cdef inline void free_all(array_t *all, uint32_t n, uint64_t old) noexcept nogil:
    cdef uint32_t i
    for i in range(n):
        lazy_unmap(all[i].at[0], (old >> all[i].shift) * all[i].size)
        all[i].at[0] = NULL

cdef inline uint64_t wanted(uint64_t n, uint64_t old, uint64_t most, uint64_t unit) noexcept nogil:
    # Twice the old length at least, in whole units.
    cdef uint64_t new = n if n > 2 * old else 2 * old
    new = (new + unit - 1) // unit * unit
    return new if new < most else most

cdef inline bint arrays_reserve_pages(core_t *core, uint64_t n) noexcept nogil:
    cdef array_t all[10]
    cdef uint64_t new = wanted(n, core.pages_max, MOST_PAGES, 1 << BLOCK_SHIFT)
    if n <= core.pages_max:
        return True
    page_arrays(core, all)
    if n > MOST_PAGES or not grow_all(all, PAGE_ARRAYS, core.pages_max, new):
        return False
    core.pages_max = <uint32_t>new
    return True

cdef inline bint arrays_reserve_slots(core_t *core, uint64_t n) noexcept nogil:
    cdef array_t all[2]
    cdef uint64_t new = wanted(n, core.slots_max, MOST_ENTRIES, CLUSTER)
    if n <= core.slots_max:
        return True
    slot_arrays(core, all)
    if n > MOST_ENTRIES or not grow_all(all, SLOT_ARRAYS, core.slots_max, new):
        return False
    core.slots_max = <uint32_t>new
    return True

cdef inline bint arrays_reserve_mms(core_t *core, uint32_t n) noexcept nogil:
    cdef array_t all[4]
    cdef uint64_t new = wanted(n, core.token.mms, 0xFFFFFFFF, 1)
    if n <= core.token.mms:
        return True
    mm_arrays(core, all)
    if not grow_all(all, MM_ARRAYS, core.token.mms, new):
        return False
    core.token.mms = <uint32_t>new
    return True

cdef inline void arrays_free(core_t *core) noexcept nogil:
    cdef array_t all[10]
    page_arrays(core, all)
    free_all(all, PAGE_ARRAYS, core.pages_max)
    slot_arrays(core, all)
    free_all(all, SLOT_ARRAYS, core.slots_max)
    mm_arrays(core, all)
    free_all(all, MM_ARRAYS, core.token.mms)
