# tags: room for a request in a device (blk_mq_get_tag, lib/sbitmap.c).
#
# A request has a tag from the time at which it is made, in the plug already, until it is done. Who
# finds none sends what he has plugged, sleeps, and tries again at the next completion; somebody who
# did not sleep may have been quicker. A completion wakes one that waits, in the order in which they
# began to.
#
# - tag_get(core, d) -> False: there is none, and what is plugged should be sent
# - tag_put(d, done): the request is sent, and will be done then
# - tag_later(core, d) -> False: who runs stops, for core.wants; True: it has waited, and has one
# - tag_due(core, d) -> when the next completion is that wakes nobody yet

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.queue cimport device_t
from swapfast.mm.types cimport core_t

cdef inline uint32_t tag_after(device_t *d, uint32_t k) noexcept nogil:
    # Place of the k-th tag, in the order in which they become free.
    k += d.tag_at
    return k - d.tags if k >= d.tags else k

cdef inline bint tag_get(core_t *core, device_t *d) noexcept nogil:
    if d.tag == NULL:
        return True
    if d.unsent >= d.tags or d.tag[tag_after(d, d.unsent)] > core.clock.now:
        return False
    d.unsent += 1
    core.got_tag = True
    return True

cdef inline void tag_put(device_t *d, uint64_t done) noexcept nogil:
    # Kept in the order of completion; most requests are done after all that were sent before.
    cdef uint32_t k = d.tags - 1
    if d.tag == NULL:
        return
    d.tag_at = tag_after(d, 1)
    while k > 0 and d.tag[tag_after(d, k - 1)] > done:
        d.tag[tag_after(d, k)] = d.tag[tag_after(d, k - 1)]
        k -= 1
    d.tag[tag_after(d, k)] = done
    d.unsent -= 1

cdef inline bint tag_later(core_t *core, device_t *d) noexcept nogil:
    cdef uint64_t free = d.tag[d.tag_at]
    if core.may_stop:
        core.wants = d
        return False
    if free > core.clock.now:
        core.in_tags += free - core.clock.now
        core.clock.now = free
    d.unsent = 1
    return True

cdef inline uint64_t tag_due(core_t *core, device_t *d) noexcept nogil:
    return max(core.clock.now, d.tag[tag_after(d, d.woken)])
