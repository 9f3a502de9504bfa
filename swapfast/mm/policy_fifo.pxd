# policy_fifo: the page that came first goes first.
#
#      new ──► [ head ... tail ] ──► evicted
#
# No bit is looked at. The lower bound of what any other policy should do (Belady 1966).

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.evict cimport evict_now
from swapfast.mm.lru cimport lru_add
from swapfast.mm.ring cimport ring_pop, ring_push
from swapfast.mm.scan cimport scan_control_t
from swapfast.mm.types cimport core_t, memcg_t
from swapfast.mm.words cimport F_ACTIVE

cdef inline void enter_fifo(core_t *core, memcg_t *g, uint32_t page, int how) noexcept nogil:
    core.page[page].folio &= ~F_ACTIVE
    lru_add(core, g, page)

cdef inline uint64_t shrink_fifo(core_t *core, memcg_t *g, scan_control_t *sc) noexcept nogil:
    cdef uint32_t page, tries = g.inactive.live >> sc.priority
    cdef uint64_t freed = 0
    while tries > 0 and freed < sc.want:
        tries -= 1
        page = ring_pop(&g.inactive)
        core.count.pgscan_direct += 1
        if evict_now(core, g, page):
            core.count.pgsteal_direct += 1
            freed += 1
        else:
            ring_push(&g.inactive, core.home, page)
    return freed
