# slots: which slot of an area is given next. Two kernels' orders over one bitmap.
#
# SLOTS_NEXTFIT, 2.6.25 (mm/swapfile.c, scan_swap_map): a counter runs down from 256. When it is
# out, the search goes on at the first run of 256 free slots from the lowest free one (with fewer
# than 256 free: at the lowest free one). In between: next-fit, forward to the end, then from the
# lowest free slot.
#
# SLOTS_CLUSTER, 6.18 (cluster_alloc_swap_entry, one current position per area): clusters of 512
# slots.
#   1. from the position after the last slot given to the first free one in that cluster
#   2. else the first *partly used* cluster, from its beginning
#   3. else the first *unused* cluster, from its beginning
#   given:  cluster to the tail of partly used, or off the lists when full
#   freed:  to the tail of unused when empty; to the tail of partly used when it was full; else no
#   move
#
# - slots_init(a, n, bad, nbad): n slots; slot 0 and the nbad listed ones are never given
# - slots_take(a) -> slot within the area, NO_SLOT when full
# - slots_give(a, slot)
# - slots_free(a): the maps
# - slot_bit(map, slot): whether a map of slots (or NULL) has it

from swapfast.mm.types cimport *
from swapfast.mm.bitmap cimport *
from libc.string cimport memset

cdef enum:
    LIST_NONE = 0
    LIST_UNUSED = 1
    LIST_PARTLY = 2

cdef extern from *:
    """
    static const uint32_t NO_CLUSTER = 0xffffffffu;
    """
    const uint32_t NO_CLUSTER

cdef inline void cl_unlink(area_t *a, uint32_t c) noexcept nogil:
    cdef uint32_t which = a.cl_list[c], n, p
    if which == LIST_NONE:
        return
    n = a.cl_next[c]
    p = a.cl_prev[c]
    if p == NO_CLUSTER:
        a.first[which] = n
    else:
        a.cl_next[p] = n
    if n == NO_CLUSTER:
        a.last[which] = p
    else:
        a.cl_prev[n] = p
    a.cl_list[c] = LIST_NONE

cdef inline void cl_append(area_t *a, uint32_t c, uint32_t which) noexcept nogil:
    cl_unlink(a, c)
    a.cl_list[c] = <uint8_t>which
    a.cl_next[c] = NO_CLUSTER
    a.cl_prev[c] = a.last[which]
    if a.last[which] == NO_CLUSTER:
        a.first[which] = c
    else:
        a.cl_next[a.last[which]] = c
    a.last[which] = c

