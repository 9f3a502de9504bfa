# allowed: which areas of a table serve a memcg, and what became of those that were passed over.
#
# A table (scope_t) has the areas that may be used, in order of their ranks, and behind them those
# that a mask refuses, with the ranks that they would have. Amounts of tiers are the memcg's own,
# and of all above it.
#
# - scope_has(o, number): may an area be used?
# - allowed_left(core, g): free slots in the areas where its pages may go, within its amounts
# - note_passed(core, g, o, entry): an allocation is over; each tier in front of the area that
#   served counts why it did not. NO_SLOT: all of them

from libc.stdint cimport int32_t, uint32_t, uint64_t
from swapfast.mm.choice cimport scope_t
from swapfast.mm.tree cimport tier_is_over
from swapfast.mm.types cimport area_t, core_t, memcg_t
from swapfast.mm.words cimport CLUSTER, NO_LIMIT, NO_MEMCG, NO_SLOT, NO_TIER, SCOPE_UNSET

cdef inline bint scope_has(scope_t *o, uint32_t number) noexcept nogil:
    cdef uint32_t k
    for k in range(o.count):
        if o.areas[k] == number:
            return True
    return False

cdef inline uint64_t tier_left(core_t *core, memcg_t *g, uint32_t tier) noexcept nogil:
    # The least margin from here up.
    cdef uint64_t left = NO_LIMIT
    while tier != NO_TIER and g.parent != NO_MEMCG:
        if g.tiers[tier].used >= g.tiers[tier].max:
            return 0
        if g.tiers[tier].max != NO_LIMIT:
            left = min(left, g.tiers[tier].max - g.tiers[tier].used)
        g = &core.memcgs[g.parent]
    return left

cdef inline uint64_t allowed_left(core_t *core, memcg_t *g) noexcept nogil:
    # What no single scope bounds has no bound here: pages of several namespaces, and those of a
    # memcg that has others below it and no scope of its own. Areas of a tier follow each other.
    cdef uint64_t left = 0, free = 0
    cdef uint32_t scope = g.namespace, k, tier = NO_TIER
    cdef area_t *a
    cdef scope_t *o
    if scope == 0 or (scope == SCOPE_UNSET and g.scope != SCOPE_UNSET):
        if g.scope != SCOPE_UNSET:
            scope = g.scope
        elif g.child != NO_MEMCG:
            return NO_LIMIT
    if scope >= core.scopes_max:
        return NO_LIMIT
    o = &core.scopes[scope]
    for k in range(o.count):
        a = &core.areas[o.areas[k]]
        if not a.writeok:
            continue
        if core.rules.tier_amounts and a.tier != tier:
            left += min(free, tier_left(core, g, tier))
            free = 0
            tier = a.tier
        free += a.pages - a.inuse
    return left + (min(free, tier_left(core, g, tier)) if core.rules.tier_amounts else free)

cdef inline void note_passed(core_t *core, memcg_t *g, scope_t *o, uint32_t entry) noexcept nogil:
    # A tier that has a place for the memcg is not passed over. A bit each.
    cdef uint32_t k, tier, bit, mask = 0, amount = 0, full = 0, served = NO_TIER
    cdef int32_t rank = 0
    cdef area_t *a
    if entry != NO_SLOT:
        served = core.cluster_area[entry // CLUSTER]
        for k in range(o.count):
            if o.areas[k] == served:
                rank = o.ranks[k]
    for k in range(o.count + o.refused):
        a = &core.areas[o.areas[k]]
        if a.tier == NO_TIER or (served != NO_TIER and o.ranks[k] <= rank):
            continue
        bit = <uint32_t>1 << a.tier
        if k >= o.count:
            if a.writeok and a.inuse < a.pages:
                mask |= bit
        elif core.rules.tier_amounts and tier_is_over(core, g, a.tier):
            amount |= bit
        elif not a.writeok or a.inuse >= a.pages:
            full |= bit
    for tier in range(core.n_tiers if mask | amount | full else 0):
        bit = <uint32_t>1 << tier
        core.tiers[tier].refused_mask += mask & bit != 0
        core.tiers[tier].refused_amount += amount & bit != 0
        core.tiers[tier].full += full & ~amount & bit != 0
