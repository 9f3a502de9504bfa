# tree: memcgs below memcgs; what is charged to one counts for all above (mm/page_counter.c,
# mm/vmscan.c).
#
#           root            its usage is the machine's, core.ram.used, and it has no limit
#          /    \
#        pods   db          usage, swap_usage: of the memcg and of all below
#       /    \              inactive, active: its own lists; active_below: those of all below
#      a      b             age, cost, ws_act: of the memcg and of all below
#
# A walk goes through a subtree in pre-order, children in order of creation, and leaves out what has
# no page (mem_cgroup_iter).
#
# - parent_of(core, g) -> the memcg above, NULL at the root
# - charge_page(core, g); uncharge_page(core, g): one page of the machine
# - charge_swap(core, g); uncharge_swap(core, g): one slot
# - charge_tier(core, g, entry, n): the same in the tier of its area, if that is in one; n: 1 or -1
# - tier_is_over(core, g, tier): is one from here up at its amount?
# - over_max(core, g) -> the lowest memcg from here up that is at its limit, or NULL
# - over_swap_max(core, g): the same for memory.swap.max
# - over_high(core, g): is one from here up above its memory.high or memory.swap.high?
# - usage_of(core, g), active_of(core, g), inactive_of(core, g): pages, of all below too
# - active_changes(core, g, n): n pages came to its active list
# - age_up(core, g, n): the nonresident age goes on
# - note_event(core, g, event): memory.events, of all above too
# - tree_link(core, parent, g); tree_unlink(core, g)
# - tree_next(core, top, at) -> number of the next memcg in pre-order, NO_MEMCG at the end

from libc.stdint cimport int64_t, uint32_t, uint64_t
from swapfast.mm.types cimport SELDOM, UNLIKELY, core_t, memcg_t
from swapfast.mm.words cimport CLUSTER, NO_LIMIT, NO_MEMCG, NO_TIER

cdef inline memcg_t *parent_of(core_t *core, memcg_t *g) noexcept nogil:
    return NULL if g.parent == NO_MEMCG else &core.memcgs[g.parent]

cdef inline void charge_page(core_t *core, memcg_t *g) noexcept nogil:
    core.ram.used += 1
    while g.parent != NO_MEMCG:
        g.usage += 1
        if UNLIKELY(g.usage > g.peak):
            g.peak = g.usage
        if not SELDOM(g.parent != 0):   # the root counts nothing
            return
        g = &core.memcgs[g.parent]

cdef inline void uncharge_page(core_t *core, memcg_t *g) noexcept nogil:
    core.ram.used -= 1
    while g.parent != NO_MEMCG:
        g.usage -= 1
        if not SELDOM(g.parent != 0):
            return
        g = &core.memcgs[g.parent]

