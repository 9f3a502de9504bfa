# scope: which areas may this page go to? The answer is a table that the thin layer hands down:
# scope (a swap namespace) -> areas in order of priority. The core never knows why.
#
# - scope_of_mapping(core, page), scope_of(core, home): the namespace that pays for a page, or
#   SCOPE_NOWHERE; the rule for pages mapped by several namespaces is core.rules.mixed_pages
# - swap_alloc(core, scope) -> entry, or NO_SLOT: no area of this scope has room

from libc.stdint cimport int32_t, uint32_t
from swapfast.mm.area cimport take_from
from swapfast.mm.rmap cimport mapping_of
from swapfast.mm.slots cimport cluster_find
from swapfast.mm.types cimport area_t, core_t, scope_t
from swapfast.mm.words cimport (
    CLUSTER, MIXED_ALLOCATOR, MIXED_STRICT, NIL, NO_SLOT, PTE_SHARED, SCOPE_NOWHERE,
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

cdef inline uint32_t alloc_rotating(core_t *core, scope_t *o) noexcept nogil:
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

cdef inline uint32_t alloc_clustered(core_t *core, scope_t *o) noexcept nogil:
    # 6.18 folio_alloc_swap: the current cluster's area serves until the cluster is used up,
    # whatever other areas gain meanwhile; then equal priorities take turns, cluster by cluster. A
    # disk that turns has no current cluster of a processor, so there they do page by page.
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
        if (a.used and not a.rotational and a.position != 0
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

cdef inline uint32_t swap_alloc(core_t *core, uint32_t scope) noexcept nogil:
    cdef scope_t *o
    if scope >= core.scopes_max:   # SCOPE_NOWHERE, SCOPE_UNSET
        return NO_SLOT
    o = &core.scopes[scope]
    if o.count == 0:
        return NO_SLOT
    return alloc_clustered(core, o) if core.rules.clustered else alloc_rotating(core, o)
