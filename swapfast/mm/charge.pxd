# charge: a page of memory for a memcg (try_charge_memcg, __alloc_pages).
#
# - take_page(core, g) -> ST_OK or an OOM status: reclaims as needed
# - untake_page(core, g): it is not used after all

from libc.stdint cimport uint32_t
from swapfast.mm.reclaim cimport direct_reclaim, free_pages
from swapfast.mm.types cimport SCAN_BATCH, ST_OK, ST_OOM_GROUP, UNLIKELY, core_t, memcg_t

cdef inline int take_page(core_t *core, memcg_t *g) noexcept nogil:
    cdef uint32_t tries = 0
    cdef int status
    while g.limit != 0 and g.usage >= g.limit:
        # try_charge: only tries that freed nothing count.
        if g.policy.reclaim(core, g, SCAN_BATCH) == 0:
            tries += 1
            if tries >= core.rules.oom_retries and g.usage >= g.limit:
                return ST_OOM_GROUP
    if UNLIKELY(free_pages(core) <= core.ram.wmark_low):
        status = direct_reclaim(core)
        if status != ST_OK:
            return status
    g.usage += 1
    core.ram.used += 1
    return ST_OK

cdef inline void untake_page(core_t *core, memcg_t *g) noexcept nogil:
    g.usage -= 1
    core.ram.used -= 1
