# tiers: ranges of areas, and what each memcg has in them.
#
# While slots come and go, charges keep the counts (tree.pxd); here they are made anew, when an area
# changes its tier.
#
# - go_scoped(core): from now on slots go by more than their namespace
# - tiers_of(g) -> True: the memcg has room for what it has in tiers
# - tiers_ready(core): the same of all
# - count_tiers(core): every slot in use is counted for its memcg, and for all above

from libc.stdint cimport uint32_t
from swapfast.mm.choice cimport tier_use_t
from swapfast.mm.rmap cimport memcg_of
from swapfast.mm.tree cimport charge_tier
from swapfast.mm.types cimport area_t, core_t, memcg_t
from swapfast.mm.words cimport MOST_TIERS, NIL, NO_LIMIT, NO_TIER
from libc.stdlib cimport calloc

cdef inline void go_scoped(core_t *core) noexcept nogil:
    core.scoped = True
    core.alloc = core.alloc_scoped

cdef inline bint tiers_of(memcg_t *g) noexcept nogil:
    cdef uint32_t i
    if g.tiers == NULL:
        g.tiers = <tier_use_t *>calloc(MOST_TIERS, sizeof(tier_use_t))
        if g.tiers == NULL:
            return False
        for i in range(MOST_TIERS):
            g.tiers[i].max = NO_LIMIT
    return True

cdef inline bint tiers_ready(core_t *core) noexcept nogil:
    cdef uint32_t i
    for i in range(core.memcg_numbers.top):
        if core.memcgs[i].used and not tiers_of(&core.memcgs[i]):
            return False
    return True

cdef inline void count_tiers(core_t *core) noexcept nogil:
    cdef uint32_t i, k, slot, home
    cdef area_t *a
    for i in range(core.memcg_numbers.top):
        if core.memcgs[i].used:
            for k in range(MOST_TIERS):
                core.memcgs[i].tiers[k].used = 0
    for i in range(core.area_numbers.top):
        a = &core.areas[i]
        if not a.used or a.tier == NO_TIER or a.inuse == 0:
            continue
        for slot in range(1, a.slots):
            home = core.slot_page[a.base + slot]
            if home != NIL:
                charge_tier(core, memcg_of(core, home), a.base + slot, 1)
