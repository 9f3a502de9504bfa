# plug: writes that one context has not sent yet (struct blk_plug).
#
# With plug_nested a window of read-ahead has a plug, and a reclaim within it has none of its own
# (blk_start_plug): what it writes is sent with the reads, so it finds nothing clean and may write a
# thousand pages more. Early flushes do not help: since 6.13 a plug is flushed when its *first*
# request has 32 pages (blk_add_rq_to_plug), and that is a read. Without reads in front, first and
# last hardly differ, and the last decides here, as before.
#
# A request has its tag from the beginning, so where none is free the plug is sent and the task
# waits in the middle of its scan. A pass of reclaim that may, stops there, and others run
# (batch.pxd).
#
# Sources: block/blk-mq.c (blk_add_rq_to_plug, blk_attempt_plug_merge, blk_mq_get_tag).
#
# - plug_add(core, page) -> False: the write needs a tag, and it stops here; later it is added again
# - plug_read(core, slot): a read ahead
# - plug_flush(core): send what is plugged, note when it will be done
# - plug_finish(core): the same at the end of a shrink, unless read-ahead holds the plug
# - plug_hold(core), plug_release(core): around a window of read-ahead, with plug_nested
# - plugs_flush(core): also what passes that have stopped write
# - wait_for(core, page): until this page's write is done; wait_all(core)

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.area cimport area_of
from swapfast.mm.device cimport area_device, submit
from swapfast.mm.queue cimport device_t, plug_t
from swapfast.mm.scan cimport isolated_t
from swapfast.mm.tags cimport tag_get, tag_later
from swapfast.mm.types cimport SELDOM, SWAPFAST_CHECK, area_t, core_t
from swapfast.mm.words cimport F_WRITEBACK, MAX_REQUEST, NIL
from swapfast.mm.writeback cimport (
    complete_one, next_device, queue_push, rotation_drain, take_completions,
)

cdef inline void send_run(core_t *core, device_t *d, uint32_t slot, uint32_t n,
                          uint64_t *done) noexcept nogil:
    cdef area_t *a = area_of(core, slot)
    core.clock.now += core.times.flush_request
    done[0] = submit(core, d, True, a.device_slot + slot - a.base, n)

cdef inline void send_device(core_t *core, device_t *d) noexcept nogil:
    # The requests of one device, of several.
    cdef plug_t *plug = core.plug
    cdef uint32_t i = 0, k, last, n
    cdef uint64_t done
    while i < plug.n:
        if area_device(core, area_of(core, plug.slot[i])) != d:
            i += 1
            continue
        n = 1
        last = i
        for k in range(i + 1, plug.n):
            if area_device(core, area_of(core, plug.slot[k])) != d:
                continue
            if plug.slot[k] != plug.slot[last] + 1 or n == MAX_REQUEST:
                break
            last = k
            n += 1
        send_run(core, d, plug.slot[i], n, &done)
        for k in range(i, last + 1):
            if area_device(core, area_of(core, plug.slot[k])) == d:
                queue_push(core, d, plug.page[k], done)
        i = last + 1

cdef inline void plug_flush(core_t *core) noexcept nogil:
    cdef plug_t *plug = core.plug
    cdef uint32_t i = 0, n, k
    cdef uint64_t done
    cdef device_t *d
    if SELDOM(plug.several):
        for k in range(core.n_devices):
            if core.devices[k].plugged:
                send_device(core, core.devices[k])
        i = plug.n
    while i < plug.n:
        n = 1
        while (i + n < plug.n and n < MAX_REQUEST
               and plug.slot[i + n] == plug.slot[i] + n):
            n += 1
        d = area_device(core, area_of(core, plug.slot[i]))
        send_run(core, d, plug.slot[i], n, &done)
        for k in range(n):
            queue_push(core, d, plug.page[i + k], done)
        i += n
    plug.n = 0
    plug.requests = 0
    plug.last_len = 0
    plug.several = False
    if SELDOM(core.n_devices > 1):
        for k in range(core.n_devices):
            core.devices[k].plugged = False
            # Two that were made with a read between them are sent as one: its tag is free again.
            core.devices[k].unsent = 0

