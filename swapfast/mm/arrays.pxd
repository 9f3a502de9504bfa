# arrays: memory that grows with the pages, the slots and the address spaces; each array said once.
#
# - arrays_reserve_pages(core, n), arrays_reserve_slots(core, n), arrays_reserve_mms(core, n)
#   -> False: no memory, and nothing has changed. Untouched memory costs nothing.
# - arrays_free(core)
# - grow(all, n) -> False: no memory, and nothing has changed; release(all): for arrays of others

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.types cimport core_t, home_t, lazy_grow, lazy_unmap, page_t
from swapfast.mm.words cimport BLOCK_SHIFT, CLUSTER

cdef enum:
    MOST_PAGES = 0xFFFFFFC0
    MOST_ENTRIES = 0xFFFFFE00
    CLUSTER_SHIFT = 9    # 512 slots

cdef struct array_t:
    void **at
    size_t size          # bytes of an element
    uint32_t shift       # an element is for 1 << shift indexes

cdef struct arrays_t:    # those that grow together
    array_t one[13]
    uint32_t count
    uint32_t *length     # indexes that they have room for, a multiple of unit
    uint64_t unit
    uint64_t most

cdef inline arrays_t page_arrays(core_t *core) noexcept nogil:
    cdef arrays_t all
    # An enum is an int for Cython: its highest values would be negative.
    all.count, all.length, all.unit = 13, &core.pages_max, 1 << BLOCK_SHIFT
    all.most = <uint32_t>MOST_PAGES
    all.one[0] = array_t(<void **>&core.page, sizeof(page_t), 0)
    all.one[1] = array_t(<void **>&core.home, sizeof(home_t), 0)
    all.one[2] = array_t(<void **>&core.next, 4, 0)
    all.one[3] = array_t(<void **>&core.prev, 4, 0)
    all.one[4] = array_t(<void **>&core.frame, 4, 0)
    all.one[5] = array_t(<void **>&core.alloc_scope, 4, 0)
    all.one[6] = array_t(<void **>&core.writer, 4, 0)
    all.one[7] = array_t(<void **>&core.anchor, 4, 0)
    all.one[8] = array_t(<void **>&core.anchors.home, 4, 0)
    all.one[9] = array_t(<void **>&core.block_mapping, 4, BLOCK_SHIFT)
    all.one[10] = array_t(<void **>&core.mglru.page, 1, 0)
    all.one[11] = array_t(<void **>&core.mglru.table, 1, BLOCK_SHIFT)
    all.one[12] = array_t(<void **>&core.moves.marked, 8, BLOCK_SHIFT)
    return all

cdef inline arrays_t slot_arrays(core_t *core) noexcept nogil:
    cdef arrays_t all
    all.count, all.length, all.unit = 2, &core.slots_max, CLUSTER
    all.most = <uint32_t>MOST_ENTRIES
    all.one[0] = array_t(<void **>&core.slot_page, 4, 0)
    all.one[1] = array_t(<void **>&core.cluster_area, 4, CLUSTER_SHIFT)
    return all

cdef inline arrays_t mm_arrays(core_t *core) noexcept nogil:
    cdef arrays_t all
    all.count, all.length, all.unit = 5, &core.token.mms, 1
    all.most = <uint32_t>0xFFFFFFFF
    all.one[0] = array_t(<void **>&core.token.interval, 4, 0)
    all.one[1] = array_t(<void **>&core.token.priority, 4, 0)
    all.one[2] = array_t(<void **>&core.token.last, 4, 0)
    all.one[3] = array_t(<void **>&core.token.stalled_until, 8, 0)
    all.one[4] = array_t(<void **>&core.mglru.mm, 1, 0)
    return all

cdef inline bint resize(array_t *a, uint64_t old, uint64_t new) noexcept nogil:
    cdef void *moved = lazy_grow(a.at[0], (old >> a.shift) * a.size, (new >> a.shift) * a.size)
    if moved != NULL:
        a.at[0] = moved
    return moved != NULL

cdef inline bint grow(arrays_t all, uint64_t n) noexcept nogil:
    # To twice the old length at least, in whole units.
    cdef uint64_t old = all.length[0], new = max(n, 2 * old)
    cdef uint32_t i
    if n > all.most:
        return False
    new = min((new + all.unit - 1) // all.unit * all.unit, all.most)
    for i in range(all.count):
        if not resize(&all.one[i], old, new):
            while i > 0:   # those before go back to their length
                i -= 1
                resize(&all.one[i], new, old)
            return False
    all.length[0] = <uint32_t>new
    return True

cdef inline bint arrays_reserve_pages(core_t *core, uint64_t n) noexcept nogil:
    return n <= core.pages_max or grow(page_arrays(core), n)

cdef inline bint arrays_reserve_slots(core_t *core, uint64_t n) noexcept nogil:
    return n <= core.slots_max or grow(slot_arrays(core), n)

cdef inline bint arrays_reserve_mms(core_t *core, uint64_t n) noexcept nogil:
    return n <= core.token.mms or grow(mm_arrays(core), n)

cdef inline void release(arrays_t all) noexcept nogil:
    cdef uint32_t i
    for i in range(all.count):
        lazy_unmap(all.one[i].at[0], (all.length[0] >> all.one[i].shift) * all.one[i].size)
        all.one[i].at[0] = NULL

cdef inline void arrays_free(core_t *core) noexcept nogil:
    release(page_arrays(core))
    release(slot_arrays(core))
    release(mm_arrays(core))
