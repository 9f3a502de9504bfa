# waiters: actors that wait for a tag of a device.
#
# One completion wakes one of them, in the order in which they came. It tries again when it runs,
# and may find that another one was quicker; then it queues up behind the others.
#
# - queue_up(core, w, a) -> STEP_*: for a tag of core.wants
# - wake_waiters(core, w): those that now know until when, since more requests are under way
# - waiter_woken(a): its time has come
# - waiter_gone(w, a): it does not wait any more

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.actor cimport (
    AT_READ, IN_TAGS, NOBODY, STEP_QUEUE, STEP_SLEEP, actor_t, heap_push, spend, world_t,
)
from swapfast.mm.queue cimport device_t
from swapfast.mm.tags cimport tag_due
from swapfast.mm.types cimport core_t

cdef inline void wakes_at(core_t *core, actor_t *a, uint64_t t) noexcept nogil:
    if a.stage == AT_READ:
        core.clock.in_swap_in += t - a.t
    spend(a, IN_TAGS, t - a.t)
    a.asleep = True
    a.wants.woken += 1

cdef inline int queue_up(core_t *core, world_t *w, actor_t *a) noexcept nogil:
    cdef device_t *d = core.wants
    a.wants = d
    a.left = a.t
    a.waits = IN_TAGS
    a.lost = a.woken and not core.got_tag
    if d.woken < d.tags and d.waiting == 0:
        wakes_at(core, a, tag_due(core, d))
        return STEP_SLEEP
    a.next_waiter = NOBODY
    if d.waiting == 0:
        d.first_waiter = a.id
    else:
        w.actors[d.last_waiter].next_waiter = a.id
    d.last_waiter = a.id
    d.waiting += 1
    w.n_queued += 1
    return STEP_QUEUE

cdef inline void wake_waiters(core_t *core, world_t *w) noexcept nogil:
    cdef device_t *d
    cdef actor_t *a
    cdef uint32_t k
    if w.n_queued == 0:
        return
    for k in range(core.n_devices):
        d = core.devices[k]
        while d.waiting > 0 and d.woken < d.tags:
            a = &w.actors[d.first_waiter]
            d.first_waiter = a.next_waiter
            d.waiting -= 1
            w.n_queued -= 1
            wakes_at(core, a, tag_due(core, d))
            heap_push(w, a.t, a.id)

cdef inline void waiter_woken(actor_t *a) noexcept nogil:
    a.wants.woken -= 1
    a.wants = NULL
    a.woken = True

cdef inline void waiter_gone(world_t *w, actor_t *a) noexcept nogil:
    cdef device_t *d = a.wants
    cdef uint32_t at, before = NOBODY, _k
    a.wants = NULL
    at = d.first_waiter
    for _k in range(d.waiting):
        if at == a.id:
            break
        before = at
        at = w.actors[at].next_waiter
    else:
        d.woken -= 1
        return
    d.waiting -= 1
    w.n_queued -= 1
    if before == NOBODY:
        d.first_waiter = a.next_waiter
    else:
        w.actors[before].next_waiter = a.next_waiter
    if d.last_waiter == a.id:
        d.last_waiter = before
