# policy_mglru: reclaim of anonymous memory in Linux 6.18, the multi-generational LRU (mm/vmscan.c).
#
#      new page, swap-in                                          aging: when few are left,
#            │                                                    page tables are walked
#            ▼                                                            │
#      [ max_seq - 1 ] ──► grows older as younger ones are made ──► [ min_seq ] ──► evicted
#            ▲                                                       │  scan at the tail
#            │            accessed, and seen so the first time       │
#            ├───────────────────────────────────────────────────────┤
#            │ written                                               │ the second time
#      rotated when that ends                                        ▼
#                                                               [ max_seq ]
#
# Four generations take the place of an active and an inactive list. A page is not asked by one
# accessed bit at the tail alone: an aging reads the bits of whole page tables (mglru_age.pxd), and
# a page that is found accessed at the tail has its neighbours read. Who was seen twice is young.
# Nothing balances lists, and no distance of a refault is computed: refaults only steer whether
# pages seen twice are passed over (mglru_evict.pxd).
#
# A pass looks at a share of all pages, by priority, and does not end when enough is freed: memcgs
# are to be treated alike. When three generations are left it makes a new one instead, except at
# the lowest pressure. It never waits for a write, so a slow device makes it write out more.
#
# Simplified: reclaim of the whole machine walks the tree as the classic LRU does, where the kernel
# has a list of memcgs by age (shrink_many); a program that joins an old memcg is walked whatever
# the filters say, but does not make the kernel walk those behind it.
#
# Sources: lru_gen_shrink_lruvec, try_to_shrink_lruvec, get_nr_to_scan, should_run_aging,
# folio_add_lru, do_swap_page.
#
# - enter_mglru, leave_mglru, rehome_mglru, shrink_mglru, rotate_mglru, put_back_mglru: the contract
#   of a policy
# - keeps_slot(core, page, write): a page that a fault maps keeps its slot for now

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.area cimport area_of, swap_left, vm_swap_full
from swapfast.mm.batch cimport batch_rename
from swapfast.mm.device cimport area_device
from swapfast.mm.gens cimport gens_t, ring_t
from swapfast.mm.mglru_age cimport age
from swapfast.mm.mglru_evict cimport EVICT_BATCH, evict, evict_on, put_back, refault
from swapfast.mm.mglru_lists cimport batch_forget, list_of, lru_drain, put, seq_of, take_off
from swapfast.mm.plug cimport plug_finish
from swapfast.mm.policy_linux618 cimport window_of
from swapfast.mm.rmap cimport memcg_of
from swapfast.mm.scan cimport scan_control_t
from swapfast.mm.types cimport SWAPFAST_CHECK, UNLIKELY, core_t, memcg_t
from swapfast.mm.words cimport (
    DEF_PRIORITY, ENTER_AHEAD, ENTER_MOVE, ENTER_SWAPIN, F_ISOLATED, F_SWAPCACHE, G_PINNED,
    LEAST_GENS, MM_SEEN, NIL, RECLAIM_DIRECT, RECLAIM_KSWAPD,
)
from swapfast.mm.writeback cimport take_completions

cdef inline void enter_mglru(core_t *core, memcg_t *g, uint32_t page, int how) noexcept nogil:
    # folio_add_lru: a fault brings a page in as active (lru_gen_in_fault).
    core.mglru.page[page] = 0
    if how == ENTER_SWAPIN or how == ENTER_AHEAD:
        refault(core, g, page)
        if how == ENTER_SWAPIN:
            core.mglru.entered = page
        if core.current_mm < core.token.mms:
            core.mglru.mm[core.current_mm] |= MM_SEEN   # it will wait, and run again
    put(core, g.gens, page, seq_of(core, g.gens, page, how != ENTER_MOVE, False), False)

cdef inline void leave_mglru(core_t *core, memcg_t *g, uint32_t page) noexcept nogil:
    if core.mglru.page[page] & G_PINNED:
        batch_forget(core, page, NIL)
    if UNLIKELY(core.page[page].folio & F_ISOLATED):
        batch_rename(core, page, NIL)
    else:
        take_off(core, g.gens, page)
    core.mglru.page[page] = 0

