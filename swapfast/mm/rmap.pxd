# rmap: pages that hold the same data. One page of the group is its home; the others point at it.
#
#   home -> next -> next -> (home)      in order of arrival: the parent before the child
#
# Members find the home by the *anchor* of the group, a number that stays when the home goes and the
# next member takes its place: what that costs does not depend on how many there are.
#
# A page alone in its group needs no links: next[home] is NIL, and while no page of the machine has
# links (core.joined is 0) nobody looks. The home of a shared object's page is the object's own, and
# is never mapped itself.
#
# - home_of(core, page); alone(core, home)
# - heir_of(core, home): the first member after the home, NIL when it is alone
# - rmap_join(core, home, page): page becomes the last member
# - rmap_leave(core, page) -> what is left: the home of the remaining group, or NIL
# - group_bits(core, home): the OR of the page-table bytes of all members. Only those that map the
#   page are accessed, and only those and a shared object's are dirty.
# - make_old(core, home): nobody has accessed it
# - clear_young(core, home) -> had anybody?  (folio_referenced / page_referenced)

from swapfast.mm.types cimport *
from swapfast.mm.owner cimport mapping_of

cdef inline group_t *group_of(core_t *core, uint32_t page) noexcept nogil:
    return &core.groups[mapping_of(core, page).group]

cdef inline uint32_t home_of(core_t *core, uint32_t page) noexcept nogil:
    return (core.anchor_home[core.home[page].where] if core.page[page].pte & PTE_MEMBER
            else page)

cdef inline uint32_t heir_of(core_t *core, uint32_t home) noexcept nogil:
    return NIL if LIKELY(core.joined == 0) else core.next[home]

cdef inline bint alone(core_t *core, uint32_t home) noexcept nogil:
    return heir_of(core, home) == NIL

cdef inline void anchor_take(core_t *core, uint32_t home) noexcept nogil:
    # There is one for each page at most, and room for that.
    cdef uint32_t a = core.anchor_free
    if a != 0:
        core.anchor_free = core.anchor_home[a]
    else:
        core.anchor_top += 1
        a = core.anchor_top
    core.anchor[home] = a
    core.anchor_home[a] = home

cdef inline void anchor_give(core_t *core, uint32_t home) noexcept nogil:
    cdef uint32_t a = core.anchor[home]
    core.anchor_home[a] = core.anchor_free
    core.anchor_free = a
    core.anchor[home] = 0

cdef inline void rmap_join(core_t *core, uint32_t home, uint32_t page) noexcept nogil:
    cdef uint32_t last
    if core.next[home] == NIL:
        anchor_take(core, home)
        core.next[home] = page
        core.prev[home] = page
        core.next[page] = home
        core.prev[page] = home
    else:
        last = core.prev[home]
        core.next[last] = page
        core.prev[page] = last
        core.next[page] = home
        core.prev[home] = page
    core.page[page].pte |= PTE_MEMBER
    core.home[page].where = core.anchor[home]
    core.joined += 1

cdef inline void rmap_unlink(core_t *core, uint32_t page) noexcept nogil:
    cdef uint32_t n = core.next[page], p = core.prev[page]
    core.next[page] = NIL
    core.prev[page] = NIL
    if n == NIL:
        return
    core.joined -= 1
    if n == p:   # the home, alone from now on
        anchor_give(core, n)
        core.next[n] = NIL
        core.prev[n] = NIL
    else:
        core.next[p] = n
        core.prev[n] = p

cdef inline void queue_rename(core_t *core, uint32_t old, uint32_t new) noexcept nogil:
    # A page under write-out, or waiting for its rotation, goes by another name (NIL: it is gone).
    cdef uint32_t i, at
    for i in range(core.plug_pages):
        if core.plug[i] == old:
            core.plug[i] = new
    for i in range(core.queue_len):
        at = (core.queue_tail + i) % core.queue_cap
        if core.queue[at] == old:
            core.queue[at] = new
    for i in range(core.rotation_len):
        if core.rotation[i] == old:
            core.rotation[i] = new

cdef inline void rehome(core_t *core, uint32_t old, uint32_t new) noexcept nogil:
    # The folio's state moves from one page to another, and the group's anchor with it.
    cdef group_t *from_group = group_of(core, old)
    cdef group_t *to_group = group_of(core, new)
    cdef uint32_t at = core.home[old].where
    core.page[new].folio = core.page[old].folio
    core.home[new].entry = core.home[old].entry
    core.page[new].pte &= ~PTE_MEMBER
    if core.frames != NULL:
        core.frame[new] = core.frame[old]
    if core.mixed_rule == MIXED_ALLOCATOR:
        core.alloc_owner[new] = core.alloc_owner[old]
        if core.alloc_owner[new] == 0:
            core.alloc_owner[new] = mapping_of(core, old).owner + 1
        core.alloc_owner[old] = 0
        core.writer[new] = core.writer[old]
        core.writer[old] = 0
    if core.page[old].folio & (F_RESIDENT | F_SWAPCACHE) != F_RESIDENT:   # it owns a slot
        core.slot_page[core.home[new].entry] = new
    core.anchor[new] = core.anchor[old]
    core.anchor_home[core.anchor[new]] = new
    core.anchor[old] = 0
    core.home[new].where = at
    if core.page[new].folio & F_RESIDENT:
        if from_group != to_group:
            # The charge follows the home, so that a list holds only pages that its group pays for.
            from_group.policy.leave(core, from_group, old)
            from_group.usage -= 1
            to_group.usage += 1
            to_group.policy.enter(core, to_group, new, ENTER_MOVE)
        else:
            from_group.policy.rehome(core, from_group, old, new)
    queue_rename(core, old, new)
    core.page[old].folio = 0

cdef inline uint32_t rmap_leave(core_t *core, uint32_t page) noexcept nogil:
    cdef uint32_t heir
    if core.page[page].pte & PTE_MEMBER:
        heir = home_of(core, page)
        rmap_unlink(core, page)
        core.page[page].pte &= ~PTE_MEMBER
        return heir
    heir = core.next[page]
    if heir == NIL:
        return NIL
    rehome(core, page, heir)
    rmap_unlink(core, page)
    return heir

cdef inline uint32_t group_bits(core_t *core, uint32_t home) noexcept nogil:
    cdef uint32_t bits = core.page[home].pte, p = heir_of(core, home)
    while p != NIL and p != home:
        bits |= core.page[p].pte
        p = core.next[p]
    return bits

cdef inline void make_old(core_t *core, uint32_t home) noexcept nogil:
    cdef uint32_t p = heir_of(core, home)
    core.page[home].pte &= ~PTE_ACCESSED
    while p != NIL and p != home:
        core.page[p].pte &= ~PTE_ACCESSED
        p = core.next[p]

cdef inline bint clear_young(core_t *core, uint32_t home) noexcept nogil:
    cdef bint young = group_bits(core, home) & PTE_ACCESSED != 0
    if young:
        make_old(core, home)
    return young
