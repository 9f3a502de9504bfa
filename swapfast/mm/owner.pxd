# owner: which areas may this page go to? The answer is a table that the thin layer hands down:
# owner (a swap namespace) -> areas in order of priority. The core never knows why.
#
# - owner_of_mapping(core, page), owner_of(core, home): the namespace that pays for a page, or
#   OWNER_NOWHERE; the rule for pages mapped by several namespaces is core.mixed_rule
# - swap_alloc(core, owner) -> entry, NO_SLOT: no area of this owner has room
# - swap_give(core, entry): the slot is free again
# - area_give_up(core, a): no more pages go there

from swapfast.mm.types cimport *
from swapfast.mm.slots cimport slots_take, slots_give, slot_bit, cluster_find
from swapfast.mm.wipe cimport wipe_note

cdef inline mapping_t *mapping_of(core_t *core, uint32_t page) noexcept nogil:
    return &core.mappings[core.block_mapping[page >> BLOCK_SHIFT]]

cdef inline uint32_t owner_of_mapping(core_t *core, uint32_t page) noexcept nogil:
    return mapping_of(core, page).owner

cdef inline uint32_t owner_of(core_t *core, uint32_t home) noexcept nogil:
    cdef uint32_t owner = owner_of_mapping(core, home), p
    if core.mixed_rule == MIXED_ALLOCATOR and core.alloc_owner[home] != 0:
        return core.alloc_owner[home] - 1
    if core.mixed_rule == MIXED_STRICT and core.page[home].pte & PTE_SHARED == 0:
        p = core.next[home]
        while p != NIL and p != home:
            if owner_of_mapping(core, p) != owner:
                return OWNER_NOWHERE
            p = core.next[p]
    return owner

cdef inline area_t *area_of(core_t *core, uint32_t entry) noexcept nogil:
    return &core.areas[core.cluster_area[entry // CLUSTER]]

cdef inline uint32_t take_from(core_t *core, area_t *a) noexcept nogil:
    cdef uint32_t slot
    if not a.writeok:
        return NO_SLOT
    slot = slots_take(a)
    if slot == NO_SLOT:
        return NO_SLOT
    core.nr_swap_pages -= 1
    return a.base + slot

cdef inline uint32_t alloc_rotating(core_t *core, owner_t *o) noexcept nogil:
    # 2.6.25 get_swap_page: the cursor moves on at each allocation, so equal priorities alternate
    # page by page; where the priority changes, or the list ends, the next look starts at its head.
    cdef uint32_t at = o.cursor, following, entry, wrapped = 0
    cdef int32_t prio
    if at >= o.count:
        at = 0
    while wrapped < 2:
        prio = core.areas[o.areas[at]].prio
        following = at + 1
        if following >= o.count or (wrapped == 0 and core.areas[o.areas[following]].prio != prio):
            following = 0
            wrapped += 1
        entry = take_from(core, &core.areas[o.areas[at]])
        if entry != NO_SLOT:
            o.cursor = following
            return entry
        at = following
    return NO_SLOT

cdef inline uint32_t alloc_clustered(core_t *core, owner_t *o) noexcept nogil:
    # 6.18 folio_alloc_swap: the current cluster's area serves until the cluster is used up,
    # whatever other areas gain meanwhile; then equal priorities take turns, cluster by cluster.
    cdef uint32_t entry, i, k, start, group_end
    cdef area_t *a
    cdef uint32_t current = 0
    if o.count == 1:   # nobody to take turns with
        entry = take_from(core, &core.areas[o.areas[0]])
        if entry != NO_SLOT:
            o.current = o.areas[0] + 1
        return entry
    if o.current != 0:
        current = o.current - 1
        a = &core.areas[current]
        if (a.used and a.position != 0
                and cluster_find(a, a.position // CLUSTER, a.position) != NO_SLOT):
            entry = take_from(core, a)
            if entry != NO_SLOT:
                return entry
    i = 0
    while i < o.count:
        group_end = i + 1
        while group_end < o.count and (core.areas[o.areas[group_end]].prio
                                       == core.areas[o.areas[i]].prio):
            group_end += 1
        start = i
        for k in range(i, group_end):
            if o.current != 0 and o.areas[k] == current:
                start = k + 1 if k + 1 < group_end else i
        for k in range(group_end - i):
            a = &core.areas[o.areas[i + (start - i + k) % (group_end - i)]]
            entry = take_from(core, a)
            if entry != NO_SLOT:
                o.current = <uint32_t>(a - core.areas) + 1
                return entry
        i = group_end
    return NO_SLOT

cdef inline uint32_t swap_alloc(core_t *core, uint32_t owner) noexcept nogil:
    cdef owner_t *o
    if owner >= core.owners_max:   # OWNER_NOWHERE, OWNER_UNSET
        return NO_SLOT
    o = &core.owners[owner]
    if o.count == 0:
        return NO_SLOT
    return alloc_clustered(core, o) if core.modern else alloc_rotating(core, o)

cdef inline void note_free_slot(core_t *core, area_t *a) noexcept nogil:
    cdef owner_t *o
    cdef uint32_t k
    if a.writeok:
        core.nr_swap_pages += 1
        if not core.modern and a.owner < core.owners_max:
            # 2.6.25 swap_entry_free: an area of higher priority that has room again is next.
            o = &core.owners[a.owner]
            if o.count > 1 and a.prio > core.areas[o.areas[o.cursor % o.count]].prio:
                for k in range(o.count):
                    if &core.areas[o.areas[k]] == a:
                        o.cursor = k
                        break

cdef inline void swap_give(core_t *core, uint32_t entry) noexcept nogil:
    cdef area_t *a = area_of(core, entry)
    cdef uint32_t slot = entry - a.base
    core.slot_page[entry] = NIL
    if slot_bit(a.pinned, slot):
        return   # a checkpoint still needs its bytes: free when it is not pinned any more
    slots_give(a, slot)
    wipe_note(core, a, slot)
    if a.summed != NULL:
        a.summed[slot >> 6] &= ~(<uint64_t>1 << (slot & 63))
    if a.zeromap != NULL:
        a.zeromap[slot >> 6] &= ~(<uint64_t>1 << (slot & 63))
    note_free_slot(core, a)

cdef inline void area_give_up(core_t *core, area_t *a) noexcept nogil:
    # A write failed: the area takes no more pages, those it has may still be read.
    a.failed = True
    if a.writeok:
        a.writeok = False
        core.total_swap_pages -= a.pages
        core.nr_swap_pages -= a.pages - a.inuse

cdef inline bint vm_swap_full(core_t *core) noexcept nogil:
    return core.nr_swap_pages * 2 < core.total_swap_pages
