# writeback: pages on their way to the device.
#
# A page that is written survives the scan that wrote it: it waits in the *plug* until its request
# is sent, then in the *completion queue*; when its write is done it is *rotated* to the tail of
# the inactive list, so that the next scan frees it, unless somebody touched it in between.
#
# With plug_nested a window of read-ahead has a plug, and a reclaim within it has none of its own
# (blk_start_plug): what it writes is sent with the reads, so it finds nothing clean and may write a
# thousand pages more. Early flushes do not help: since 6.13 a plug is flushed when its *first*
# request has 32 pages (blk_add_rq_to_plug), and that is a read. Without reads in front, first and
# last hardly differ, and the last decides here, as before.
# Sources: block/blk-mq.c (blk_add_rq_to_plug, blk_attempt_plug_merge), mm/swap.c
# (folio_rotate_reclaimable; 2.6.25 rotate_reclaimable_page).
#
# - queue_push(core, d, page, done): a page under write-out
# - plug_add(core, page): its write begins; plug_read(core, slot): so does a read ahead
# - plug_flush(core): send what is plugged, write_tag completion times
# - plug_finish(core): the same at the end of a shrink, unless read-ahead holds the plug
# - plug_hold(core), plug_release(core): around a window of read-ahead, with plug_nested
# - take_completions(core): writes that are done by now
# - rotation_drain(core): the rotation buffer (lru_add_drain)
# - wait_for(core, page): until this page's write is done; wait_all(core)

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.area cimport area_of
from swapfast.mm.device cimport area_device, submit
from swapfast.mm.queue cimport device_t
from swapfast.mm.ring cimport ring_drop, ring_push_tail
from swapfast.mm.rmap cimport memcg_of
from swapfast.mm.tree cimport active_changes
from swapfast.mm.types cimport LIKELY, SWAPFAST_CHECK, UNLIKELY, area_t, core_t, memcg_t
from swapfast.mm.words cimport F_ACTIVE, F_ISOLATED, F_RESIDENT, F_WRITEBACK, MAX_REQUEST, NIL

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
    # Where the next write is done; NULL: none is on its way.
    cdef device_t *first = NULL
    cdef device_t *d
    cdef uint32_t k
    if LIKELY(core.n_devices == 1):
        return core.devices[0] if core.devices[0].len > 0 else NULL
    for k in range(core.n_devices):
        d = core.devices[k]
        if d.len > 0 and (first == NULL or d.done[d.tail] < first.done[first.tail]):
            first = d
    return first

cdef inline void plug_flush(core_t *core) noexcept nogil:
    cdef uint32_t i = 0, n, k
    cdef uint64_t done
    cdef area_t *a
    cdef device_t *d
    while i < core.plug.n:
        n = 1
        while (i + n < core.plug.n and n < MAX_REQUEST
               and core.plug.slot[i + n] == core.plug.slot[i] + n):
            n += 1
        core.clock.now += core.times.flush_request
        a = area_of(core, core.plug.slot[i])
        d = area_device(core, a)
        done = submit(core, d, True, a.device_slot + core.plug.slot[i] - a.base, n)
        for k in range(n):
            queue_push(core, d, core.plug.page[i + k], done)
        i += n
    core.plug.n = 0
    core.plug.requests = 0
    core.plug.last_len = 0

cdef inline void plug_finish(core_t *core) noexcept nogil:
    if not core.plug.held:
        plug_flush(core)

cdef inline void plug_hold(core_t *core) noexcept nogil:
    core.plug.held = core.rules.nested_plug

cdef inline void plug_release(core_t *core) noexcept nogil:
    if core.plug.held:
        core.plug.held = False
        plug_flush(core)

cdef inline void plug_request(core_t *core, uint32_t slot, bint read) noexcept nogil:
    # One page joins the last request, or begins another.
    if (slot == core.plug.last_slot + 1 and core.plug.requests > 0
            and core.plug.last_read == read and core.plug.last_len < MAX_REQUEST):
        core.plug.last_len += 1
    else:
        if core.plug.requests == 1:
            core.plug.first_len = core.plug.last_len
        if (core.plug.requests >= 32
                or (core.plug.first_len if core.plug.held else core.plug.last_len) >= 32):
            plug_flush(core)
        core.plug.requests += 1
        core.plug.last_len = 1
        core.plug.last_read = read
    core.plug.last_slot = slot

cdef inline void plug_read(core_t *core, uint32_t slot) noexcept nogil:
    if core.plug.held:
        plug_request(core, slot, True)

cdef inline void plug_add(core_t *core, uint32_t page) noexcept nogil:
    cdef uint32_t slot = core.home[page].entry
    plug_request(core, slot, False)
    core.plug.page[core.plug.n] = page
    core.plug.slot[core.plug.n] = slot
    core.plug.n += 1
    core.clock.now += core.times.plug_page

cdef inline void take_completions(core_t *core) noexcept nogil:
    cdef device_t *d = next_device(core)
    while d != NULL and d.done[d.tail] <= core.clock.now:
        complete_one(core, d)
        d = next_device(core)

cdef inline void wait_for(core_t *core, uint32_t page) noexcept nogil:
    cdef uint64_t begin
    cdef device_t *d
    plug_flush(core)
    begin = core.clock.now
    while core.page[page].folio & F_WRITEBACK:
        d = next_device(core)
        SWAPFAST_CHECK(d != NULL, b"a page under writeback is queued")
        if d.done[d.tail] > core.clock.now:
            core.clock.now = d.done[d.tail]
        complete_one(core, d)
    take_completions(core)
    core.clock.in_writeback_wait += core.clock.now - begin

cdef inline void wait_all(core_t *core) noexcept nogil:
    cdef uint64_t begin
    cdef device_t *d
    plug_flush(core)
    begin = core.clock.now
    d = next_device(core)
    while d != NULL:
        if d.done[d.tail] > core.clock.now:
            core.clock.now = d.done[d.tail]
        complete_one(core, d)
        d = next_device(core)
    rotation_drain(core)
    core.clock.in_writeback_wait += core.clock.now - begin
