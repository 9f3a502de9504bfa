# policy_lru: exact least recently used.
#
#      every reference ──► [ head ... tail ] ──► evicted
#
# It needs every touch, and pays for it visibly: each hit on a page that is not at the head leaves a
# tombstone and moves the page. The yardstick of the field (Mattson 1970), and what no kernel does.

from swapfast.mm.types cimport *
from swapfast.mm.ring cimport *
from swapfast.mm.lru cimport *
from swapfast.mm.rmap cimport home_of, group_of
from swapfast.mm.evict cimport evict_now

cdef inline void touch_lru(core_t *core, group_t *g, uint32_t page) noexcept nogil:
    cdef uint32_t home = home_of(core, page)
    cdef group_t *payer = group_of(core, home)   # shared: maybe another's
    cdef ring_t *r = &payer.inactive
    if payer.policy.touch == NULL or not core.page[home].folio & F_RESIDENT:   # the zero page
        return
    if core.home[home].where == (r.cap if r.head == 0 else r.head) - 1:
        return
    r.buf[core.home[home].where] = NIL
    r.live -= 1
    ring_push(r, core.home, home)

cdef inline uint64_t reclaim_lru(core_t *core, group_t *g, uint64_t want) noexcept nogil:
    cdef uint32_t page, tries = g.inactive.live
    core.count.reclaims += 1
    while tries > 0:
        tries -= 1
        page = ring_pop(&g.inactive)
        core.count.pgscan_direct += 1
        if evict_now(core, g, page):
            core.count.pgsteal_direct += 1
            return 1
        ring_push(&g.inactive, core.home, page)
    return 0
