# policy_lru: exact least recently used.
#
#      every reference ──► [ head ... tail ] ──► evicted
#
# It needs every touch, and pays for it visibly: each hit on a page that is not at the head leaves a
# tombstone and moves the page. What is at the tail goes, as under FIFO (shrink_fifo). The
# yardstick of the field (Mattson 1970), and what no kernel does.

from libc.stdint cimport uint32_t
from swapfast.mm.gens cimport ring_t
from swapfast.mm.ring cimport ring_push
from swapfast.mm.rmap cimport home_of, memcg_of
from swapfast.mm.types cimport core_t, memcg_t
from swapfast.mm.words cimport F_RESIDENT, NIL

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
