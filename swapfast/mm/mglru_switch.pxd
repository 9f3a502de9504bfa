# mglru_switch: the multi-generational LRU is switched on, or off, while pages are on lists (Linux
# 6.18, lru_gen_change_state).
#
#      inactive, then active, each from the tail   ──on──►   as a page that is put back is
#      generation 0 to 3 modulo 4, from the tail   ◄──off──  the two youngest: active
#
# The numbers of the generations are kept, so that pages that are out know later how long it was.
#
# - switch_on(core, g, to) -> False: no memory; to: its policy from now on
# - switch_off(core, g, to)

from libc.stdint cimport int64_t, uint32_t
from swapfast.mm.gens cimport gens_t
from swapfast.mm.lru cimport lru_add
from swapfast.mm.mglru_lists cimport gens_new, lru_drain, put, seq_of
from swapfast.mm.ring cimport ring_pop
from swapfast.mm.tree cimport active_changes
from swapfast.mm.types cimport core_t, memcg_t, policy_t
from swapfast.mm.words cimport F_ACTIVE, G_GEN, GENS

cdef inline void fill(core_t *core, memcg_t *g, uint32_t page) noexcept nogil:
    # fill_evictable, one page.
    cdef bint active = core.page[page].folio & F_ACTIVE != 0
    core.mglru.page[page] = 0
    put(core, g.gens, page, seq_of(core, g.gens, page, active, False), False)

cdef inline bint switch_on(core_t *core, memcg_t *g, const policy_t *to) noexcept nogil:
    lru_drain(core)
    g.gens = g.resting
    g.resting = NULL
    if g.gens == NULL and not gens_new(core, g):
        return False
    active_changes(core, g, -<int64_t>g.active.live)
    while g.inactive.live > 0:
        fill(core, g, ring_pop(&g.inactive))
    while g.active.live > 0:
        fill(core, g, ring_pop(&g.active))
    core.mglru.groups += 1
    g.policy = to
    return True

cdef inline void switch_off(core_t *core, memcg_t *g, const policy_t *to) noexcept nogil:
    # drain_evictable
    cdef gens_t *gens = g.gens
    cdef uint32_t i, page, label
    lru_drain(core)
    for i in range(GENS):
        while gens.list[i].live > 0:
            page = ring_pop(&gens.list[i])
            label = core.mglru.page[page] & G_GEN
            gens.pages[label] -= 1
            if label == gens.max_seq % GENS or label == (gens.max_seq - 1) % GENS:
                core.page[page].folio |= F_ACTIVE
            core.mglru.page[page] = 0
            lru_add(core, g, page)
    core.mglru.groups -= 1
    g.resting = gens
    g.gens = NULL
    g.policy = to
