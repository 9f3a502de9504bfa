# rmap: pages that hold the same data, the *sharers*. One of them is the home; the others find it.
#
#   home -> next -> next -> (home)      in order of arrival: the parent before the child
#
# Members find the home by the *anchor* of the sharers, a number that stays when the home goes and
# the next member takes its place: what that costs does not depend on how many there are.
#
# A page that is single needs no links: next[home] is NIL, and while no page of the machine has
# links (core.shared_ptes is 0) nobody looks. The home of a shared object's page is the object's
# own, and is never mapped itself.
#
# - home_of(core, page); is_single(core, home)
# - next_mapper(core, home): the first member after the home, NIL when it is alone
# - rmap_join(core, home, page): page becomes the last member
# - rmap_leave(core, page) -> the home of the sharers that are left, or NIL
# - sharer_bits(core, home): the OR of the page-table bytes of all members. Only those that map the
#   page are accessed, and only those and a shared object's are dirty.
# - make_old(core, home): nobody has accessed it
# - clear_young(core, home) -> had anybody?  (folio_referenced / page_referenced)

from libc.stdint cimport uint32_t
from swapfast.mm.queue cimport device_t
from swapfast.mm.tree cimport charge_page, charge_swap, charge_tier, uncharge_page, uncharge_swap
from swapfast.mm.types cimport LIKELY, UNLIKELY, core_t, mapping_t, memcg_t
from swapfast.mm.words cimport (
    BLOCK_SHIFT, ENTER_MOVE, F_RESIDENT, F_SWAPCACHE, MIXED_ALLOCATOR, NIL, PTE_ACCESSED,
    PTE_MEMBER,
)

cdef inline mapping_t *mapping_of(core_t *core, uint32_t page) noexcept nogil:
    return &core.mappings[core.block_mapping[page >> BLOCK_SHIFT]]

cdef inline memcg_t *memcg_of(core_t *core, uint32_t page) noexcept nogil:
    return &core.memcgs[mapping_of(core, page).memcg]

cdef inline uint32_t home_of(core_t *core, uint32_t page) noexcept nogil:
    return (core.anchors.home[core.home[page].where] if core.page[page].pte & PTE_MEMBER
            else page)

cdef inline uint32_t next_mapper(core_t *core, uint32_t home) noexcept nogil:
    return NIL if LIKELY(core.shared_ptes == 0) else core.next[home]

cdef inline bint is_single(core_t *core, uint32_t home) noexcept nogil:
    return next_mapper(core, home) == NIL

cdef inline void anchor_take(core_t *core, uint32_t home) noexcept nogil:
    # There is one for each page at most, and room for that.
    cdef uint32_t a = core.anchors.free
    if a != 0:
        core.anchors.free = core.anchors.home[a]
    else:
        core.anchors.top += 1
        a = core.anchors.top
    core.anchor[home] = a
    core.anchors.home[a] = home

cdef inline void anchor_give(core_t *core, uint32_t home) noexcept nogil:
    cdef uint32_t a = core.anchor[home]
    core.anchors.home[a] = core.anchors.free
    core.anchors.free = a
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
    core.shared_ptes += 1

cdef inline void rmap_unlink(core_t *core, uint32_t page) noexcept nogil:
    cdef uint32_t n = core.next[page], p = core.prev[page]
    core.next[page] = NIL
    core.prev[page] = NIL
    if n == NIL:
        return
    core.shared_ptes -= 1
    if n == p:   # the home, alone from now on
        anchor_give(core, n)
        core.next[n] = NIL
        core.prev[n] = NIL
    else:
        core.next[p] = n
        core.prev[n] = p

cdef inline void queue_rename(core_t *core, uint32_t old, uint32_t new) noexcept nogil:
    # A page under write-out, or waiting for its rotation, goes by another name (NIL: it is gone).
    cdef uint32_t i, k, at
    cdef device_t *d
    for i in range(core.plug.n):
        if core.plug.page[i] == old:
            core.plug.page[i] = new
    for k in range(core.n_devices):
        d = core.devices[k]
        for i in range(d.len):
            at = d.tail + i
            if at >= d.cap:
                at -= d.cap
            if d.queue[at] == old:
                d.queue[at] = new
    for i in range(core.rotation.n):
        if core.rotation.page[i] == old:
            core.rotation.page[i] = new

cdef inline void rehome(core_t *core, uint32_t old, uint32_t new) noexcept nogil:
    # The folio's state moves from one page to another, and the sharers' anchor with it.
    cdef memcg_t *from_memcg = memcg_of(core, old)
    cdef memcg_t *to_memcg = memcg_of(core, new)
    cdef uint32_t at = core.home[old].where
    core.page[new].folio = core.page[old].folio
    core.home[new].entry = core.home[old].entry
    core.page[new].pte &= ~PTE_MEMBER
    if core.ram.frames != NULL:
        core.frame[new] = core.frame[old]
    if core.rules.mixed_pages == MIXED_ALLOCATOR:
        core.alloc_scope[new] = core.alloc_scope[old]
        if core.alloc_scope[new] == 0:
            core.alloc_scope[new] = mapping_of(core, old).scope + 1
        core.alloc_scope[old] = 0
        core.writer[new] = core.writer[old]
        core.writer[old] = 0
    if core.page[old].folio & (F_RESIDENT | F_SWAPCACHE) != F_RESIDENT:   # it owns a slot
        core.slot_page[core.home[new].entry] = new
        if from_memcg != to_memcg:
            uncharge_swap(core, from_memcg)
            charge_swap(core, to_memcg)
            if UNLIKELY(core.scoped):
                charge_tier(core, from_memcg, core.home[new].entry, -1)
                charge_tier(core, to_memcg, core.home[new].entry, 1)
    core.anchor[new] = core.anchor[old]
    core.anchors.home[core.anchor[new]] = new
    core.anchor[old] = 0
    core.home[new].where = at
    if core.page[new].folio & F_RESIDENT:
        if from_memcg != to_memcg:
            # The charge follows the home, so that a list holds only pages that its memcg pays for.
            from_memcg.policy.leave(core, from_memcg, old)
            uncharge_page(core, from_memcg)
            charge_page(core, to_memcg)
            to_memcg.policy.enter(core, to_memcg, new, ENTER_MOVE)
        else:
            from_memcg.policy.rehome(core, from_memcg, old, new)
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

cdef inline uint32_t sharer_bits(core_t *core, uint32_t home) noexcept nogil:
    cdef uint32_t bits = core.page[home].pte, p = next_mapper(core, home)
    while p != NIL and p != home:
        bits |= core.page[p].pte
        p = core.next[p]
    return bits

cdef inline void make_old(core_t *core, uint32_t home) noexcept nogil:
    cdef uint32_t p = next_mapper(core, home)
    core.page[home].pte &= ~PTE_ACCESSED
    while p != NIL and p != home:
        core.page[p].pte &= ~PTE_ACCESSED
        p = core.next[p]

cdef inline bint clear_young(core_t *core, uint32_t home) noexcept nogil:
    cdef bint young = sharer_bits(core, home) & PTE_ACCESSED != 0
    if young:
        make_old(core, home)
    return young
