# mglru_lists: generations as lists of pages (Linux 6.18, include/linux/mm_inline.h, mm/swap.c).
#
#   oldest                                      youngest
#   [ min_seq ] ──── [ ... ] ──── [ max_seq - 1 ] ──── [ max_seq ]
#   scanned at its tail            new pages, at the head
#
# A page has a label, the generation that it belongs to, and lies on a list. An aging changes the
# label alone: the page moves to its list when a scan meets it. So promotion costs no list work.
#
# - gens_new(core, g) -> False: no memory; gens_free(g): its generations
# - list_of(core, gens, page): the ring on which it lies
# - seq_of(core, gens, page, active, tail): the generation that a page without one gets
# - put(core, gens, page, seq, tail): on its list, at the head, or at the tail: scanned next
# - take_off(core, gens, page): off its list
# - relabel(core, gens, page, seq): it belongs to another generation, and stays where it lies
# - activate_later(core, g, page): when the batch is full, or drained
# - activation_drain(core): the batch (folio_activate)
# - lru_drain(core): both batches (lru_add_drain)
# - batch_forget(core, old, new): a page of the batch goes by another name; NIL: it is gone
# - active_pages(g), inactive_pages(g): as /proc/meminfo has them, under either LRU

from libc.stdint cimport uint32_t, uint64_t, uint8_t
from swapfast.mm.gens cimport gens_t, ring_t
from swapfast.mm.ring cimport ring_drop, ring_free, ring_init, ring_push, ring_push_tail
from swapfast.mm.rmap cimport memcg_of
from swapfast.mm.types cimport core_t, lazy_map, lazy_unmap, memcg_t, prefetch_write
from swapfast.mm.words cimport (
    F_ACTIVE, F_ISOLATED, F_SWAPCACHE, F_WORKINGSET, F_WRITEBACK, G_GEN, G_LIST, G_LIST_SHIFT,
    G_PINNED, GENS, LEAST_GENS, NIL,
)
from swapfast.mm.writeback cimport rotation_drain

cdef enum:
    FOLIO_BATCH = 31     # FOLIO_BATCH_SIZE
    FIRST_PAGES = 32     # a list has room for, to begin with

cdef inline void gens_free(memcg_t *g) noexcept nogil:
    # Those that rest, too.
    cdef gens_t *gens = g.gens if g.gens != NULL else g.resting
    cdef uint32_t i
    if gens == NULL:
        return
    for i in range(GENS):
        ring_free(&gens.list[i])
    lazy_unmap(gens, sizeof(gens_t))
    g.gens = g.resting = NULL

cdef inline bint gens_new(core_t *core, memcg_t *g) noexcept nogil:
    # lru_gen_init_lruvec: four generations, all empty.
    cdef uint32_t i
    cdef bint whole = True
    g.gens = <gens_t *>lazy_map(sizeof(gens_t))
    if g.gens == NULL:
        return False
    g.gens.max_seq = LEAST_GENS + 1
    for i in range(GENS):
        whole = ring_init(&g.gens.list[i], FIRST_PAGES) and whole
        g.gens.born[i] = core.clock.now
    if not whole:
        gens_free(g)
    return whole

cdef inline ring_t *list_of(core_t *core, gens_t *gens, uint32_t page) noexcept nogil:
    return &gens.list[(core.mglru.page[page] & G_LIST) >> G_LIST_SHIFT]

cdef inline uint64_t seq_of(core_t *core, gens_t *gens, uint32_t page, bint active,
                            bint tail) noexcept nogil:
    # lru_gen_folio_seq. A page under writeback is always one that reclaim writes (PG_reclaim).
    cdef uint32_t folio = core.page[page].folio
    cdef uint64_t again = folio & F_WORKINGSET != 0, back
    if active:
        back = 1 - again
    elif tail:
        back = GENS - 1
    elif not folio & F_SWAPCACHE or folio & F_WRITEBACK:
        back = 1
    else:
        back = GENS - 1 - again
    return max(gens.max_seq - back, gens.min_seq)

cdef inline void put(core_t *core, gens_t *gens, uint32_t page, uint64_t seq,
                     bint tail) noexcept nogil:
    # lru_gen_add_folio
    cdef uint32_t gen = <uint32_t>(seq % GENS)
    core.mglru.page[page] = <uint8_t>((core.mglru.page[page] & G_PINNED) | gen
                                      | gen << G_LIST_SHIFT)
    core.page[page].folio &= ~(F_ACTIVE | F_ISOLATED)
    gens.pages[gen] += 1
    if tail:
        ring_push_tail(&gens.list[gen], core.home, page)
    else:
        ring_push(&gens.list[gen], core.home, page)

cdef inline void take_off(core_t *core, gens_t *gens, uint32_t page) noexcept nogil:
    # lru_gen_del_folio
    ring_drop(list_of(core, gens, page), core.home, page)
    gens.pages[core.mglru.page[page] & G_GEN] -= 1

cdef inline void relabel(core_t *core, gens_t *gens, uint32_t page, uint64_t seq) noexcept nogil:
    cdef uint32_t gen = <uint32_t>(seq % GENS), bits = core.mglru.page[page]
    gens.pages[bits & G_GEN] -= 1
    gens.pages[gen] += 1
    core.mglru.page[page] = <uint8_t>((bits & ~G_GEN) | gen)

cdef inline void activation_drain(core_t *core) noexcept nogil:
    # lru_activate. A page that a scan has isolated is left to it.
    cdef uint32_t i, page
    cdef memcg_t *g
    for i in range(core.mglru.n):   # their places are anywhere in the lists
        page = core.mglru.batch[i]
        if page == NIL:
            continue
        g = memcg_of(core, page)
        prefetch_write(&list_of(core, g.gens, page).buf[core.home[page].where])
    for i in range(core.mglru.n):
        page = core.mglru.batch[i]
        if page == NIL:
            continue
        core.mglru.page[page] &= ~G_PINNED
        if core.page[page].folio & F_ISOLATED:
            continue
        g = memcg_of(core, page)
        take_off(core, g.gens, page)
        put(core, g.gens, page, seq_of(core, g.gens, page, True, False), False)
        core.count.pgactivate += 1
        g.stat.pgactivate += 1
    core.mglru.n = 0

cdef inline void activate_later(core_t *core, memcg_t *g, uint32_t page) noexcept nogil:
    # folio_activate
    core.mglru.page[page] |= G_PINNED
    prefetch_write(&core.home[page])
    core.mglru.batch[core.mglru.n] = page
    core.mglru.n += 1
    if core.mglru.n == FOLIO_BATCH:
        activation_drain(core)

cdef inline void lru_drain(core_t *core) noexcept nogil:
    rotation_drain(core)
    activation_drain(core)

cdef inline void batch_forget(core_t *core, uint32_t old, uint32_t new) noexcept nogil:
    cdef uint32_t i
    for i in range(core.mglru.n):
        if core.mglru.batch[i] == old:
            core.mglru.batch[i] = new

cdef inline uint64_t active_pages(memcg_t *g) noexcept nogil:
    # lru_gen_is_active: the two youngest generations.
    if g.gens == NULL:
        return g.active.live
    return g.gens.pages[g.gens.max_seq % GENS] + g.gens.pages[(g.gens.max_seq - 1) % GENS]

cdef inline uint64_t inactive_pages(memcg_t *g) noexcept nogil:
    cdef uint64_t all = 0
    cdef uint32_t i
    if g.gens == NULL:
        return g.inactive.live
    for i in range(GENS):
        all += g.gens.pages[i]
    return all - active_pages(g)