cdef inline void charge_tier(core_t *core, memcg_t *g, uint32_t entry, int64_t n) noexcept nogil:
    # At the root, too: there it is what the whole machine has in the tier.
    cdef uint32_t tier = core.areas[core.cluster_area[entry // CLUSTER]].tier
    if tier == NO_TIER:
        return
    while True:
        g.tiers[tier].used += n
        if g.parent == NO_MEMCG:
            return
        g = &core.memcgs[g.parent]

cdef inline bint tier_is_over(core_t *core, memcg_t *g, uint32_t tier) noexcept nogil:
    if tier == NO_TIER:
        return False
    while g.parent != NO_MEMCG:
        if g.tiers[tier].used >= g.tiers[tier].max:
            return True
        g = &core.memcgs[g.parent]
    return False

cdef inline void charge_swap(core_t *core, memcg_t *g) noexcept nogil:
    while g.parent != NO_MEMCG:
        g.swap_usage += 1
        if UNLIKELY(g.swap_usage > g.swap_peak):
            g.swap_peak = g.swap_usage
        if not SELDOM(g.parent != 0):
            return
        g = &core.memcgs[g.parent]

cdef inline void uncharge_swap(core_t *core, memcg_t *g) noexcept nogil:
    while g.parent != NO_MEMCG:
        g.swap_usage -= 1
        if not SELDOM(g.parent != 0):
            return
        g = &core.memcgs[g.parent]

cdef inline memcg_t *over_max(core_t *core, memcg_t *g) noexcept nogil:
    while g.parent != NO_MEMCG:
        if g.usage >= g.max:
            return g
        if not SELDOM(g.parent != 0):
            return NULL
        g = &core.memcgs[g.parent]
    return NULL

cdef inline memcg_t *over_swap_max(core_t *core, memcg_t *g) noexcept nogil:
    while g.parent != NO_MEMCG:
        if g.swap_usage >= g.swap_max:
            return g
        g = &core.memcgs[g.parent]
    return NULL

cdef inline bint over_high(core_t *core, memcg_t *g) noexcept nogil:
    while g.parent != NO_MEMCG:
        if g.usage > g.high or g.swap_usage > g.swap_high:
            return True
        g = &core.memcgs[g.parent]
    return False

cdef inline uint64_t usage_of(core_t *core, memcg_t *g) noexcept nogil:
    return core.ram.used if g.parent == NO_MEMCG else g.usage

cdef inline uint64_t active_of(core_t *core, memcg_t *g) noexcept nogil:
    return g.active.live + g.active_below

cdef inline uint64_t inactive_of(core_t *core, memcg_t *g) noexcept nogil:
    # Every page that is charged is on one of the two lists, but for those of a running scan.
    cdef uint64_t usage, active
    if g.child == NO_MEMCG:
        return g.inactive.live
    usage = usage_of(core, g)
    active = active_of(core, g)
    return usage - active if usage > active else 0

cdef inline void active_changes(core_t *core, memcg_t *g, int64_t n) noexcept nogil:
    while g.parent != NO_MEMCG:
        g = &core.memcgs[g.parent]
        g.active_below += n

cdef inline void age_up(core_t *core, memcg_t *g, uint64_t n) noexcept nogil:
    g.age += n
    while g.parent != NO_MEMCG:
        g = &core.memcgs[g.parent]
        g.age += n

cdef inline void note_event(core_t *core, memcg_t *g, uint32_t event) noexcept nogil:
    g.events[event] += 1
    while g.parent != NO_MEMCG:
        g = &core.memcgs[g.parent]
        g.events[event] += 1

cdef inline void tree_link(core_t *core, memcg_t *parent, memcg_t *g) noexcept nogil:
    g.parent = parent.id
    g.depth = parent.depth + 1
    g.next = NO_MEMCG
    g.prev = parent.last_child
    if parent.child == NO_MEMCG:
        parent.child = g.id
    else:
        core.memcgs[parent.last_child].next = g.id
    parent.last_child = g.id

cdef inline void tree_unlink(core_t *core, memcg_t *g) noexcept nogil:
    # It has no children and nothing is charged to it; walks that would go on there begin anew.
    cdef memcg_t *parent = &core.memcgs[g.parent]
    cdef memcg_t *p = parent
    if g.prev == NO_MEMCG:
        parent.child = g.next
    else:
        core.memcgs[g.prev].next = g.next
    if g.next == NO_MEMCG:
        parent.last_child = g.prev
    else:
        core.memcgs[g.next].prev = g.prev
    while p != NULL:
        if p.walk_at == g.id:
            p.walk_at = NO_MEMCG
        p = parent_of(core, p)

cdef inline uint32_t tree_next(core_t *core, uint32_t top, uint32_t at) noexcept nogil:
    cdef memcg_t *g = &core.memcgs[at]
    cdef uint32_t down = g.child
    while True:
        while down != NO_MEMCG:
            if core.memcgs[down].usage > 0:
                return down
            down = core.memcgs[down].next
        if at == top:
            return NO_MEMCG
        down = core.memcgs[at].next
        at = core.memcgs[at].parent
