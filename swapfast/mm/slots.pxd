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
# Runs, of either: 2^order slots, aligned to their number as those of a large folio, so that none
# crosses a cluster. A bitmap for each order says which clusters may have one. Taking slots leaves
# it as it is; freeing one notes that its cluster changed, and who looks for a run counts again what
# changed on its way, and what disappoints it; runs shorter than any that was ever asked for are not
# counted. The search goes on where the last run was, then from the beginning. The run of 256 above
# may begin anywhere, but holds an aligned run of 128.
#
# - slots_init(a, n, bad, nbad): n slots; slot 0 and the nbad listed ones are never given
# - slots_count(a): what follows from a map of free slots that was written as a whole
# - slots_take(a) -> slot within the area, NO_SLOT when full
# - slots_give(a, slot)
# - slots_take_run(a, order) -> first slot of the run, NO_SLOT: there is none; order 0 to 9
# - slots_give_run(a, slot, order)
# - slots_free(a): the maps
# - slot_bit(map, slot): whether a map of slots (or NULL) has it

from libc.stdint cimport uint16_t, uint32_t, uint64_t, uint8_t
from swapfast.mm.bitmap cimport (
    bitmap_clear, bitmap_clear_block, bitmap_fill, bitmap_find_block, bitmap_free, bitmap_init,
    bitmap_next, bitmap_run, bitmap_set, bitmap_set_block, bitmap_set_if, bitmap_sum_up,
    bitmap_test, longest_block,
)
from swapfast.mm.types cimport (
    LIKELY, SWAPFAST_CHECK, UNLIKELY, area_t, lazy_map, lazy_unmap, popcount64,
)
from swapfast.mm.words cimport CLUSTER, NEXTFIT_CLUSTER, NO_SLOT, SLOTS_CLUSTER
from libc.string cimport memset

cdef enum:
    LIST_NONE = 0
    LIST_UNUSED = 1
    LIST_PARTLY = 2

    CLUSTER_WORDS = 8    # CLUSTER / 64
    MAX_ORDER = 9        # a run of a whole cluster
    NEXTFIT_ORDER = 7    # every run of NEXTFIT_CLUSTER slots holds an aligned one of half of that

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
    if a.last[which] == c and a.cl_list[c] == which:
        return
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
    cdef uint32_t n = a.clusters
    a.cl_bytes = <size_t>n * (2 * sizeof(uint32_t) + sizeof(uint16_t) + 1)
    a.cl_next = <uint32_t *>lazy_map(a.cl_bytes)
    if a.cl_next == NULL:
        return False
    a.cl_prev = a.cl_next + n
    a.cl_used = <uint16_t *>(a.cl_prev + n)
    a.cl_list = <uint8_t *>(a.cl_used + n)
    return True

cdef inline void clusters_count(area_t *a) noexcept nogil:
    # Slots that cannot be given count as used; a cluster with any of them starts as partly used,
    # and one without a usable slot on no list at all.
    cdef uint32_t c, i
    cdef uint64_t usable, words = (a.free.bits + 63) >> 6, w
    a.first[LIST_UNUSED] = a.last[LIST_UNUSED] = NO_CLUSTER
    a.first[LIST_PARTLY] = a.last[LIST_PARTLY] = NO_CLUSTER
    for c in range(a.clusters):
        usable = 0
        for i in range(CLUSTER_WORDS):
            w = <uint64_t>c * CLUSTER_WORDS + i
            if w < words:
                usable += popcount64(a.free.level[0][w])
        a.cl_used[c] = <uint16_t>(CLUSTER - usable)
        a.cl_list[c] = LIST_NONE
        if usable == CLUSTER:
            cl_append(a, c, LIST_UNUSED)
        elif usable > 0:
            cl_append(a, c, LIST_PARTLY)

cdef inline void slots_count(area_t *a) noexcept nogil:
    cdef uint64_t w, usable = 0
    bitmap_sum_up(&a.free)
    for w in range((a.free.bits + 63) >> 6):
        usable += popcount64(a.free.level[0][w])
    a.inuse = <uint32_t>(a.pages - usable)
    if a.strategy == SLOTS_CLUSTER:
        clusters_count(a)

cdef inline uint64_t runs_stride(area_t *a) noexcept nogil:
    return (<uint64_t>a.clusters + 63) & ~<uint64_t>63

