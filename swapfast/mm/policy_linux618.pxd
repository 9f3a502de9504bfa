# policy_linux618: reclaim of anonymous memory in Linux 6.18, classic LRU (mm/vmscan.c,
# mm/workingset.c).
#
#      new page, swap-in ──► [ inactive ] ──► evicted: shadow = age
#                               │   ▲             │
#        second access found    │   │ deactivate  │ refault: distance = age - shadow
#        by a scan              ▼   │             │   <= active pages: straight to active
#                            [  active  ] ◄───────┘
#
# A page is judged at the inactive tail by its accessed bit: the first time it is found accessed it
# goes round once more (PG_referenced), the second time it is activated. The *nonresident age*
# counts evictions and activations; the age that passed between eviction and refault is the refault
# distance, the number of further inactive pages that would have kept it in memory. If that is no
# more than the active list holds, the page competes with active pages and is activated, and the
# next reclaim deactivates.
#
# What is evicted dirty, or for the first time, is written first: it survives this scan, and goes
# at the next unless it was touched. Sources: shrink_node, get_scan_count, shrink_inactive_list,
# folio_check_references, workingset_refault, lru_note_cost, folio_rotate_reclaimable.

from libc.stdint cimport uint32_t, uint64_t, uint8_t
from swapfast.mm.area cimport vm_swap_full
from swapfast.mm.evict cimport release, slot_ready, slot_spare, unmap, write_out
from swapfast.mm.lru cimport isolate, lru_add, prefetch_tail, putback
from swapfast.mm.ring cimport ring_push_all, ring_take
from swapfast.mm.rmap cimport clear_young, make_old, sharer_bits
from swapfast.mm.tlb cimport tlb_drop_folio
from swapfast.mm.types cimport (
    DEF_PRIORITY, ENTER_AHEAD, ENTER_SWAPIN, F_ACTIVE, F_REFERENCED, F_SWAPCACHE, F_WORKINGSET,
    F_WRITEBACK, LIKELY, PTE_ACCESSED, PTE_DIRTY, PTE_PRESENT, SCAN_BATCH, SHADOW_AGE, SHADOW_WS,
    UNLIKELY, core_t, memcg_t,
)
from swapfast.mm.writeback cimport plug_finish, rotation_drain, take_completions, wait_for
# Decisions read the group's statistics, which the kernel adds up every 2 s unless somebody reads
# them (flush_memcg_stats_dwork). Scan windows and the charge are always exact.

