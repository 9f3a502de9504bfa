# charge: a page of memory for a memcg (try_charge_memcg, __alloc_pages).
#
# - has_room(core, g): no limit from here up and no watermark is in the way
# - charge_begin(c): before the first step
# - charge_pass(core, c) -> True: one pass, and the try that has begun is not over
# - charge_step(core, g, c) -> ST_OK: there is room; ST_AGAIN: not yet; or an OOM status
# - take_page(core, g) -> ST_OK or an OOM status: reclaims as needed
# - untake_page(core, g): it is not used after all
# - is_limited(core, g): there is a limit from here up

from libc.stdint cimport uint32_t
from swapfast.mm.reclaim cimport (
    direct_reclaim, free_pages, nothing_reclaimable, try_begin, try_pass,
)
from swapfast.mm.scan cimport charge_t
from swapfast.mm.tree cimport charge_page, note_event, over_high, over_max, uncharge_page
from swapfast.mm.types cimport UNLIKELY, core_t, memcg_t
from swapfast.mm.words cimport (
    EV_MAX, EV_OOM, NO_LIMIT, NO_MEMCG, RECLAIM_DIRECT, RECLAIM_LIMIT, SCAN_BATCH, ST_AGAIN, ST_OK,
    ST_OOM, ST_OOM_GROUP, WANT_KSWAPD,
)

cdef inline bint has_room(core_t *core, memcg_t *g) noexcept nogil:
    return over_max(core, g) == NULL and free_pages(core) > core.ram.wmark_low

cdef inline bint is_limited(core_t *core, memcg_t *g) noexcept nogil:
    while g.parent != NO_MEMCG:
        if g.max != NO_LIMIT:
            return True
        g = &core.memcgs[g.parent]
    return False

cdef inline void charge_begin(charge_t *c) noexcept nogil:
    c.busy = False
    c.tries = 0
    c.sc.kind = RECLAIM_LIMIT

cdef inline bint charge_pass(core_t *core, charge_t *c) noexcept nogil:
    if try_pass(core, &c.sc):
        return True
    c.busy = False
    if c.sc.freed == 0:   # try_charge: only tries that freed nothing count
        c.tries += 1
    elif c.sc.kind == RECLAIM_DIRECT:
        core.kswapd.failures = 0
        c.tries = 0
    return False

cdef inline int charge_step(core_t *core, memcg_t *g, charge_t *c) noexcept nogil:
    # One pass, so that others may run between two of them.
    cdef memcg_t *over
    if c.busy and charge_pass(core, c):
        return ST_AGAIN
    over = over_max(core, g)
    if over != NULL:
        if c.tries >= core.rules.oom_retries:
            note_event(core, over, EV_OOM)
            core.error.memcg = over.id
            return ST_OOM_GROUP
        note_event(core, over, EV_MAX)
        try_begin(core, &c.sc, over, RECLAIM_LIMIT, SCAN_BATCH)
        c.busy = True
        return ST_AGAIN
    if free_pages(core) > core.ram.wmark_low:
        return ST_OK
    if not core.actors:
        return direct_reclaim(core)
    core.wanted |= WANT_KSWAPD
    if free_pages(core) > core.ram.wmark_min:
        return ST_OK
    # should_reclaim_retry: without a free slot no anonymous page is reclaimable.
    if c.tries >= core.rules.oom_retries or (c.tries > 0 and nothing_reclaimable(core)):
        return ST_OOM
    if c.sc.kind != RECLAIM_DIRECT:
        core.count.allocstall += 1
    try_begin(core, &c.sc, &core.memcgs[0], RECLAIM_DIRECT, SCAN_BATCH)
    c.busy = True
    return ST_AGAIN

cdef inline int make_room(core_t *core, memcg_t *g) noexcept nogil:
    # All passes at once.
    cdef charge_t c
    cdef int status = ST_AGAIN
    charge_begin(&c)
    while status == ST_AGAIN:
        status = charge_step(core, g, &c)
    return status

cdef inline int take_page(core_t *core, memcg_t *g) noexcept nogil:
    cdef int status
    if not has_room(core, g):
        status = make_room(core, g)
        if status != ST_OK:
            return status
    charge_page(core, g)
    if UNLIKELY(core.rules.highs) and over_high(core, g):
        core.debt += 1
    return ST_OK

cdef inline void untake_page(core_t *core, memcg_t *g) noexcept nogil:
    uncharge_page(core, g)