cdef inline bint slots_init(area_t *a, uint32_t n, const uint32_t *bad,
                            uint32_t nbad) noexcept nogil:
    cdef uint32_t i
    a.slots = n
    a.clusters = (n + CLUSTER - 1) // CLUSTER
    a.run_order = <uint8_t *>lazy_map(a.clusters)
    if not (a.run_order != NULL and bitmap_init(&a.free, n) and bitmap_init(&a.changed, a.clusters)
            and bitmap_init(&a.runs, MAX_ORDER * runs_stride(a))):
        return False
    bitmap_fill(&a.free)
    bitmap_clear(&a.free, 0)
    a.pages = n - 1
    for i in range(nbad):
        if bitmap_test(&a.free, bad[i]):
            bitmap_clear(&a.free, bad[i])
            a.pages -= 1
    a.inuse = 0
    a.cluster_next = 1
    a.cluster_nr = 0
    a.position = 0
    a.run_cluster = 0
    a.run_least = 0
    if a.strategy == SLOTS_CLUSTER:
        if not clusters_init(a):
            return False
        clusters_count(a)
    return True

cdef inline size_t slot_map_bytes(area_t *a) noexcept nogil:
    return ((<size_t>a.slots + 63) >> 6) * 8

cdef inline bint slot_bit(const uint64_t *map, uint32_t slot) noexcept nogil:
    return map != NULL and (map[slot >> 6] >> (slot & 63)) & 1

cdef inline void slots_free(area_t *a) noexcept nogil:
    bitmap_free(&a.free)
    bitmap_free(&a.runs)
    bitmap_free(&a.changed)
    lazy_unmap(a.run_order, a.clusters)
    a.run_order = NULL
    lazy_unmap(a.cl_next, a.cl_bytes)
    a.cl_next = NULL
    lazy_unmap(a.zeromap, a.zeromap_bytes)
    a.zeromap = NULL
    lazy_unmap(a.pinned, slot_map_bytes(a))
    lazy_unmap(a.summed, slot_map_bytes(a))
    lazy_unmap(a.held, slot_map_bytes(a))
    lazy_unmap(a.sums, <size_t>a.slots * 4)
    lazy_unmap(a.stored, <size_t>a.slots * 2)
    a.stored = NULL
    lazy_unmap(a.moves.order, <size_t>a.slots * 8)
    a.moves.order = NULL
    a.pinned = a.summed = a.held = NULL
    a.sums = NULL

# ---------------------------------------------------------------- clusters that may have a run

cdef inline void runs_count(area_t *a, uint32_t c) noexcept nogil:
    cdef uint64_t first = <uint64_t>c * CLUSTER_WORDS, stride = runs_stride(a)
    cdef uint64_t words = ((a.free.bits + 63) >> 6) - first
    cdef uint32_t order, k
    order = longest_block(a.free.level[0] + first, <uint32_t>words if words < CLUSTER_WORDS
                          else CLUSTER_WORDS, a.run_least)
    for k in range(a.run_order[c], order):
        bitmap_set(&a.runs, k * stride + c)
    for k in range(order, a.run_order[c]):
        bitmap_clear(&a.runs, k * stride + c)
    a.run_order[c] = <uint8_t>order

cdef inline uint32_t runs_next(area_t *a, uint32_t c, uint32_t order) noexcept nogil:
    # The first such cluster from c on, or NO_CLUSTER.
    cdef uint64_t begin = (order - 1) * runs_stride(a), found, changed
    if UNLIKELY(order < a.run_least or a.run_least == 0):
        a.run_least = order if order >= NEXTFIT_ORDER else 1
        bitmap_fill(&a.changed)
    while True:
        found = bitmap_next(&a.runs, begin + c) - begin
        changed = bitmap_next(&a.changed, c)
        if changed >= found or changed >= a.clusters:
            return <uint32_t>found if found < a.clusters else NO_CLUSTER
        bitmap_clear(&a.changed, changed)
        runs_count(a, <uint32_t>changed)

# ---------------------------------------------------------------- single slots

