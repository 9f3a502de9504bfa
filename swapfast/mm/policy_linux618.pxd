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
from swapfast.mm.area cimport swap_left, vm_swap_full
from swapfast.mm.batch cimport batch_hold, batch_resume
from swapfast.mm.device cimport flight_find
from swapfast.mm.evict cimport (
    WRITE_DONE, WRITE_FAILED, WRITE_FULL, WRITE_WAITS, release, slot_ready_in, slot_spare,
    try_to_unmap, write_out,
)
from swapfast.mm.lru cimport isolate, lru_add, prefetch_tail, putback, take_active
from swapfast.mm.outside cimport take_batch
from swapfast.mm.plug cimport plug_add, plug_finish, wait_for
from swapfast.mm.ring cimport ring_push_all
from swapfast.mm.rmap cimport clear_young, make_old, sharer_bits
from swapfast.mm.scan cimport isolated_t, scan_control_t
from swapfast.mm.tree cimport active_of, age_up, inactive_of
from swapfast.mm.types cimport LIKELY, SELDOM, UNLIKELY, core_t, memcg_t
from swapfast.mm.words cimport (
    DEF_PRIORITY, ENTER_AHEAD, ENTER_SWAPIN, F_ACTIVE, F_REFERENCED, F_SWAPCACHE, F_WORKINGSET,
    F_WRITEBACK, NIL, NO_MEMCG, PTE_ACCESSED, PTE_DIRTY, RECLAIM_ASKED, RECLAIM_DIRECT,
    RECLAIM_KSWAPD, SCAN_BATCH, SHADOW_AGE, SHADOW_LEVEL, SHADOW_LEVELS, SHADOW_WS,
)
from swapfast.mm.writeback cimport rotation_drain, take_completions
# A pass over a tree takes its decisions from the lists of the target, all that is below included;
# windows are each memcg's own. Decisions read statistics, which the kernel adds up every 2 s unless
# somebody reads them (flush_memcg_stats_dwork). Scan windows and the charge are always exact.

cdef enum:
    KEEP = 0
    ACTIVATE = 1
    FREED = 2
    STOP = 3             # its write needs a tag, and others may run meanwhile

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
    g.seen.inactive = inactive_of(core, g)
    g.seen.active = active_of(core, g)
    g.seen.ws_act = g.ws_act
    g.seen.due = refresh_due(core, core.clock.now + 1)

cdef inline uint64_t seen_inactive(core_t *core, memcg_t *g) noexcept nogil:
    if LIKELY(core.rules.stat_period == 0):
        return inactive_of(core, g)
    refresh_618(core, g)
    return g.seen.inactive

cdef inline uint64_t seen_active(core_t *core, memcg_t *g) noexcept nogil:
    if LIKELY(core.rules.stat_period == 0):
        return active_of(core, g)
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
    # lru_note_cost, here and at each level above.
    cdef uint64_t x = 32 * io + rotated
    if x == 0:
        return
    while True:
        g.cost += x
        if g.cost > (seen_inactive(core, g) + seen_active(core, g)) >> 2:
            g.cost >>= 1
        if g.parent == NO_MEMCG:
            return
        g = &core.memcgs[g.parent]

cdef inline memcg_t *level_of(core_t *core, memcg_t *g, uint32_t level) noexcept nogil:
    # The memcg whose age a shadow holds: 0 its own, else the one above at depth level - 1.
    if LIKELY(level == 0):
        return g
    while g.depth >= level and g.parent != NO_MEMCG:
        g = &core.memcgs[g.parent]
    return g

cdef inline void refault_618(core_t *core, memcg_t *g, uint32_t page) noexcept nogil:
    # The distance is taken at the level that evicted the page (workingset_test_recent).
    cdef uint32_t shadow = core.home[page].where, distance
    cdef memcg_t *level = level_of(core, g, (shadow >> SHADOW_LEVEL) & SHADOW_LEVELS)
    distance = (<uint32_t>(level.age) - shadow) & SHADOW_AGE
    core.count.workingset_refault += 1
    g.stat.workingset_refault_anon += 1
    # Without a free slot active anonymous pages do not count (mem_cgroup_get_nr_swap_pages).
    if distance > (seen_active(core, level) if swap_left(core, level) > 0 else 0):
        return
    core.page[page].folio |= F_ACTIVE
    age_up(core, g, 1)
    core.count.workingset_activate += 1
    g.stat.workingset_activate_anon += 1
    if shadow & SHADOW_WS:
        core.page[page].folio |= F_WORKINGSET
        core.count.workingset_restore += 1
        g.stat.workingset_restore_anon += 1
    level = g
    while True:
        level.ws_act += 1
        if level.parent == NO_MEMCG:
            break
        level = &core.memcgs[level.parent]
    if shadow & SHADOW_WS:
        note_cost(core, g, 1, 0)

