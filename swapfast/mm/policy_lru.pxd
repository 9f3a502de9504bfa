# policy_lru: exact least recently used.
#
#      every reference ──► [ head ... tail ] ──► evicted
#
# It needs every touch, and pays for it visibly: each hit on a page that is not at the head leaves a
# tombstone and moves the page. The yardstick of the field (Mattson 1970), and what no kernel does.

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.evict cimport evict_now
from swapfast.mm.ring cimport ring_pop, ring_push
from swapfast.mm.rmap cimport home_of, memcg_of
from swapfast.mm.types cimport F_RESIDENT, NIL, core_t, memcg_t, ring_t

cdef inline void touch_lru(core_t *core, memcg_t *g, uint32_t page) noexcept nogil:
    cdef uint32_t home = home_of(core, page)
    cdef memcg_t *payer = memcg_of(core, home)   # shared: maybe another's
    cdef ring_t *r = &payer.inactive
    if payer.policy.touch == NULL or not core.page[home].folio & F_RESIDENT:   # the zero page
        return
    if core.home[home].where == (r.cap if r.head == 0 else r.head) - 1:
        return
    r.buf[core.home[home].where] = NIL
    r.live -= 1
    ring_push(r, core.home, home)

cdef inline uint64_t reclaim_lru(core_t *core, memcg_t *g, uint64_t want) noexcept nogil:
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
