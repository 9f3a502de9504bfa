# policy_linux25: reclaim in Linux 2.6.25 (mm/vmscan.c), one active and one inactive list.
#
#      new page, swap-in ──► [  active  ] ──► not mapped, or reclaim_mapped and not referenced
#                               ▲                        │
#                   referenced, │                        ▼
#                   no slot     └───────────────── [ inactive ] ──► evicted
#
# Mapped pages leave the active list only under pressure: the *swap tendency*
#     mapped_ratio / 2 + distress + swappiness + imbalance  >=  100
# where distress = 100 >> priority rises as scans fail. A page at the inactive tail that was
# referenced is activated at the first sight. Both windows are (list >> priority) + 1 pages carried
# over until 32 are due, and a pass finishes its windows even when it has freed enough.
# The *swap token* (mm/thrash.c) lets one thrashing mm keep its pages: while its holder waits in a
# fault, its pages count as referenced for everybody else.

from libc.stdint cimport int64_t, uint32_t, uint64_t
from swapfast.mm.area cimport vm_swap_full
from swapfast.mm.evict cimport (
    WRITE_DONE, WRITE_FAILED, WRITE_FULL, release, slot_ready_in, slot_spare, try_to_unmap,
    write_out,
)
from swapfast.mm.lru cimport isolate, lru_add, putback
from swapfast.mm.outside cimport take_batch
from swapfast.mm.rmap cimport clear_young, sharer_bits
from swapfast.mm.scan cimport scan_control_t
from swapfast.mm.token cimport token_protects
from swapfast.mm.tree cimport active_changes, usage_of
from swapfast.mm.types cimport UNLIKELY, core_t, memcg_t
from swapfast.mm.words cimport (
    ENTER_AHEAD, ENTER_NEW, ENTER_SWAPIN, F_ACTIVE, F_REFERENCED, F_SWAPCACHE, F_WRITEBACK,
    PTE_DIRTY, PTE_PRESENT, RECLAIM_KSWAPD, RECLAIM_LIMIT, SCAN_BATCH,
)
from swapfast.mm.plug cimport plug_flush
from swapfast.mm.writeback cimport rotation_drain, take_completions

cdef inline void enter_25(core_t *core, memcg_t *g, uint32_t page, int how) noexcept nogil:
    # Anonymous pages, copies and swap-ins begin on the active list; page cache, and so the pages of
    # shared objects, on the inactive one.
    if how == ENTER_NEW or how == ENTER_SWAPIN or how == ENTER_AHEAD:
        core.page[page].folio |= F_ACTIVE
    lru_add(core, g, page)

cdef inline bint referenced_25(core_t *core, uint32_t page) noexcept nogil:
    cdef bint referenced = clear_young(core, page)
    if core.page[page].folio & F_REFERENCED:
        core.page[page].folio &= ~F_REFERENCED
        referenced = True
    return referenced or token_protects(core, page)

