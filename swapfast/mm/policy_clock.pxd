# policy_clock: FIFO with a second chance (Corbato 1968).
#
#      new ──► [ head ... tail ] ──► accessed?  yes: bit off, back to the head
#                                               no:  evicted
#
# Handing an accessed page from the tail to the head is the hand of the clock moving on. A hit
# costs one bit in the page-table entry; a scan ends because every step either evicts or clears a
# bit.

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.evict cimport evict_now
from swapfast.mm.outside cimport take_away
from swapfast.mm.ring cimport ring_pop, ring_push
from swapfast.mm.rmap cimport clear_young
from swapfast.mm.scan cimport scan_control_t
from swapfast.mm.types cimport core_t, memcg_t

cdef inline uint64_t shrink_clock(core_t *core, memcg_t *g, scan_control_t *sc) noexcept nogil:
    cdef uint32_t page
    cdef uint64_t tries = 2 * (<uint64_t>g.inactive.live >> sc.priority), freed = 0
    while tries > 0 and freed < sc.want and g.inactive.live > 0:
        tries -= 1
        page = ring_pop(&g.inactive)
        core.count.pgscan_direct += 1
        take_away(core, page)
        if not clear_young(core, page) and evict_now(core, g, page):
            core.count.pgsteal_direct += 1
            freed += 1
        else:
            ring_push(&g.inactive, core.home, page)
    return freed