cdef inline void enter_618(core_t *core, memcg_t *g, uint32_t page, int how) noexcept nogil:
    if how == ENTER_SWAPIN or how == ENTER_AHEAD:
        refault_618(core, g, page)
    lru_add(core, g, page)

cdef inline uint32_t judge_618(core_t *core, memcg_t *g, uint32_t page, scan_control_t *sc,
                               uint64_t *written) noexcept nogil:
    # shrink_folio_list for one isolated page.
    cdef uint32_t folio, bits
    cdef int done
    cdef bint must_write
    if SELDOM(core.flight.used > 0) and flight_find(core, page) != 0:
        return KEEP   # it is being read, and so locked
    if SELDOM(core.page[page].folio & F_WRITEBACK):
        if not core.rules.waits_for_writeback:
            sc.writeback += 1
            return ACTIVATE   # its rotation brings it back when it is written
        wait_for(core, page)
    folio = core.page[page].folio
    bits = sharer_bits(core, page)
    if bits & PTE_ACCESSED:
        make_old(core, page)
        core.page[page].folio = <uint8_t>(folio | F_REFERENCED)
        if not folio & F_REFERENCED:
            return KEEP
        if vm_swap_full(core, page):
            slot_spare(core, page)
        return ACTIVATE
    core.page[page].folio = <uint8_t>(folio & ~F_REFERENCED)
    must_write = bits & PTE_DIRTY != 0 or not folio & F_SWAPCACHE
    if not slot_ready_in(core, g, page, bits & PTE_DIRTY != 0):
        return ACTIVATE
    try_to_unmap(core, page, bits)
    if must_write:
        done = write_out(core, page)
        written[0] += done > WRITE_FAILED
        if done == WRITE_DONE or done == WRITE_FAILED:
            return KEEP
        if UNLIKELY(done == WRITE_WAITS):
            return STOP
        if UNLIKELY(done == WRITE_FULL):
            return ACTIVATE
    release(core, g, page)
    return FREED

cdef inline void count_scan(core_t *core, memcg_t *g, uint32_t kind, uint64_t scanned,
                            uint64_t freed) noexcept nogil:
    if kind == RECLAIM_KSWAPD:
        core.count.pgscan_kswapd += scanned
        core.count.pgsteal_kswapd += freed
        g.stat.pgscan_kswapd += scanned
        g.stat.pgsteal_kswapd += freed
        return
    core.count.pgscan_direct += scanned
    core.count.pgsteal_direct += freed
    if kind == RECLAIM_ASKED:
        g.stat.pgscan_proactive += scanned
        g.stat.pgsteal_proactive += freed
    else:
        g.stat.pgscan_direct += scanned
        g.stat.pgsteal_direct += freed

cdef inline uint64_t judge_batch(core_t *core, memcg_t *g, uint32_t *batch, uint32_t n, uint32_t i,
                                 uint32_t kept, uint64_t written,
                                 scan_control_t *sc) noexcept nogil:
    # From batch[i] on; those in front are kept. Returns how many were freed, when it is through.
    cdef uint32_t verdict, active
    while i < n:
        core.clock.now += core.times.scan_page
        verdict = judge_618(core, g, batch[i], sc, &written)
        if verdict == ACTIVATE:
            core.page[batch[i]].folio |= F_ACTIVE
            core.count.pgactivate += 1
            g.stat.pgactivate += 1
        elif UNLIKELY(verdict == STOP):
            sc.batch = batch_hold(core, g.id, batch, n, i, kept, written)
            return 0
        batch[kept] = batch[i]
        kept += verdict != FREED
        i += 1
    active = putback(core, g, batch, kept)
    if active > 0:
        age_up(core, g, active)
    sc.scanned += n
    g.stat.pswpout += written
    count_scan(core, g, sc.kind, n, n - kept)
    note_cost(core, g, written, kept)
    return n - kept

cdef inline uint64_t scan_inactive_618(core_t *core, memcg_t *g, uint32_t want,
                                       scan_control_t *sc) noexcept nogil:
    cdef uint32_t batch[32]
    cdef uint32_t n
    take_completions(core)
    rotation_drain(core)
    n = isolate(core, &g.inactive, batch, want)
    take_batch(core, batch, n)
    return judge_batch(core, g, batch, n, 0, 0, 0, sc)

cdef inline uint64_t resume_618(core_t *core, memcg_t *g, scan_control_t *sc) noexcept nogil:
    # The page that waited has its tag now, or waits again.
    cdef uint32_t batch[32]
    cdef uint32_t n, i, kept
    cdef isolated_t *b = sc.batch
    cdef uint64_t written = b.written
    take_completions(core)
    if b.gone:
        sc.inactive = sc.active = 0
    if b.pending and b.page[b.i] != NIL and not plug_add(core, b.page[b.i]):
        return 0
    sc.batch = NULL
    batch_resume(core, b, batch, &n, &i, &kept)
    take_batch(core, &batch[i], n - i)
    return judge_batch(core, g, batch, n, i, kept, written, sc)

