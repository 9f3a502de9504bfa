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
# - plug_add(core, page): its write begins; plug_read(core, slot): so does a read ahead
# - plug_flush(core): send what is plugged, stamp completion times
# - plug_finish(core): the same at the end of a shrink, unless read-ahead holds the plug
# - plug_hold(core), plug_release(core): around a window of read-ahead, with plug_nested
# - take_completions(core): writes that are done by now
# - rotation_drain(core): the rotation buffer (lru_add_drain)
# - wait_for(core, page): until this page's write is done; wait_all(core)

from swapfast.mm.types cimport *
from swapfast.mm.ring cimport *
from swapfast.mm.rmap cimport group_of

cdef inline void rotation_drain(core_t *core) noexcept nogil:
    cdef uint32_t i, page
    cdef group_t *g
    for i in range(core.rotation_len):
        page = core.rotation[i]
        if page == NIL or core.page[page].folio & (F_ACTIVE | F_ISOLATED):
            continue
        g = group_of(core, page)
        ring_drop(&g.inactive, core.home, page)
        ring_push_tail(&g.inactive, core.home, page)
        core.count.pgrotated += 1
    core.rotation_len = 0

cdef inline void complete_one(core_t *core) noexcept nogil:
    cdef uint32_t page = core.queue[core.queue_tail]
    core.queue_tail = 0 if core.queue_tail + 1 == core.queue_cap else core.queue_tail + 1
    core.queue_len -= 1
    if page == NIL:
        return
    core.page[page].folio &= ~F_WRITEBACK
    if core.page[page].folio & F_ISOLATED:
        return
    core.rotation[core.rotation_len] = page
    core.rotation_len += 1
    if core.rotation_len >= core.rotation_batch:
        rotation_drain(core)

cdef inline void queue_widen(core_t *core) noexcept nogil:
    # Full: twice the places, and what lay before the tail follows what lay behind it.
    cdef uint32_t cap = core.queue_cap, more = core.queue_most - cap
    core.queue_cap += more if more < cap else cap
    cdef uint32_t i, at = cap
    for i in range(core.queue_tail):
        core.queue[at] = core.queue[i]
        core.queue_done[at] = core.queue_done[i]
        at = 0 if at + 1 == core.queue_cap else at + 1

cdef inline void queue_push(core_t *core, uint32_t page, uint64_t done) noexcept nogil:
    cdef uint32_t at
    if core.queue_len == core.queue_cap and core.queue_cap < core.queue_most:
        queue_widen(core)
    if core.queue_len == core.queue_cap:
        # Writes of pages that are gone fill it: the device's queue is bounded, so we wait.
        if core.queue_done[core.queue_tail] > core.clock.now:
            core.clock.now = core.queue_done[core.queue_tail]
        complete_one(core)
    at = core.queue_tail + core.queue_len
    if at >= core.queue_cap:
        at -= core.queue_cap
    core.queue[at] = page
    core.queue_done[at] = done
    core.queue_len += 1

cdef inline void plug_flush(core_t *core) noexcept nogil:
    cdef uint32_t i = 0, n, k
    cdef uint64_t done
    while i < core.plug_pages:
        n = 1
        while (i + n < core.plug_pages and n < MAX_REQUEST
               and core.plug_slot[i + n] == core.plug_slot[i] + n):
            n += 1
        core.clock.now += core.times.flush_request
        if core.clock.dev_free < core.clock.now:
            core.clock.dev_free = core.clock.now
        core.clock.dev_free += core.times.write_request + core.times.write_page * n
        done = core.clock.dev_free + core.times.write_latency
        if done < core.clock.last_done:
            done = core.clock.last_done
        core.clock.last_done = done
        for k in range(n):
            queue_push(core, core.plug[i + k], done)
        i += n
    core.plug_pages = 0
    core.plug_requests = 0
    core.plug_last_len = 0

cdef inline void plug_finish(core_t *core) noexcept nogil:
    if not core.plug_held:
        plug_flush(core)

cdef inline void plug_hold(core_t *core) noexcept nogil:
    core.plug_held = core.plug_nested

cdef inline void plug_release(core_t *core) noexcept nogil:
    if core.plug_held:
        core.plug_held = False
        plug_flush(core)

cdef inline void plug_request(core_t *core, uint32_t slot, bint read) noexcept nogil:
    # One page joins the last request, or begins another.
    if (slot == core.plug_last_slot + 1 and core.plug_requests > 0
            and core.plug_last_read == read and core.plug_last_len < MAX_REQUEST):
        core.plug_last_len += 1
    else:
        if core.plug_requests == 1:
            core.plug_first_len = core.plug_last_len
        if (core.plug_requests >= 32
                or (core.plug_first_len if core.plug_held else core.plug_last_len) >= 32):
            plug_flush(core)
        core.plug_requests += 1
        core.plug_last_len = 1
        core.plug_last_read = read
    core.plug_last_slot = slot

cdef inline void plug_read(core_t *core, uint32_t slot) noexcept nogil:
    if core.plug_held:
        plug_request(core, slot, True)

cdef inline void plug_add(core_t *core, uint32_t page) noexcept nogil:
    cdef uint32_t slot = core.home[page].entry
    plug_request(core, slot, False)
    core.plug[core.plug_pages] = page
    core.plug_slot[core.plug_pages] = slot
    core.plug_pages += 1
    core.clock.now += core.times.plug_page

cdef inline void take_completions(core_t *core) noexcept nogil:
    while core.queue_len > 0 and core.queue_done[core.queue_tail] <= core.clock.now:
        complete_one(core)

cdef inline void wait_for(core_t *core, uint32_t page) noexcept nogil:
    cdef uint64_t begin
    plug_flush(core)
    begin = core.clock.now
    while core.page[page].folio & F_WRITEBACK:
        SWAPFAST_CHECK(core.queue_len > 0, b"a page under writeback is queued")
        if core.queue_done[core.queue_tail] > core.clock.now:
            core.clock.now = core.queue_done[core.queue_tail]
        complete_one(core)
    take_completions(core)
    core.clock.in_writeback_wait += core.clock.now - begin

cdef inline void wait_all(core_t *core) noexcept nogil:
    cdef uint64_t begin
    plug_flush(core)
    begin = core.clock.now
    while core.queue_len > 0:
        if core.queue_done[core.queue_tail] > core.clock.now:
            core.clock.now = core.queue_done[core.queue_tail]
        complete_one(core)
    rotation_drain(core)
    core.clock.in_writeback_wait += core.clock.now - begin
