# cpu_turns: a slot where processors have current clusters. A table is gone through in order of its
# ranks; areas of one rank take turns.
#
#   TURN_CPU       Linux 6.18 (folio_alloc_swap). Fast: the processor's cluster has a free slot, and
#                  its area is allowed, whatever its rank. Slow: the area that is tried goes behind
#                  its equals first, a cluster is opened in it, and takes the place of the other one
#   TURN_CPU_TIER  the same within each tier in turn, with a cluster each
#   TURN_CPU_AREA  the first area in turn, with the cluster that the processor has there; an area
#                  goes behind its equals when that cluster is used up
#
# - alloc_by_cpu(core, o, g) -> entry, or NO_SLOT

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.allowed cimport scope_has
from swapfast.mm.choice cimport pick_t, scope_t
from swapfast.mm.picks cimport pick_of, take_at, take_new, turn_goes
from swapfast.mm.tree cimport tier_is_over
from swapfast.mm.types cimport UNLIKELY, area_t, core_t, memcg_t
from swapfast.mm.words cimport MOST_TIERS, NO_SLOT, NO_TIER, TURN_CPU, TURN_CPU_AREA

cdef inline uint32_t same_rank(scope_t *o, uint32_t first, uint32_t end) noexcept nogil:
    # Where the areas of this rank end.
    cdef uint32_t k = first + 1
    while k < end and o.ranks[k] == o.ranks[first]:
        k += 1
    return k

cdef inline area_t *next_in_turn(core_t *core, scope_t *o, memcg_t *g, uint32_t first,
                                 uint32_t end, uint64_t most) noexcept nogil:
    # That has room, and whose turn is `most` at most; or NULL.
    cdef area_t *a
    cdef area_t *best = NULL
    cdef uint32_t k
    for k in range(first, end):
        a = &core.areas[o.areas[k]]
        if (a.turn <= most and a.writeok and a.inuse < a.pages
                and (best == NULL or a.turn < best.turn)
                and not (UNLIKELY(core.rules.tier_amounts) and tier_is_over(core, g, a.tier))):
            best = a
    return best

cdef inline uint32_t alloc_fast(core_t *core, scope_t *o, memcg_t *g, pick_t *p) noexcept nogil:
    cdef uint32_t entry
    if p.area != 0 and (not scope_has(o, p.area - 1) or (
            UNLIKELY(core.rules.tier_amounts)
            and tier_is_over(core, g, core.areas[p.area - 1].tier))):
        core.slot_count.missed_mask += 1
        return NO_SLOT
    entry = take_at(core, p)
    if entry == NO_SLOT:
        core.slot_count.missed_use += 1
    else:
        core.slot_count.fast_hits += 1
    return entry

cdef inline uint32_t alloc_slow(core_t *core, scope_t *o, memcg_t *g, uint32_t first, uint32_t end,
                                pick_t *p) noexcept nogil:
    cdef uint64_t tried = core.turns
    cdef uint32_t group_end, entry
    cdef area_t *a
    while first < end:
        group_end = same_rank(o, first, end)
        a = next_in_turn(core, o, g, first, group_end, tried)
        while a != NULL:
            turn_goes(core, a)
            core.slot_count.turns += group_end - first > 1
            entry = take_new(core, a, p)
            if entry != NO_SLOT:
                return entry
            a = next_in_turn(core, o, g, first, group_end, tried)
        first = group_end
    return NO_SLOT

cdef inline uint32_t alloc_own(core_t *core, scope_t *o, memcg_t *g, uint32_t first,
                               uint32_t end) noexcept nogil:
    # Among equal areas, each with a cluster of the processor. A round that gives nothing has found
    # a cluster used up, and the next one opens another in that area.
    cdef area_t *a
    cdef pick_t *p
    cdef uint32_t entry
    while True:
        a = next_in_turn(core, o, g, first, end, core.turns)
        if a == NULL:
            return NO_SLOT
        p = pick_of(core, <uint32_t>(a - core.areas))
        if p.position != 0:
            entry = take_at(core, p)
            if entry == NO_SLOT:
                p.position = 0
            core.slot_count.fast_hits += entry != NO_SLOT
        else:
            core.slot_count.missed_use += 1
            entry = take_new(core, a, p)
        if p.position == 0:
            turn_goes(core, a)
            core.slot_count.turns += end - first > 1
        if entry != NO_SLOT:
            return entry

cdef inline uint32_t alloc_by_cpu(core_t *core, scope_t *o, memcg_t *g) noexcept nogil:
    cdef uint32_t first = 0, end, tier, entry = NO_SLOT
    cdef pick_t *p
    while first < o.count and entry == NO_SLOT:
        if core.rules.turn == TURN_CPU_AREA:
            end = same_rank(o, first, o.count)
            entry = alloc_own(core, o, g, first, end)
            first = end
            continue
        end = o.count
        p = pick_of(core, 0)
        if core.rules.turn != TURN_CPU:
            tier = core.areas[o.areas[first]].tier
            end = first + 1
            while end < o.count and core.areas[o.areas[end]].tier == tier:
                end += 1
            p = pick_of(core, MOST_TIERS if tier == NO_TIER else tier)
        entry = alloc_fast(core, o, g, p)
        if entry == NO_SLOT:
            entry = alloc_slow(core, o, g, first, end, p)
        first = end
    return entry