cdef inline uint64_t refresh_due(core_t *core, uint64_t when) noexcept nogil:
    # The first refresh at this time or later.
    if when <= core.rules.stat_phase:
        return core.rules.stat_phase
    when -= core.rules.stat_phase
    return (core.rules.stat_phase + (when + core.rules.stat_period - 1)
            // core.rules.stat_period * core.rules.stat_period)

cdef inline void refresh_618(core_t *core, memcg_t *g) noexcept nogil:
    # Taken when something is read for the first time after it is due.
    if core.clock.now < g.seen.due:
        return
    g.seen.inactive = g.inactive.live
    g.seen.active = g.active.live
    g.seen.ws_act = g.ws_act
    g.seen.due = refresh_due(core, core.clock.now + 1)

cdef inline uint64_t seen_inactive(core_t *core, memcg_t *g) noexcept nogil:
    if LIKELY(core.rules.stat_period == 0):
        return g.inactive.live
    refresh_618(core, g)
    return g.seen.inactive

cdef inline uint64_t seen_active(core_t *core, memcg_t *g) noexcept nogil:
    if LIKELY(core.rules.stat_period == 0):
        return g.active.live
    refresh_618(core, g)
    return g.seen.active

cdef inline uint64_t seen_ws_act(core_t *core, memcg_t *g) noexcept nogil:
    if LIKELY(core.rules.stat_period == 0):
        return g.ws_act
    refresh_618(core, g)
    return g.seen.ws_act

cdef inline bint inactive_is_low(core_t *core, memcg_t *g) noexcept nogil:
    cdef uint64_t inactive = seen_inactive(core, g), active = seen_active(core, g)
    cdef uint64_t gb = (inactive + active) >> 18, ratio = 1, square
    if gb:
        # int_sqrt(10 * gb)
        square = 10 * gb
        ratio = 1
        while (ratio + 1) * (ratio + 1) <= square:
            ratio += 1
    return inactive * ratio < active

cdef inline void note_cost(core_t *core, memcg_t *g, uint64_t io, uint64_t rotated) noexcept nogil:
    cdef uint64_t x = 32 * io + rotated
    if x == 0:
        return
    g.cost += x
    if g.cost > (seen_inactive(core, g) + seen_active(core, g)) >> 2:
        g.cost >>= 1

cdef inline void refault_618(core_t *core, memcg_t *g, uint32_t page) noexcept nogil:
    cdef uint32_t shadow = core.home[page].where
    cdef uint32_t distance = (<uint32_t>(g.age) - shadow) & SHADOW_AGE
    core.count.workingset_refault += 1
    # Without a free slot active anonymous pages do not count (mem_cgroup_get_nr_swap_pages).
    if distance > (seen_active(core, g) if core.swap.free > 0 else 0):
        return
    core.page[page].folio |= F_ACTIVE
    g.age += 1
    g.ws_act += 1
    core.count.workingset_activate += 1
    if shadow & SHADOW_WS:
        core.page[page].folio |= F_WORKINGSET
        core.count.workingset_restore += 1
        note_cost(core, g, 1, 0)

cdef inline void enter_618(core_t *core, memcg_t *g, uint32_t page, int how) noexcept nogil:
    if how == ENTER_SWAPIN or how == ENTER_AHEAD:
        refault_618(core, g, page)
    lru_add(core, g, page)

cdef inline uint32_t judge_618(core_t *core, memcg_t *g, uint32_t page,
                               uint64_t *written) noexcept nogil:
    # shrink_folio_list for one isolated page: 0 keep, 1 activate, 2 freed.
    cdef uint32_t folio, bits
    cdef bint must_write
    if UNLIKELY(core.page[page].folio & F_WRITEBACK):
        wait_for(core, page)
    folio = core.page[page].folio
    bits = sharer_bits(core, page)
    if bits & PTE_ACCESSED:
        make_old(core, page)
        core.page[page].folio = <uint8_t>(folio | F_REFERENCED)
        if not folio & F_REFERENCED:
            return 0
        if vm_swap_full(core):
            slot_spare(core, page)
        return 1
    core.page[page].folio = <uint8_t>(folio & ~F_REFERENCED)
    must_write = bits & PTE_DIRTY != 0 or not folio & F_SWAPCACHE
    if not slot_ready(core, page, bits & PTE_DIRTY != 0):
        return 1
    if bits & PTE_PRESENT:
        core.clock.now += core.times.unmap
    if UNLIKELY(core.tlb.entry != NULL):
        tlb_drop_folio(core, page)
    unmap(core, page)
    if must_write and write_out(core, page):
        written[0] += 1
        return 0
    release(core, g, page)
    return 2

cdef inline uint64_t scan_inactive_618(core_t *core, memcg_t *g, uint32_t want) noexcept nogil:
    cdef uint32_t batch[32]
    cdef uint32_t n, i, kept = 0, verdict
    cdef uint64_t written = 0, freed
    take_completions(core)
    rotation_drain(core)
    n = isolate(core, &g.inactive, batch, want)
    for i in range(n):
        core.clock.now += core.times.scan_page
        verdict = judge_618(core, g, batch[i], &written)
        if verdict == 1:
            core.page[batch[i]].folio |= F_ACTIVE
            core.count.pgactivate += 1
        batch[kept] = batch[i]
        kept += verdict != 2
    g.age += putback(core, g, batch, kept)
    freed = n - kept
    if core.kswapd.running:
        core.count.pgscan_kswapd += n
        core.count.pgsteal_kswapd += freed
    else:
        core.count.pgscan_direct += n
        core.count.pgsteal_direct += freed
    note_cost(core, g, written, kept)
    return freed

cdef inline void scan_active_618(core_t *core, memcg_t *g, uint32_t want) noexcept nogil:
    cdef uint32_t batch[32]
    cdef uint32_t n, i, page
    take_completions(core)
    rotation_drain(core)
    n = ring_take(&g.active, batch, want)
    prefetch_tail(core, &g.active)
    for i in range(n):
        page = batch[i]
        clear_young(core, page)
        core.page[page].folio = (core.page[page].folio & ~F_ACTIVE) | F_WORKINGSET
    ring_push_all(&g.inactive, core.home, batch, n)
    core.count.pgdeactivate += n
    core.count.pgrefill += n
    core.clock.now += core.times.scan_page * n

cdef inline uint64_t shrink_618(core_t *core, memcg_t *g, uint32_t priority, bint force,
                                bint *skipped) noexcept nogil:
    cdef bint may = (force or seen_ws_act(core, g) != g.ws_seen
                     or inactive_is_low(core, g))
    cdef uint64_t want_inactive = g.inactive.live >> priority
    cdef uint64_t want_active = g.active.live >> priority
    cdef uint64_t total, anon, other, freed = 0
    cdef uint32_t k
    if priority > 0:
        # get_scan_count: anonymous against file pages, by swappiness and cost; there are no file
        # pages.
        total = 3 * g.cost + 1
        anon = core.rules.swappiness * total // (2 * g.cost + 1)
        other = (200 - core.rules.swappiness) * total // (g.cost + 1)
        if anon + other > 0:
            want_inactive = want_inactive * anon // (anon + other)
            want_active = want_active * anon // (anon + other)
    while want_inactive > 0:
        k = <uint32_t>(want_inactive if want_inactive < SCAN_BATCH else SCAN_BATCH)
        want_inactive -= k
        freed += scan_inactive_618(core, g, k)
        k = <uint32_t>(want_active if want_active < SCAN_BATCH else SCAN_BATCH)
        want_active -= k
        if k > 0:
            if may:
                scan_active_618(core, g, k)
            else:
                skipped[0] = True
        if freed >= SCAN_BATCH:
            break
    plug_finish(core)
    if inactive_is_low(core, g):
        scan_active_618(core, g, SCAN_BATCH)
    return freed

cdef inline uint64_t reclaim_618(core_t *core, memcg_t *g, uint64_t want) noexcept nogil:
    # do_try_to_free_pages: priorities 12 down to 0; a round that frees nothing is repeated over the
    # whole tree, then with deactivation forced.
    cdef uint64_t freed = 0, begin = core.clock.now
    cdef bint full = False, force = False, skipped = False
    cdef int priority
    core.count.reclaims += 1
    core.clock.now += core.times.reclaim
    while True:
        priority = DEF_PRIORITY
        while priority >= 0:
            freed += shrink_618(core, g, priority, force, &skipped)
            if freed >= want:
                break
            priority -= 1
        g.ws_seen = seen_ws_act(core, g)
        if freed == 0 and not full:
            full = True
        elif freed == 0 and skipped and not force:
            force = True
            skipped = False
        else:
            break
    core.clock.in_reclaim += core.clock.now - begin
    return freed