cdef inline bint reclaim_mapped_25(core_t *core, memcg_t *g, uint32_t priority,
                                   bint limited) noexcept nogil:
    cdef uint64_t total = g.max if limited else core.ram.pages
    cdef uint64_t mapped, distress, tendency, imbalance
    cdef uint64_t lru = <uint64_t>g.inactive.live + g.active.live
    if not limited and core.kswapd.scanned >= 3 * lru:   # zone_is_near_oom
        return True
    mapped = 100 * usage_of(core, g) // (total if total else 1)
    distress = 100 >> (g.prev_priority if g.prev_priority < priority else priority)
    tendency = mapped // 2 + distress + core.rules.swappiness
    imbalance = (<uint64_t>g.active.live // (<uint64_t>g.inactive.live + 1)
                 * (core.rules.swappiness + 1) // 100 * mapped // 100)
    return tendency + imbalance >= 100

cdef inline void scan_active_25(core_t *core, memcg_t *g, uint32_t want, uint32_t priority,
                                bint limited) noexcept nogil:
    cdef uint32_t batch[32]
    cdef uint32_t n, i, page
    cdef bint reclaim_mapped = reclaim_mapped_25(core, g, priority, limited)
    take_completions(core)
    rotation_drain(core)
    n = isolate(core, &g.active, batch, want)
    if reclaim_mapped:
        take_batch(core, batch, n)
    active_changes(core, g, -<int64_t>n)
    core.count.pgrefill += n
    core.kswapd.scanned += n
    core.clock.now += core.times.scan_page * n
    for i in range(n):
        page = batch[i]
        if sharer_bits(core, page) & PTE_PRESENT:
            if (not reclaim_mapped or core.swap.total == 0
                    or referenced_25(core, page)):
                continue
        core.page[page].folio &= ~F_ACTIVE
        core.count.pgdeactivate += 1
    putback(core, g, batch, n)

cdef inline uint32_t judge_25(core_t *core, memcg_t *g, uint32_t page) noexcept nogil:
    # shrink_page_list for one isolated page: 0 keep, 1 activate, 2 freed.
    cdef uint32_t bits = sharer_bits(core, page)
    cdef bint must_write
    cdef int done
    if core.page[page].folio & F_WRITEBACK:
        return 0
    if (referenced_25(core, page)
            and (bits & PTE_PRESENT or core.page[page].folio & F_SWAPCACHE)):
        return 1
    must_write = bits & PTE_DIRTY != 0 or not core.page[page].folio & F_SWAPCACHE
    if not slot_ready_in(core, g, page, bits & PTE_DIRTY != 0):
        return 1
    try_to_unmap(core, page, bits)
    if must_write:
        done = write_out(core, page)
        if done == WRITE_DONE or done == WRITE_FAILED:
            return 0
        if UNLIKELY(done == WRITE_FULL):
            return 1
    release(core, g, page)
    return 2

cdef inline uint64_t scan_inactive_25(core_t *core, memcg_t *g, uint32_t want,
                                      scan_control_t *sc) noexcept nogil:
    cdef uint32_t batch[32]
    cdef uint32_t n, i, kept = 0, verdict
    cdef uint64_t freed
    take_completions(core)
    rotation_drain(core)
    n = isolate(core, &g.inactive, batch, want)
    take_batch(core, batch, n)
    core.kswapd.scanned += n
    sc.scanned += n
    if sc.kind == RECLAIM_KSWAPD:
        core.count.pgscan_kswapd += n
    else:
        core.count.pgscan_direct += n
    core.clock.now += core.times.scan_page * n
    for i in range(n):
        verdict = judge_25(core, g, batch[i])
        if verdict == 1:
            core.page[batch[i]].folio |= F_ACTIVE
            core.count.pgactivate += 1
            if vm_swap_full(core, batch[i]):
                slot_spare(core, batch[i])
        batch[kept] = batch[i]
        kept += verdict != 2
    putback(core, g, batch, kept)
    freed = n - kept
    if sc.kind == RECLAIM_KSWAPD:
        core.count.pgsteal_kswapd += freed
    else:
        core.count.pgsteal_direct += freed
    return freed

cdef inline uint64_t shrink_25(core_t *core, memcg_t *g, scan_control_t *sc) noexcept nogil:
    cdef bint limited = sc.kind == RECLAIM_LIMIT
    cdef uint32_t priority = sc.priority, k
    cdef uint64_t want_active, want_inactive, freed = 0
    core.may_stop = False
    if limited:
        want_active = g.active.live >> priority
        want_inactive = g.inactive.live >> priority
    else:
        g.scan_active += (g.active.live >> priority) + 1
        g.scan_inactive += (g.inactive.live >> priority) + 1
        want_active = want_inactive = 0
        if g.scan_active >= SCAN_BATCH:
            want_active = g.scan_active
            g.scan_active = 0
        if g.scan_inactive >= SCAN_BATCH:
            want_inactive = g.scan_inactive
            g.scan_inactive = 0
    while want_active > 0 or want_inactive > 0:
        if want_active > 0:
            k = <uint32_t>(want_active if want_active < SCAN_BATCH else SCAN_BATCH)
            want_active -= k
            scan_active_25(core, g, k, priority, limited)
        if want_inactive > 0:
            k = <uint32_t>(want_inactive if want_inactive < SCAN_BATCH else SCAN_BATCH)
            want_inactive -= k
            freed += scan_inactive_25(core, g, k, sc)
    plug_flush(core)
    if priority < g.prev_priority:
        g.prev_priority = priority
    return freed