cdef inline bint clusters_init(area_t *a) noexcept nogil:
    cdef uint32_t n = (a.slots + CLUSTER - 1) // CLUSTER, c, i, end
    cdef uint64_t usable
    a.clusters = n
    a.cl_bytes = <size_t>n * (2 * sizeof(uint32_t) + sizeof(uint16_t) + 1)
    a.cl_next = <uint32_t *>lazy_map(a.cl_bytes)
    if a.cl_next == NULL:
        return False
    a.cl_prev = a.cl_next + n
    a.cl_used = <uint16_t *>(a.cl_prev + n)
    a.cl_list = <uint8_t *>(a.cl_used + n)
    a.first[LIST_UNUSED] = a.last[LIST_UNUSED] = NO_CLUSTER
    a.first[LIST_PARTLY] = a.last[LIST_PARTLY] = NO_CLUSTER
    # Slots that cannot be given count as used; a cluster with any of them starts as partly used,
    # and one without a usable slot on no list at all.
    for c in range(n):
        usable = 0
        for i in range(CLUSTER // 64):
            end = c * (CLUSTER // 64) + i
            if end < (a.free.bits + 63) >> 6:
                usable += popcount64(a.free.level[0][end])
        a.cl_used[c] = <uint16_t>(CLUSTER - usable)
        if usable == CLUSTER:
            cl_append(a, c, LIST_UNUSED)
        elif usable > 0:
            cl_append(a, c, LIST_PARTLY)
    return True

cdef inline bint slots_init(area_t *a, uint32_t n, const uint32_t *bad,
                            uint32_t nbad) noexcept nogil:
    cdef uint32_t i
    if not bitmap_init(&a.free, n):
        return False
    bitmap_fill(&a.free)
    bitmap_clear(&a.free, 0)
    a.slots = n
    a.pages = n - 1
    for i in range(nbad):
        if bitmap_test(&a.free, bad[i]):
            bitmap_clear(&a.free, bad[i])
            a.pages -= 1
    a.inuse = 0
    a.cluster_next = 1
    a.cluster_nr = 0
    a.position = 0
    if a.strategy == SLOTS_CLUSTER:
        return clusters_init(a)
    return True

cdef inline size_t slot_map_bytes(area_t *a) noexcept nogil:
    return ((<size_t>a.slots + 63) >> 6) * 8

cdef inline bint slot_bit(const uint64_t *map, uint32_t slot) noexcept nogil:
    return map != NULL and (map[slot >> 6] >> (slot & 63)) & 1

cdef inline void slots_free(area_t *a) noexcept nogil:
    bitmap_free(&a.free)
    lazy_unmap(a.cl_next, a.cl_bytes)
    a.cl_next = NULL
    lazy_unmap(a.zeromap, a.zeromap_bytes)
    a.zeromap = NULL
    lazy_unmap(a.pinned, slot_map_bytes(a))
    lazy_unmap(a.summed, slot_map_bytes(a))
    lazy_unmap(a.held, slot_map_bytes(a))
    lazy_unmap(a.sums, <size_t>a.slots * 4)
    a.pinned = a.summed = a.held = NULL
    a.sums = NULL

cdef inline uint32_t nextfit_take(area_t *a) noexcept nogil:
    cdef uint64_t offset, lowest
    if a.inuse >= a.pages:
        return NO_SLOT
    lowest = bitmap_next(&a.free, 1)
    offset = a.cluster_next
    if a.cluster_nr == 0:
        a.cluster_nr = NEXTFIT_CLUSTER - 1
        offset = lowest
        if a.pages - a.inuse >= NEXTFIT_CLUSTER:
            offset = bitmap_run(&a.free, lowest, NEXTFIT_CLUSTER)
            if offset >= a.free.bits:
                offset = lowest
    else:
        a.cluster_nr -= 1
        offset = bitmap_next(&a.free, offset)
        if offset >= a.free.bits:
            offset = lowest
    a.cluster_next = <uint32_t>offset + 1
    bitmap_clear(&a.free, offset)
    a.inuse += 1
    return <uint32_t>offset

cdef inline uint32_t cluster_find(area_t *a, uint32_t c, uint32_t start) noexcept nogil:
    cdef uint64_t end = (<uint64_t>c + 1) * CLUSTER, found
    found = bitmap_next(&a.free, start)
    return <uint32_t>found if found < end and found < a.free.bits else NO_SLOT

cdef inline uint32_t cluster_take(area_t *a) noexcept nogil:
    cdef uint32_t slot = NO_SLOT, c = 0
    if a.inuse >= a.pages:
        return NO_SLOT
    if a.position != 0:
        c = a.position // CLUSTER
        slot = cluster_find(a, c, a.position)
    if slot == NO_SLOT:
        c = a.first[LIST_PARTLY]
        if c == NO_CLUSTER:
            c = a.first[LIST_UNUSED]
        SWAPFAST_CHECK(c != NO_CLUSTER, b"an area that is not full has a cluster with room")
        slot = cluster_find(a, c, c * CLUSTER)
        SWAPFAST_CHECK(slot != NO_SLOT, b"a listed cluster has a free slot")
    bitmap_clear(&a.free, slot)
    a.inuse += 1
    a.cl_used[c] += 1
    if a.cl_used[c] == CLUSTER:
        cl_unlink(a, c)
    else:
        cl_append(a, c, LIST_PARTLY)
    # Reaching the end of the cluster clears the position.
    a.position = 0 if (slot + 1) % CLUSTER == 0 or slot + 1 >= a.slots else slot + 1
    return slot

cdef inline uint32_t slots_take(area_t *a) noexcept nogil:
    return cluster_take(a) if a.strategy == SLOTS_CLUSTER else nextfit_take(a)

cdef inline void slots_give(area_t *a, uint32_t slot) noexcept nogil:
    cdef uint32_t c
    SWAPFAST_CHECK(slot > 0 and slot < a.slots and not bitmap_test(&a.free, slot),
                   b"a slot that is freed was in use")
    bitmap_set(&a.free, slot)
    a.inuse -= 1
    if a.strategy == SLOTS_CLUSTER:
        c = slot // CLUSTER
        a.cl_used[c] -= 1
        if a.cl_used[c] == 0:
            cl_append(a, c, LIST_UNUSED)
        elif a.cl_used[c] == CLUSTER - 1:
            cl_append(a, c, LIST_PARTLY)