cdef inline void rehome_mglru(core_t *core, memcg_t *g, uint32_t old, uint32_t new) noexcept nogil:
    cdef ring_t *r = list_of(core, g.gens, old)
    if UNLIKELY(core.page[new].folio & F_ISOLATED):
        batch_rename(core, old, new)
    else:
        SWAPFAST_CHECK(r.buf[core.home[new].where] == old, b"a page that moves was on its list")
        r.buf[core.home[new].where] = new
    core.mglru.page[new] = core.mglru.page[old]
    core.mglru.page[old] = 0
    if core.mglru.page[new] & G_PINNED:
        batch_forget(core, old, new)

cdef inline void rotate_mglru(core_t *core, memcg_t *g, uint32_t page) noexcept nogil:
    # lru_move_tail: the oldest generation, scanned next.
    take_off(core, g.gens, page)
    put(core, g.gens, page, seq_of(core, g.gens, page, False, True), True)
    core.count.pgrotated += 1

cdef inline bint keeps_slot(core_t *core, uint32_t page, bint write) noexcept nogil:
    # do_swap_page. A page just read for a write empties the batches first; one that was in the swap
    # cache keeps its slot if a batch holds it, or if the device is synchronous and it is only read.
    cdef bint synchronous, major = core.mglru.entered == page
    core.mglru.entered = NIL
    if memcg_of(core, page).gens == NULL or not core.page[page].folio & F_SWAPCACHE:
        return False
    synchronous = core.timed and area_device(
        core, area_of(core, core.home[page].entry)).synchronous
    if major:
        if write and not synchronous:
            lru_drain(core)
        return False
    if vm_swap_full(core, page):
        return False
    return core.mglru.page[page] & G_PINNED != 0 if write else synchronous

cdef inline bint may_age(gens_t *gens) noexcept nogil:
    # should_run_aging: of four generations one is used up.
    return gens.min_seq + LEAST_GENS >= gens.max_seq

cdef inline uint64_t want_of(gens_t *gens, scan_control_t *sc) noexcept nogil:
    # get_nr_to_scan: of a memcg with two generations nothing can be evicted.
    cdef uint64_t pages = gens.pages[0] + gens.pages[1] + gens.pages[2] + gens.pages[3]
    if gens.min_seq + LEAST_GENS > gens.max_seq or pages == 0:
        return 0
    return window_of(sc, pages)

cdef inline void put_back_mglru(core_t *core, memcg_t *g, uint32_t page) noexcept nogil:
    put_back(core, g.gens, page)

cdef inline uint64_t shrink_mglru(core_t *core, memcg_t *g, scan_control_t *sc) noexcept nogil:
    # lru_gen_shrink_lruvec, try_to_shrink_lruvec. It may stop within evict, and goes on there; sc
    # has what is wanted (inactive), what was looked at (active) and what was freed.
    cdef bint whole = sc.kind == RECLAIM_DIRECT or sc.kind == RECLAIM_KSWAPD
    cdef uint64_t looked, before = 0
    if UNLIKELY(sc.batch != NULL):
        before = sc.shrunk
    elif core.rules.swappiness == 0 or swap_left(core, g) < EVICT_BATCH:
        return 0   # get_swappiness
    else:
        sc.active = sc.shrunk = 0
        take_completions(core)
        lru_drain(core)
    while True:
        if UNLIKELY(sc.batch != NULL):
            looked = evict_on(core, g, sc)
        elif may_age(g.gens) and sc.priority != DEF_PRIORITY:
            age(core, g)
            break
        else:
            sc.inactive = want_of(g.gens, sc)
            if sc.inactive == 0:
                break
            looked = evict(core, g, sc.inactive, sc)
            sc.active += looked
        if UNLIKELY(sc.batch != NULL):
            return sc.shrunk - before
        if looked == 0 or sc.active >= sc.inactive:
            break
        if whole and sc.freed + sc.shrunk - before >= sc.want:   # should_abort_scan
            break
    plug_finish(core)
    return sc.shrunk - before
