# area: a swap area and its slots.
#
# - area_of(core, entry)
# - take_from(core, a) -> entry, or NO_SLOT
# - slot_free(core, entry): no page has it any more; its charge is somebody else's business
# - swap_give(core, entry): the slot is free again, and not charged
# - area_give_up(core, a): no more pages go there
# - vm_swap_full(core, home): more than half of all slots are in use, or of what its memcg or one
#   above may have (mem_cgroup_swap_full); of a private area it is that area which counts
# - swap_left(core, g): slots that a memcg may still get (mem_cgroup_get_nr_swap_pages)

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.allowed cimport allowed_left
from swapfast.mm.choice cimport scope_t
from swapfast.mm.rmap cimport memcg_of
from swapfast.mm.slots cimport slot_bit, slots_give, slots_take
from swapfast.mm.tree cimport charge_tier, uncharge_swap
from swapfast.mm.types cimport LIKELY, UNLIKELY, area_t, core_t, memcg_t
from swapfast.mm.words cimport CLUSTER, F_RESIDENT, F_SWAPCACHE, NIL, NO_MEMCG, NO_SLOT

cdef inline area_t *area_of(core_t *core, uint32_t entry) noexcept nogil:
    return &core.areas[core.cluster_area[entry // CLUSTER]]

cdef inline uint32_t take_from(core_t *core, area_t *a) noexcept nogil:
    cdef uint32_t slot
    if not a.writeok:
        return NO_SLOT
    slot = slots_take(a)
    if slot == NO_SLOT:
        return NO_SLOT
    core.swap.free -= 1
    return a.base + slot

cdef inline void note_free_slot(core_t *core, area_t *a) noexcept nogil:
    cdef scope_t *o
    cdef uint32_t k
    if UNLIKELY(a.inuse + 1 == a.pages):
        core.unfilled += 1
    if a.writeok:
        core.swap.free += 1
        if not core.rules.clustered and a.scope < core.scopes_max:
            # 2.6.25 swap_entry_free: an area of higher priority that has room again is next.
            o = &core.scopes[a.scope]
            if o.count > 1 and a.prio > core.areas[o.areas[o.cursor % o.count]].prio:
                for k in range(o.count):
                    if &core.areas[o.areas[k]] == a:
                        o.cursor = k
                        break

cdef inline void slot_free(core_t *core, uint32_t entry) noexcept nogil:
    cdef area_t *a = area_of(core, entry)
    cdef uint32_t slot = entry - a.base
    if UNLIKELY(a.watched):
        core.hooks.slot_gone(core, a, slot)
    if UNLIKELY(core.scoped) and a.inuse == a.pages:
        # It was full and out of the list, and comes in behind its equals.
        core.turns += 1
        a.turn = core.turns
    if slot_bit(a.pinned, slot):
        return   # a checkpoint still needs its bytes: free when it is not pinned any more
    slots_give(a, slot)
    if a.zeromap != NULL:
        a.zeromap[slot >> 6] &= ~(<uint64_t>1 << (slot & 63))
    note_free_slot(core, a)

cdef inline void swap_give(core_t *core, uint32_t entry) noexcept nogil:
    if UNLIKELY(core.scoped):
        charge_tier(core, memcg_of(core, core.slot_page[entry]), entry, -1)
    uncharge_swap(core, memcg_of(core, core.slot_page[entry]))
    core.slot_page[entry] = NIL
    slot_free(core, entry)

cdef inline void area_give_up(core_t *core, area_t *a) noexcept nogil:
    # A write failed: the area takes no more pages, those it has may still be read.
    a.failed = True
    if a.writeok:
        a.writeok = False
        core.swap.total -= a.pages
        core.swap.free -= a.pages - a.inuse

cdef inline bint half_full(core_t *core, uint32_t home) noexcept nogil:
    # With private areas: of the one where the page has its slot, or of all that are public. Those
    # are in the table of the first scope, the host's.
    cdef scope_t *o = &core.scopes[0]
    cdef area_t *a
    cdef uint64_t free = 0, total = 0
    cdef uint32_t k
    if core.page[home].folio & (F_RESIDENT | F_SWAPCACHE) != F_RESIDENT:
        a = area_of(core, core.home[home].entry)
        if a.private:
            return (a.pages - a.inuse) * <uint64_t>2 < a.pages
    for k in range(o.count):
        a = &core.areas[o.areas[k]]
        if a.writeok:
            free += a.pages - a.inuse
            total += a.pages
    return free * 2 < total

cdef inline bint vm_swap_full(core_t *core, uint32_t home) noexcept nogil:
    cdef memcg_t *g
    if core.swap.free * 2 < core.swap.total and LIKELY(not core.rules.private_areas):
        return True
    if LIKELY(not core.rules.swap_limits):
        return False
    if core.rules.private_areas and half_full(core, home):
        return True
    g = memcg_of(core, home)
    while g.parent != NO_MEMCG:
        if g.swap_usage * 2 >= g.swap_max or g.swap_usage * 2 >= g.swap_high:
            return True
        g = &core.memcgs[g.parent]
    return False

cdef inline uint64_t swap_left(core_t *core, memcg_t *g) noexcept nogil:
    cdef uint64_t left = core.swap.free
    if LIKELY(not core.rules.swap_limits):
        return left
    if core.rules.allowed_aware:
        left = min(left, allowed_left(core, g))
    while g.parent != NO_MEMCG:
        if g.swap_usage >= g.swap_max:
            return 0
        left = min(left, g.swap_max - g.swap_usage)
        g = &core.memcgs[g.parent]
    return left
