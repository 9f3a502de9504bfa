# token: the swap token of 2.6.25 (mm/thrash.c). While its holder waits in a fault, its pages count
# as referenced for everybody else, so that one thrashing mm gets its work done.
#
# - grab_token(core, mm): a fault of this mm reads from swap
# - token_protects(core, home): the page is the holder's, and somebody else reclaims
# - put_token(t, mm): the mm is gone

from libc.stdint cimport uint32_t
from swapfast.mm.rmap cimport mapping_of
from swapfast.mm.scan cimport token_t
from swapfast.mm.types cimport core_t
from swapfast.mm.words cimport NIL, PTE_PRESENT

cdef inline bint token_protects(core_t *core, uint32_t home) noexcept nogil:
    # page_referenced_one: the holder's page, in a fault, and somebody else is reclaiming.
    cdef uint32_t holder = core.token.holder, p
    if (holder == 0 or holder == core.current_mm
            or core.token.stalled_until[holder] <= core.clock.now):
        return False
    if core.page[home].pte & PTE_PRESENT and mapping_of(core, home).mm == holder:
        return True
    p = core.next[home]
    while p != NIL and p != home:
        if core.page[p].pte & PTE_PRESENT and mapping_of(core, p).mm == holder:
            return True
        p = core.next[p]
    return False

cdef inline void grab_token(core_t *core, uint32_t mm) noexcept nogil:
    # grab_swap_token, called by every fault that reads from swap.
    cdef token_t *t = &core.token
    cdef uint32_t now, interval
    t.faults += 1
    now = <uint32_t>t.faults
    interval = now - t.last[mm]
    if t.holder == 0:
        t.priority[mm] += 2
        t.holder = mm
    elif mm != t.holder:
        if interval < t.interval[mm]:
            t.priority[mm] += 1
        elif t.priority[mm] > 0:
            t.priority[mm] -= 1
        if t.priority[mm] > t.priority[t.holder]:
            t.priority[mm] += 2
            t.holder = mm
    else:
        t.priority[mm] += 2
    t.last[mm] = now
    t.interval[mm] = interval

cdef inline void put_token(token_t *t, uint32_t mm) noexcept nogil:
    if t.holder == mm:
        t.holder = 0
    t.interval[mm] = t.priority[mm] = t.last[mm] = 0
    t.stalled_until[mm] = 0