cdef inline void scan_active_618(core_t *core, memcg_t *g, uint32_t want) noexcept nogil:
    cdef uint32_t batch[32]
    cdef uint32_t n, i, page
    take_completions(core)
    rotation_drain(core)
    n = take_active(core, g, batch, want)
    take_batch(core, batch, n)
    prefetch_tail(core, &g.active, n)
    for i in range(n):
        page = batch[i]
        clear_young(core, page)
        core.page[page].folio = (core.page[page].folio & ~F_ACTIVE) | F_WORKINGSET
    ring_push_all(&g.inactive, core.home, batch, n)
    core.count.pgdeactivate += n
    core.count.pgrefill += n
    g.stat.pgdeactivate += n
    g.stat.pgrefill += n
    core.clock.now += core.times.scan_page * n

cdef inline void prepare_618(core_t *core, memcg_t *target, scan_control_t *sc) noexcept nogil:
    # prepare_scan_control, of the target.
    cdef uint64_t used = core.ram.used + core.ram.others
    sc.cost = target.cost
    sc.may_deactivate = (sc.force or seen_ws_act(core, target) != target.ws_seen
                         or inactive_is_low(core, target))
    sc.file_is_tiny = (core.actors and (sc.kind == RECLAIM_DIRECT or sc.kind == RECLAIM_KSWAPD)
                       and core.ram.pages <= used + core.ram.wmark_high and not sc.may_deactivate
                       and seen_inactive(core, target) >> sc.priority > 0)

cdef inline void finish_618(core_t *core, memcg_t *target) noexcept nogil:
    # snapshot_refaults
    target.ws_seen = seen_ws_act(core, target)

cdef inline uint64_t window_of(scan_control_t *sc, uint64_t size) noexcept nogil:
    # get_scan_count: what a list gives at this priority, less what is protected.
    cdef uint64_t scan = size
    if UNLIKELY(sc.protected_pages > 0):
        scan -= scan * sc.protected_pages // (max(sc.usage, sc.protected_pages) + 1)
        if scan < SCAN_BATCH:
            scan = SCAN_BATCH
    return scan >> sc.priority

cdef inline void put_back_618(core_t *core, memcg_t *g, uint32_t page) noexcept nogil:
    cdef uint32_t one = page
    age_up(core, g, putback(core, g, &one, 1))

cdef inline void windows_618(core_t *core, memcg_t *g, scan_control_t *sc) noexcept nogil:
    # get_scan_count: anonymous against file pages, by swappiness and cost; there are no file pages.
    cdef uint64_t total, anon, other
    sc.inactive = window_of(sc, g.inactive.live)
    sc.active = window_of(sc, g.active.live)
    if swap_left(core, g) == 0:
        # can_reclaim_anon_pages; what is active may still age.
        sc.inactive = 0
    if sc.priority > 0 and not sc.file_is_tiny:
        total = 3 * sc.cost + 1
        anon = core.rules.swappiness * total // (2 * sc.cost + 1)
        other = (200 - core.rules.swappiness) * total // (sc.cost + 1)
        if anon + other > 0:
            sc.inactive = sc.inactive * anon // (anon + other)
            sc.active = sc.active * anon // (anon + other)

cdef inline void scan_windows(core_t *core, memcg_t *g, scan_control_t *sc) noexcept nogil:
    # Until enough is freed, or it has to stop.
    cdef uint32_t k
    cdef bint whole = sc.kind == RECLAIM_DIRECT and sc.priority == DEF_PRIORITY
    while sc.inactive > 0 or UNLIKELY(sc.batch != NULL):
        if UNLIKELY(sc.batch != NULL):
            sc.shrunk += resume_618(core, g, sc)
        else:
            k = <uint32_t>(sc.inactive if sc.inactive < SCAN_BATCH else SCAN_BATCH)
            sc.inactive -= k
            sc.shrunk += scan_inactive_618(core, g, k, sc)
        if UNLIKELY(sc.batch != NULL):
            return
        k = <uint32_t>(sc.active if sc.active < SCAN_BATCH else SCAN_BATCH)
        sc.active -= k
        if k > 0:
            if sc.may_deactivate:
                scan_active_618(core, g, k)
            else:
                sc.skipped = True
        if sc.shrunk >= sc.want and not whole:
            return

cdef inline uint64_t shrink_618(core_t *core, memcg_t *g, scan_control_t *sc) noexcept nogil:
    # shrink_lruvec
    cdef uint64_t before = 0
    if UNLIKELY(sc.batch != NULL):
        before = sc.shrunk
    else:
        windows_618(core, g, sc)
        sc.shrunk = 0
    scan_windows(core, g, sc)
    if UNLIKELY(sc.batch != NULL):
        return sc.shrunk - before
    plug_finish(core)
    if inactive_is_low(core, g):
        scan_active_618(core, g, SCAN_BATCH)
    return sc.shrunk - before
