# protect: memory.min and memory.low: what a walk leaves to a memcg (mm/page_counter.c,
# page_counter_calculate_protection; mm/memcontrol.h, mem_cgroup_below_min).
#
# What a memcg claims counts as far as it uses it, and no further than its parent has it. A target
# is never protected from its own reclaim.
#
# - protect_above(core, target, g): effective values of all between target and g, g left out
# - may_scan(core, target, g, sc): is a page to be had here? Says in sc how much is protected.

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.scan cimport scan_control_t
from swapfast.mm.tree cimport note_event, parent_of, usage_of
from swapfast.mm.types cimport core_t, memcg_t
from swapfast.mm.words cimport EV_LOW, MOST_DEPTH, NO_MEMCG

cdef inline void sum_children(core_t *core, memcg_t *g) noexcept nogil:
    cdef uint32_t at = g.child
    cdef memcg_t *c
    g.children_min = g.children_low = 0
    while at != NO_MEMCG:
        c = &core.memcgs[at]
        g.children_min += min(c.usage, c.min)
        g.children_low += min(c.usage, c.low)
        at = c.next

cdef inline uint64_t share_of(core_t *core, memcg_t *parent, uint64_t usage, uint64_t setting,
                              uint64_t given, uint64_t claimed) noexcept nogil:
    # effective_protection: given is the parent's effective value, claimed what its children claim.
    cdef uint64_t own = min(usage, setting), parent_usage = usage_of(core, parent)
    if claimed > given:
        return <uint64_t>(<double>own * given / claimed)
    if (core.rules.recursiveprot and given > claimed and parent_usage > claimed and usage > own):
        own += <uint64_t>(<double>(given - claimed) * (usage - own) / (parent_usage - claimed))
    return own

cdef inline void protect_one(core_t *core, memcg_t *target, memcg_t *g) noexcept nogil:
    cdef memcg_t *parent
    if g == target:
        g.emin = g.elow = 0
    elif g.parent == target.id:
        g.emin = g.min
        g.elow = g.low
    else:
        parent = &core.memcgs[g.parent]
        g.emin = share_of(core, parent, g.usage, g.min, parent.emin, parent.children_min)
        g.elow = share_of(core, parent, g.usage, g.low, parent.elow, parent.children_low)
    if g.child != NO_MEMCG:
        sum_children(core, g)

cdef inline void protect_above(core_t *core, memcg_t *target, memcg_t *g) noexcept nogil:
    cdef memcg_t *above[MOST_DEPTH + 1]
    cdef uint32_t n = 0
    while g != target:
        g = parent_of(core, g)
        above[n] = g
        n += 1
    while n > 0:
        n -= 1
        protect_one(core, target, above[n])

cdef inline bint may_scan(core_t *core, memcg_t *target, memcg_t *g,
                          scan_control_t *sc) noexcept nogil:
    protect_one(core, target, g)
    sc.protected_pages = 0
    if g == target:
        return True
    if g.usage <= g.emin:
        return False
    if g.usage <= g.elow:
        if not sc.low_reclaim:
            sc.low_skipped = True
            return False
        note_event(core, g, EV_LOW)
    sc.usage = g.usage
    sc.protected_pages = g.emin
    if not sc.low_reclaim and g.elow > g.emin:
        sc.protected_pages = g.elow
        sc.low_skipped = True
    return True