cdef inline uint64_t nextfit_run(area_t *a, uint64_t lowest) noexcept nogil:
    # Start of the first run of NEXTFIT_CLUSTER free slots from the lowest free one on, or that one.
    cdef uint64_t at = lowest, first, found
    cdef uint32_t c
    while at + NEXTFIT_CLUSTER <= a.free.bits:
        c = runs_next(a, <uint32_t>(at // CLUSTER), NEXTFIT_ORDER)
        if c == NO_CLUSTER:
            break
        first = <uint64_t>c * CLUSTER
        if bitmap_find_block(&a.free, first, CLUSTER_WORDS, NEXTFIT_ORDER) >= a.free.bits:
            runs_count(a, c)
            continue
        if at + NEXTFIT_CLUSTER <= first:
            at = first - NEXTFIT_CLUSTER + 1   # a run with the block in it begins no earlier
        found = bitmap_run(&a.free, at, NEXTFIT_CLUSTER, first + CLUSTER)
        if found < a.free.bits:
            return found
        at = first + CLUSTER
    return lowest

cdef inline uint32_t nextfit_take(area_t *a) noexcept nogil:
    cdef uint64_t offset = a.free.bits
    if LIKELY(a.cluster_nr > 0):
        offset = bitmap_next(&a.free, a.cluster_next)
    if UNLIKELY(offset == a.free.bits):
        if a.inuse >= a.pages:
            return NO_SLOT
        offset = bitmap_next(&a.free, 1)
        if a.cluster_nr == 0:
            a.cluster_nr = NEXTFIT_CLUSTER
            if a.pages - a.inuse >= NEXTFIT_CLUSTER:
                offset = nextfit_run(a, offset)
    a.cluster_nr -= 1
    a.cluster_next = <uint32_t>offset + 1
    bitmap_clear(&a.free, offset)
    a.inuse += 1
    return <uint32_t>offset

cdef inline uint32_t cluster_find(area_t *a, uint32_t c, uint32_t start) noexcept nogil:
    cdef uint64_t end = (<uint64_t>c + 1) * CLUSTER, found
    found = bitmap_next(&a.free, start)
    return <uint32_t>found if found < end and found < a.free.bits else NO_SLOT

cdef inline void cluster_taken(area_t *a, uint32_t c, uint32_t n) noexcept nogil:
    a.cl_used[c] += <uint16_t>n
    if a.cl_used[c] == CLUSTER:
        cl_unlink(a, c)
    else:
        cl_append(a, c, LIST_PARTLY)

cdef inline void cluster_given(area_t *a, uint32_t c, uint32_t n) noexcept nogil:
    a.cl_used[c] -= <uint16_t>n
    if a.cl_used[c] == 0:
        cl_append(a, c, LIST_UNUSED)
    elif a.cl_used[c] + n == CLUSTER:
        cl_append(a, c, LIST_PARTLY)

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
    cluster_taken(a, c, 1)
    # Reaching the end of the cluster clears the position.
    a.position = 0 if (slot + 1) % CLUSTER == 0 or slot + 1 >= a.slots else slot + 1
    return slot

cdef inline uint32_t slots_take(area_t *a) noexcept nogil:
    return cluster_take(a) if a.strategy == SLOTS_CLUSTER else nextfit_take(a)

cdef inline void slots_give(area_t *a, uint32_t slot) noexcept nogil:
    cdef uint64_t need
    SWAPFAST_CHECK(slot > 0 and slot < a.slots and not bitmap_test(&a.free, slot),
                   b"a slot that is freed was in use")
    bitmap_set(&a.free, slot)
    a.inuse -= 1
    if a.run_least > 0:
        # A slot whose neighbour is taken makes no run; long runs take whole words.
        need = ~<uint64_t>0 if a.run_least >= NEXTFIT_ORDER else <uint64_t>3 << (slot & 62)
        bitmap_set_if(&a.changed, slot // CLUSTER, a.free.level[0][slot >> 6] & need == need)
    if a.strategy == SLOTS_CLUSTER:
        cluster_given(a, slot // CLUSTER, 1)

# ---------------------------------------------------------------- runs

cdef inline uint32_t slots_take_run(area_t *a, uint32_t order) noexcept nogil:
    cdef uint32_t c = a.run_cluster
    cdef uint64_t slot
    cdef bint wrapped = False
    if order == 0:
        return slots_take(a)
    while True:
        c = runs_next(a, c, order)
        if c == NO_CLUSTER:
            if wrapped:
                return NO_SLOT
            wrapped = True
            c = 0
            continue
        slot = bitmap_find_block(&a.free, <uint64_t>c * CLUSTER, CLUSTER_WORDS, order)
        if slot < a.free.bits:
            break
        runs_count(a, c)
    a.run_cluster = c
    bitmap_clear_block(&a.free, slot, order)
    a.inuse += <uint32_t>1 << order
    if a.strategy == SLOTS_CLUSTER:
        cluster_taken(a, c, 1 << order)
    return <uint32_t>slot

cdef inline void slots_give_run(area_t *a, uint32_t slot, uint32_t order) noexcept nogil:
    cdef uint32_t n = <uint32_t>1 << order
    if order == 0:
        slots_give(a, slot)
        return
    SWAPFAST_CHECK(slot % n == 0 and slot + n <= a.slots
                   and bitmap_next(&a.free, slot) >= <uint64_t>slot + n,
                   b"a run that is freed was in use")
    bitmap_set_block(&a.free, slot, order)
    a.inuse -= n
    bitmap_set(&a.changed, slot // CLUSTER)
    if a.strategy == SLOTS_CLUSTER:
        cluster_given(a, slot // CLUSTER, n)
