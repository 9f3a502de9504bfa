# kdemote: the actors that keep slots free in an area (demote.pxd, proactive).
#
# One begins when the used share of its source goes above a mark, and moves batch after batch until
# it is at the lower one: no faster than its rate, and no faster than the devices. It is a thread of
# the kernel: its waits are in no pressure file.
#
# - wake_movers(core, w): those whose source is above its mark
# - move_step(core, w, a) -> STEP_*: one batch

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.actor cimport (
    AT_END, AT_MOVE, IN_READ, IN_RECLAIM, STEP_OUT, STEP_SLEEP, actor_t, heap_push, spend, world_t,
)
from swapfast.mm.moving cimport MOVE_RATE, demote_t
from swapfast.mm.order cimport used_share
from swapfast.mm.types cimport core_t

cdef enum:
    TRY_AGAIN = 100000000    # ns, after a batch of nothing

cdef inline void wake_movers(core_t *core, world_t *w) noexcept nogil:
    cdef uint32_t k
    cdef demote_t *d
    cdef actor_t *a
    for k in range(core.moves.n):
        d = core.moves.all[k]
        if d.when != MOVE_RATE or d.off or d.world != w.serial:
            continue
        a = &w.actors[d.actor]
        if (a.stage == AT_END and core.clock.now >= d.again
                and used_share(core, d) > d.high):
            a.stage = AT_MOVE
            a.t = max(a.t, core.clock.now)
            heap_push(w, a.t, a.id)

cdef inline int move_step(core_t *core, world_t *w, actor_t *a) noexcept nogil:
    cdef demote_t *d = core.moves.all[a.mapping]
    cdef uint64_t begin = core.clock.now, worked, moved
    if d.off or used_share(core, d) <= d.low:
        return STEP_OUT
    core.in_tags = 0
    moved = core.hooks.demote_some(core, d)
    if moved == 0:
        d.again = core.clock.now + TRY_AGAIN
        return STEP_OUT
    worked = core.clock.now - begin - core.in_tags
    spend(a, IN_RECLAIM, worked)
    a.left = a.t
    a.waits = IN_READ
    spend(a, IN_READ, max(core.in_tags, max(moved * d.ns_page, worked) - worked))
    core.in_tags = 0
    return STEP_SLEEP
