# order: the slots of an area in the order in which they were given, and how full areas are.
#
# A ring through slot 0, which is the header and never given: behind it comes the oldest, before it
# the newest. Kept only where a plug asks for it (demote.pxd), 8 bytes a slot.
#
# - order_push(a, slot): it is the newest
# - order_drop(a, slot)
# - order_renew(a, slot): it counts as the newest again
# - used_share(core, d): of all source areas of a plug together
# - slot_taken(core, a, slot): it was given
# - slot_gone(core, a, slot): one of an area that is watched is free: slots have an age, a checksum,
#   bytes in memory, or are wiped
# - hooks_set(core): calls go there from now on, and to pool_store. They are for an extension of its
#   own: within the loops of the core GCC would inline less of what everybody runs
# - order_new(core, a) -> False: no memory; slots in use are in order of their numbers

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.moving cimport demote_t
from swapfast.mm.pool cimport pool_drop, pool_store
from swapfast.mm.slots cimport slot_bit
from swapfast.mm.types cimport area_t, core_t, lazy_map
from swapfast.mm.wipe cimport wipe_note
from swapfast.mm.words cimport NIL, WANT_MOVES

cdef inline void order_push(area_t *a, uint32_t slot) noexcept nogil:
    cdef uint32_t *newer = a.moves.order
    cdef uint32_t *older = newer + a.slots
    cdef uint32_t last = older[0]
    newer[last] = slot
    older[slot] = last
    newer[slot] = 0
    older[0] = slot

cdef inline void order_drop(area_t *a, uint32_t slot) noexcept nogil:
    cdef uint32_t *newer = a.moves.order
    cdef uint32_t *older = newer + a.slots
    newer[older[slot]] = newer[slot]
    older[newer[slot]] = older[slot]

cdef inline void order_renew(area_t *a, uint32_t slot) noexcept nogil:
    order_drop(a, slot)
    order_push(a, slot)

cdef inline double used_share(core_t *core, demote_t *d) noexcept nogil:
    cdef uint64_t used = 0, pages = 0
    cdef uint32_t k
    for k in range(d.n_source):
        used += core.areas[d.source[k]].inuse
        pages += core.areas[d.source[k]].pages
    return <double>used / <double>pages if pages > 0 else 0.0

cdef inline void slot_gone(core_t *core, area_t *a, uint32_t slot) noexcept nogil:
    # Its bytes are worth nothing any more, unless a checkpoint still needs them.
    if a.moves.order != NULL:
        order_drop(a, slot)
    if slot_bit(a.pinned, slot):
        return
    wipe_note(core, a, slot)
    if a.summed != NULL:
        a.summed[slot >> 6] &= ~(<uint64_t>1 << (slot & 63))
    if a.stored != NULL:
        pool_drop(core, a, slot)

cdef inline void slot_taken(core_t *core, area_t *a, uint32_t slot) noexcept nogil:
    if a.moves.order == NULL:
        return
    order_push(a, slot)
    if a.moves.proactive != NULL and used_share(core, a.moves.proactive) > a.moves.proactive.high:
        core.wanted |= WANT_MOVES

cdef inline void hooks_set(core_t *core) noexcept nogil:
    core.hooks.slot_gone = slot_gone
    core.hooks.store = pool_store

cdef inline bint order_new(core_t *core, area_t *a) noexcept nogil:
    cdef uint32_t slot
    if a.moves.order != NULL:
        return True
    a.moves.order = <uint32_t *>lazy_map(<size_t>a.slots * 8)
    if a.moves.order == NULL:
        return False
    a.watched = True
    for slot in range(1, a.slots):
        if core.slot_page[a.base + slot] != NIL:
            order_push(a, slot)
    return True
