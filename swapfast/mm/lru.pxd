# lru: the active and the inactive list of a memory group, shared by the Linux policies.
#
# - lru_add(core, g, page): at the head of the list that its F_ACTIVE names
# - lru_leave, lru_rehome: the policy contract's parts that are the same for every list policy
# - prefetch_page(core, page): fetch its state ahead of use
# - prefetch_tail(core, ring, n): n pages were taken; that of as many that are taken a batch later
# - take_active(core, g, batch, want) -> pages taken from the active list's tail
# - isolate(core, ring, batch, want) -> pages taken from the tail, marked F_ISOLATED
# - putback(core, g, batch, n) -> how many went to the active list: at the heads again, in order

from libc.stdint cimport int64_t, uint32_t, uint8_t
from swapfast.mm.batch cimport batch_rename
from swapfast.mm.gens cimport ring_t
from swapfast.mm.ring cimport ring_drop, ring_push, ring_push_all, ring_take
from swapfast.mm.tree cimport active_changes
from swapfast.mm.types cimport (
    SWAPFAST_CHECK, UNLIKELY, core_t, home_t, memcg_t, page_t, prefetch_write,
)
from swapfast.mm.words cimport F_ACTIVE, F_ISOLATED, NIL, SCAN_BATCH

cdef inline void lru_add(core_t *core, memcg_t *g, uint32_t page) noexcept nogil:
    if core.page[page].folio & F_ACTIVE:
        ring_push(&g.active, core.home, page)
        active_changes(core, g, 1)
    else:
        ring_push(&g.inactive, core.home, page)

cdef inline void lru_leave(core_t *core, memcg_t *g, uint32_t page) noexcept nogil:
    if UNLIKELY(core.page[page].folio & F_ISOLATED):
        batch_rename(core, page, NIL)
    elif core.page[page].folio & F_ACTIVE:
        ring_drop(&g.active, core.home, page)
        active_changes(core, g, -1)
    else:
        ring_drop(&g.inactive, core.home, page)

cdef inline void lru_rehome(core_t *core, memcg_t *g, uint32_t old, uint32_t new) noexcept nogil:
    cdef ring_t *r
    if UNLIKELY(core.page[new].folio & F_ISOLATED):
        batch_rename(core, old, new)
        return
    r = &g.active if core.page[new].folio & F_ACTIVE else &g.inactive
    SWAPFAST_CHECK(r.buf[core.home[new].where] == old, b"a page that moves was on its list")
    r.buf[core.home[new].where] = new

cdef inline void prefetch_page(core_t *core, uint32_t page) noexcept nogil:
    # All that a scan or a fault looks at.
    prefetch_write(&core.page[page])
    prefetch_write(&core.home[page])

cdef inline void prefetch_tail(core_t *core, ring_t *r, uint32_t n) noexcept nogil:
    # The ring says which pages the next scans take. A scan may take few; those in front are there.
    cdef page_t *page = core.page
    cdef home_t *home = core.home
    cdef uint32_t at, end = r.tail + SCAN_BATCH
    for at in range(end - n, end if end < r.cap else r.cap):
        prefetch_write(&page[r.buf[at]])
        prefetch_write(&home[r.buf[at]])

cdef inline uint32_t take_active(core_t *core, memcg_t *g, uint32_t *batch,
                                 uint32_t want) noexcept nogil:
    cdef uint32_t n = ring_take(&g.active, batch, want)
    active_changes(core, g, -<int64_t>n)
    return n

cdef inline uint32_t isolate(core_t *core, ring_t *r, uint32_t *batch,
                             uint32_t want) noexcept nogil:
    cdef page_t *page = core.page   # bytes may alias the pointer to them
    cdef uint32_t n = ring_take(r, batch, want), i
    prefetch_tail(core, r, n)
    for i in range(n):
        page[batch[i]].folio |= F_ISOLATED
    return n

cdef inline uint32_t putback(core_t *core, memcg_t *g, const uint32_t *batch,
                             uint32_t n) noexcept nogil:
    cdef uint32_t active[32]
    cdef uint32_t inactive[32]
    cdef page_t *state = core.page
    cdef uint32_t i, page, folio, up = 0
    for i in range(n):
        page = batch[i]
        folio = state[page].folio
        state[page].folio = <uint8_t>(folio & ~F_ISOLATED)
        active[up] = page
        inactive[i - up] = page
        up += folio & F_ACTIVE != 0
    if up > 0:
        ring_push_all(&g.active, core.home, active, up)
        active_changes(core, g, up)
    if n > up:
        ring_push_all(&g.inactive, core.home, inactive, n - up)
    return up
