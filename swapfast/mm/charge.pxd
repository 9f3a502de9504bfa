# charge: a page of memory for a memcg (try_charge_memcg, __alloc_pages).
#
# - has_room(core, g): no limit from here up and no watermark is in the way
# - take_page(core, g) -> ST_OK or an OOM status: reclaims as needed
# - untake_page(core, g): it is not used after all
# - is_limited(core, g): there is a limit from here up

from libc.stdint cimport uint32_t
from swapfast.mm.reclaim cimport direct_reclaim, free_pages, try_to_free
from swapfast.mm.tree cimport charge_page, note_event, over_max, uncharge_page
from swapfast.mm.types cimport LIKELY, core_t, memcg_t
from swapfast.mm.words cimport (
    EV_MAX, EV_OOM, NO_LIMIT, NO_MEMCG, RECLAIM_LIMIT, ST_OK, ST_OOM_GROUP,
)

cdef inline bint has_room(core_t *core, memcg_t *g) noexcept nogil:
    return over_max(core, g) == NULL and free_pages(core) > core.ram.wmark_low

cdef inline bint is_limited(core_t *core, memcg_t *g) noexcept nogil:
    while g.parent != NO_MEMCG:
        if g.max != NO_LIMIT:
            return True
        g = &core.memcgs[g.parent]
    return False

cdef inline int make_room(core_t *core, memcg_t *g) noexcept nogil:
    cdef uint32_t tries = 0
    cdef memcg_t *over
    while True:
        over = over_max(core, g)
        if over == NULL:
            break
        if tries >= core.rules.oom_retries:
            note_event(core, over, EV_OOM)
            core.error.memcg = over.id
            return ST_OOM_GROUP
        # try_charge: only tries that freed nothing count.
        note_event(core, over, EV_MAX)
        if try_to_free(core, over, RECLAIM_LIMIT) == 0:
            tries += 1
    if free_pages(core) <= core.ram.wmark_low:
        return direct_reclaim(core)
    return ST_OK

cdef inline int take_page(core_t *core, memcg_t *g) noexcept nogil:
    cdef int status
    if not LIKELY(has_room(core, g)):
        status = make_room(core, g)
        if status != ST_OK:
            return status
    charge_page(core, g)
    return ST_OK

cdef inline void untake_page(core_t *core, memcg_t *g) noexcept nogil:
    uncharge_page(core, g)
