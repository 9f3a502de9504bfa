# writeback: pages that are being written, until they are rotated.
#
# A page that is written survives the scan that wrote it: it waits in the plug (plug.pxd) until its
# request is sent, then in the *completion queue* of its device; when its write is done it is
# *rotated* to the tail of the inactive list, so that the next scan frees it, unless somebody
# touched it in between.
#
# Sources: mm/swap.c (folio_rotate_reclaimable; 2.6.25 rotate_reclaimable_page).
#
# - queue_push(core, d, page, done): a page whose request is sent
# - next_device(core) -> where the next write is done; NULL: none is on its way
# - complete_one(core, d): the oldest write of a device is done
# - take_completions(core): writes that are done by now
# - rotation_drain(core): the rotation buffer (lru_add_drain)

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.queue cimport device_t
from swapfast.mm.ring cimport ring_drop, ring_push_tail
from swapfast.mm.rmap cimport memcg_of
from swapfast.mm.tree cimport active_changes
from swapfast.mm.types cimport SELDOM, UNLIKELY, core_t, memcg_t
from swapfast.mm.words cimport F_ACTIVE, F_ISOLATED, F_RESIDENT, F_WRITEBACK, NIL

cdef inline void rotation_drain(core_t *core) noexcept nogil:
    cdef uint32_t i, page
    cdef memcg_t *g
    for i in range(core.rotation.n):
        page = core.rotation.page[i]
        # Under generations it may be out of memory by now.
        if page == NIL or core.page[page].folio & (F_RESIDENT | F_ISOLATED) != F_RESIDENT:
            continue
        g = memcg_of(core, page)
        if UNLIKELY(g.gens != NULL):
            g.policy.rotate(core, g, page)
            continue
        if core.page[page].folio & F_ACTIVE:
            if core.rules.waits_for_writeback:
                continue
            # lru_move_tail: a scan activated it while it was written.
            core.page[page].folio &= ~F_ACTIVE
            ring_drop(&g.active, core.home, page)
            active_changes(core, g, -1)
        else:
            ring_drop(&g.inactive, core.home, page)
        ring_push_tail(&g.inactive, core.home, page)
        core.count.pgrotated += 1
    core.rotation.n = 0

cdef inline void complete_one(core_t *core, device_t *d) noexcept nogil:
    cdef uint32_t page = d.queue[d.tail]
    d.tail = 0 if d.tail + 1 == d.cap else d.tail + 1
    d.len -= 1
    if page == NIL:
        return
    core.page[page].folio &= ~F_WRITEBACK
    if core.page[page].folio & F_ISOLATED:
        return
    core.rotation.page[core.rotation.n] = page
    core.rotation.n += 1
    if core.rotation.n >= core.rules.rotation_batch:
        rotation_drain(core)

cdef inline void queue_widen(device_t *d) noexcept nogil:
    # Full: twice the places, and what lay before the tail follows what lay behind it.
    cdef uint32_t cap = d.cap, more = d.most - cap
    d.cap += more if more < cap else cap
    cdef uint32_t i, at = cap
    for i in range(d.tail):
        d.queue[at] = d.queue[i]
        d.done[at] = d.done[i]
        at = 0 if at + 1 == d.cap else at + 1

cdef inline void queue_push(core_t *core, device_t *d, uint32_t page,
                            uint64_t done) noexcept nogil:
    cdef uint32_t at
    if d.len == d.cap and d.cap < d.most:
        queue_widen(d)
    if d.len == d.cap:
        # Writes of pages that are gone fill it: the device's queue is bounded, so we wait.
        if d.done[d.tail] > core.clock.now:
            core.clock.now = d.done[d.tail]
        complete_one(core, d)
    at = d.tail + d.len
    if at >= d.cap:
        at -= d.cap
    d.queue[at] = page
    d.done[at] = done
    d.len += 1

cdef inline device_t *next_device(core_t *core) noexcept nogil:
    cdef device_t *first = NULL
    cdef device_t *d
    cdef uint32_t k
    if not SELDOM(core.n_devices != 1):
        return core.devices[0] if core.devices[0].len > 0 else NULL
    for k in range(core.n_devices):
        d = core.devices[k]
        if d.len > 0 and (first == NULL or d.done[d.tail] < first.done[first.tail]):
            first = d
    return first

cdef inline void take_completions(core_t *core) noexcept nogil:
    cdef device_t *d = next_device(core)
    while d != NULL and d.done[d.tail] <= core.clock.now:
        complete_one(core, d)
        d = next_device(core)
