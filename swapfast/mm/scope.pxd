# scope: which areas may this page go to? The answer is a table that the thin layer hands down:
# scope (of a swap namespace, or of cgroups) -> areas in order of their ranks. The core never knows
# why. A page of the host's namespace, which is the first scope, goes by the scope of its memcg, if
# that has one.
#
# - scope_of_mapping(core, page), scope_of(core, home): the namespace that pays for a page, or
#   SCOPE_NOWHERE; the rule for pages mapped by several namespaces is core.rules.mixed_pages
# - scope_in(core, g, scope): where it goes if this memcg is charged for it
# - swap_alloc(core, scope, g) -> entry, or NO_SLOT: no area has room that such a page may go to
# - alloc_plain(core, scope, g), alloc_scoped(core, scope, g): the two ways to do so, core.alloc

from libc.stdint cimport int32_t, uint32_t
from swapfast.mm.allowed cimport note_passed
from swapfast.mm.area cimport take_from
from swapfast.mm.choice cimport scope_t
from swapfast.mm.cpu_turns cimport alloc_by_cpu
from swapfast.mm.rmap cimport mapping_of
from swapfast.mm.slots cimport cluster_find
from swapfast.mm.tree cimport charge_tier, tier_is_over
from swapfast.mm.types cimport UNLIKELY, area_t, core_t, memcg_t
from swapfast.mm.words cimport (
    CLUSTER, MIXED_ALLOCATOR, MIXED_STRICT, NIL, NO_SLOT, PTE_SHARED, SCOPE_NOWHERE, SCOPE_UNSET,
    TURN_OWNER,
)

cdef inline uint32_t scope_of_mapping(core_t *core, uint32_t page) noexcept nogil:
    return mapping_of(core, page).scope

cdef inline uint32_t scope_of(core_t *core, uint32_t home) noexcept nogil:
    cdef uint32_t scope = scope_of_mapping(core, home), p
    if core.rules.mixed_pages == MIXED_ALLOCATOR and core.alloc_scope[home] != 0:
        return core.alloc_scope[home] - 1
    if core.rules.mixed_pages == MIXED_STRICT and core.page[home].pte & PTE_SHARED == 0:
        p = core.next[home]
        while p != NIL and p != home:
            if scope_of_mapping(core, p) != scope:
                return SCOPE_NOWHERE
            p = core.next[p]
    return scope

cdef inline uint32_t scope_in(core_t *core, memcg_t *g, uint32_t scope) noexcept nogil:
    return g.scope if UNLIKELY(core.scoped) and scope == 0 and g.scope != SCOPE_UNSET else scope

cdef inline uint32_t alloc_rotating(core_t *core, scope_t *o) noexcept nogil:
    # 2.6.25 get_swap_page: the cursor moves on at each allocation, so equal priorities alternate
    # page by page; where the priority changes, or the list ends, the next look starts at its head.
    cdef uint32_t at = o.cursor, following, entry, wrapped = 0
    cdef int32_t rank
    if at >= o.count:
        at = 0
    while wrapped < 2:
        rank = o.ranks[at]
        following = at + 1
        if following >= o.count or (wrapped == 0 and o.ranks[following] != rank):
            following = 0
            wrapped += 1
        entry = take_from(core, &core.areas[o.areas[at]])
        if entry != NO_SLOT:
            o.cursor = following
            return entry
        at = following
    return NO_SLOT

cdef inline bint is_over(core_t *core, memcg_t *g, area_t *a) noexcept nogil:
    return g != NULL and tier_is_over(core, g, a.tier)

cdef inline uint32_t alloc_clustered(core_t *core, scope_t *o, memcg_t *g) noexcept nogil:
    # 6.18 folio_alloc_swap: the current cluster's area serves until the cluster is used up,
    # whatever other areas gain meanwhile; then equal priorities take turns, cluster by cluster. A
    # disk that turns has no current cluster of a processor, so there they do page by page.
    cdef uint32_t entry, i, k, start, group_end
    cdef area_t *a
    cdef uint32_t current = 0
    cdef bint all_full
    if o.count == 1:   # nobody to take turns with
        a = &core.areas[o.areas[0]]
        entry = NO_SLOT if is_over(core, g, a) else take_from(core, a)
        if entry != NO_SLOT:
            o.current = o.areas[0] + 1
        return entry
    if o.current != 0:
        current = o.current - 1
        a = &core.areas[current]
        if (a.used and not a.rotational and a.position != 0
                and cluster_find(a, a.position // CLUSTER, a.position) != NO_SLOT
                and not is_over(core, g, a)):
            entry = take_from(core, a)
            if entry != NO_SLOT:
                return entry
    if o.full_since != core.unfilled:
        o.full_since = core.unfilled
        o.full = 0
    i = o.full   # those that are full are in no list of the kernel's (del_from_avail_list)
    while i < o.count:
        group_end = i + 1
        while group_end < o.count and o.ranks[group_end] == o.ranks[i]:
            group_end += 1
        start = i
        all_full = True
        for k in range(i, group_end):
            if o.current != 0 and o.areas[k] == current:
                start = k + 1 if k + 1 < group_end else i
        for k in range(group_end - i):
            a = &core.areas[o.areas[i + (start - i + k) % (group_end - i)]]
            all_full = all_full and a.inuse >= a.pages
            entry = NO_SLOT if is_over(core, g, a) else take_from(core, a)
            if entry != NO_SLOT:
                o.current = <uint32_t>(a - core.areas) + 1
                return entry
        if all_full and i == o.full:
            o.full = group_end
        i = group_end
    return NO_SLOT

cdef inline uint32_t alloc_in(core_t *core, scope_t *o, memcg_t *g) noexcept nogil:
    if o.count == 0:
        return NO_SLOT
    return alloc_clustered(core, o, g) if core.rules.clustered else alloc_rotating(core, o)

cdef inline uint32_t alloc_plain(core_t *core, uint32_t scope, memcg_t *g) noexcept nogil:
    if scope >= core.scopes_max:   # SCOPE_NOWHERE, SCOPE_UNSET
        return NO_SLOT
    return alloc_in(core, &core.scopes[scope], NULL)

cdef inline uint32_t alloc_scoped(core_t *core, uint32_t scope, memcg_t *g) noexcept nogil:
    # The slot is charged to its tier at once.
    cdef scope_t *o
    cdef uint32_t entry
    scope = scope_in(core, g, scope)
    if scope >= core.scopes_max:
        return NO_SLOT
    o = &core.scopes[scope]
    if core.rules.turn != TURN_OWNER:
        entry = alloc_by_cpu(core, o, g)
    else:
        entry = alloc_in(core, o, g if core.rules.tier_amounts else NULL)
    if core.n_tiers > 0:
        note_passed(core, g, o, entry)
        if entry != NO_SLOT:
            charge_tier(core, g, entry, 1)
    return entry

cdef inline uint32_t swap_alloc(core_t *core, uint32_t scope, memcg_t *g) noexcept nogil:
    # Through a pointer, so that what is asked seldom costs the others nothing.
    return core.alloc(core, scope, g)