cdef inline void plug_finish(core_t *core) noexcept nogil:
    if not core.plug.held:
        plug_flush(core)

cdef inline void plug_hold(core_t *core) noexcept nogil:
    core.plug.held = core.rules.nested_plug

cdef inline void plug_release(core_t *core) noexcept nogil:
    if core.plug.held:
        core.plug.held = False
        plug_flush(core)

cdef inline bint plug_tag(core_t *core, uint32_t slot) noexcept nogil:
    # A tag for one request more (blk_mq_get_tag; io_schedule sends the plug).
    cdef device_t *d = area_device(core, area_of(core, slot))
    if tag_get(core, d):
        return True
    plug_flush(core)
    if tag_get(core, d):
        return True
    if not tag_later(core, d):
        return False
    take_completions(core)   # what is isolated is not rotated
    return True

cdef inline bint joins_own(core_t *core, uint32_t slot) noexcept nogil:
    # In a plug of several devices: the last request of this one (blk_attempt_plug_merge).
    cdef device_t *d = area_device(core, area_of(core, slot))
    if not core.plug.several or not d.plugged or d.plug_end != slot or d.plug_len == MAX_REQUEST:
        return False
    d.plug_end = slot + 1
    d.plug_len += 1
    return True

cdef inline void note_device(core_t *core, uint32_t slot) noexcept nogil:
    # Of the last request.
    cdef device_t *d = area_device(core, area_of(core, slot))
    core.plug.several |= core.plug.requests > 1 and core.plug.last_device != d
    core.plug.last_device = d
    d.plugged = True
    d.plug_end = slot + 1
    d.plug_len = core.plug.last_len

cdef inline bint plug_request(core_t *core, uint32_t slot, bint read) noexcept nogil:
    # One page joins the last request, or begins another.
    if (slot == core.plug.last_slot + 1 and core.plug.requests > 0
            and core.plug.last_read == read and core.plug.last_len < MAX_REQUEST):
        core.plug.last_len += 1
    elif SELDOM(core.n_devices > 1) and not read and joins_own(core, slot):
        return True
    else:
        if core.plug.requests == 1:
            core.plug.first_len = core.plug.last_len
        if (core.plug.requests >= 32
                or (core.plug.first_len if core.plug.held else core.plug.last_len) >= 32):
            plug_flush(core)
        if SELDOM(core.tagged) and not read and not plug_tag(core, slot):
            return False
        core.plug.requests += 1
        core.plug.last_len = 1
        core.plug.last_read = read
    core.plug.last_slot = slot
    if SELDOM(core.n_devices > 1) and not read:
        note_device(core, slot)
    return True

cdef inline void plug_read(core_t *core, uint32_t slot) noexcept nogil:
    if core.plug.held:
        plug_request(core, slot, True)

cdef inline bint plug_add(core_t *core, uint32_t page) noexcept nogil:
    cdef uint32_t slot = core.home[page].entry
    if not plug_request(core, slot, False):
        return False
    core.plug.page[core.plug.n] = page
    core.plug.slot[core.plug.n] = slot
    core.plug.n += 1
    core.clock.now += core.times.plug_page
    return True

cdef inline void plugs_flush(core_t *core) noexcept nogil:
    cdef isolated_t *b = core.stopped
    while b != NULL:
        if b.pending and b.page[b.i] != NIL:
            plug_add(core, b.page[b.i])
        b.pending = False
        b = b.next
    plug_flush(core)

cdef inline void wait_for(core_t *core, uint32_t page) noexcept nogil:
    cdef uint64_t begin
    cdef device_t *d
    plugs_flush(core)
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
    plugs_flush(core)
    begin = core.clock.now
    d = next_device(core)
    while d != NULL:
        if d.done[d.tail] > core.clock.now:
            core.clock.now = d.done[d.tail]
        complete_one(core, d)
        d = next_device(core)
    rotation_drain(core)
    core.clock.in_writeback_wait += core.clock.now - begin
