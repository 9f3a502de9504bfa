# mglru_evict: pages at the tail of the oldest generation go, or get another chance (Linux 6.18,
# mm/vmscan.c).
#
#                       ┌──► its own list      label changed by an aging
#   [ oldest ] ──tail──┼──► next generation   seen twice, and protected now; or being written
#                       └──► isolated ──┬──► accessed: seen, maybe activated
#                                       ├──► dirty: its write begins, it is back in max_seq - 1
#                                       └──► clean: freed, shadow = min_seq
#
# Pages seen accessed twice are passed over while they refault more than the others, share for
# share: a controller compares the two, with averages that halve each time a generation is used up.
#
# A page that is written goes round, and when its write ends it is rotated to the oldest tail. Where
# it ended before the page was put back there is nothing to rotate: such pages get a second pass.
#
# - refault(core, g, page): it comes back (lru_gen_refault)
# - evict(core, g, want, sc) -> pages looked at, 0: there is no point in going on
# - evict_on(core, g, sc): it had stopped, since a page that it writes needs a tag
# - put_back(core, gens, page): an isolated page

from libc.stdint cimport int64_t, uint32_t, uint64_t, uint8_t
from swapfast.mm.area cimport vm_swap_full
from swapfast.mm.batch cimport batch_hold, batch_resume
from swapfast.mm.device cimport flight_find
from swapfast.mm.evict cimport (
    WRITE_DONE, WRITE_FAILED, WRITE_FULL, WRITE_WAITS, release, slot_ready, slot_spare,
    try_to_unmap, write_out,
)
from swapfast.mm.gens cimport gens_t, ring_t
from swapfast.mm.lru cimport prefetch_page
from swapfast.mm.mglru_age cimport look_around
from swapfast.mm.mglru_lists cimport put, relabel, seq_of
from swapfast.mm.outside cimport take_batch
from swapfast.mm.plug cimport plug_add
from swapfast.mm.policy_linux618 cimport FREED, KEEP, STOP, count_scan
from swapfast.mm.ring cimport ring_pop, ring_push
from swapfast.mm.rmap cimport make_old, next_mapper, sharer_bits
from swapfast.mm.scan cimport isolated_t, scan_control_t
from swapfast.mm.types cimport UNLIKELY, core_t, memcg_t, prefetch_write
from swapfast.mm.words cimport (
    F_ACTIVE, F_ISOLATED, F_REFERENCED, F_SWAPCACHE, F_WORKINGSET, F_WRITEBACK, G_GEN, G_LIST,
    G_LIST_SHIFT, G_PINNED, GENS, LEAST_GENS, NIL, PTE_ACCESSED, PTE_DIRTY, PTE_PRESENT, PTE_SWAP,
    SHADOW_AGE, SHADOW_WS,
)
from swapfast.mm.writeback cimport take_completions

cdef enum:
    EVICT_BATCH = 64     # MIN_LRU_BATCH
    MOST_LOOKS = 4096    # MAX_LRU_BATCH
    FETCH_AHEAD = 16     # pages that a scan will meet

# ---------------------------------------------------------------- refaults, and what they decide

cdef inline void refault(core_t *core, memcg_t *g, uint32_t page) noexcept nogil:
    # lru_gen_refault. Recent: less than four generations were made since.
    cdef uint32_t shadow = core.home[page].where
    cdef uint32_t passed = (<uint32_t>g.gens.max_seq - shadow) & SHADOW_AGE
    core.count.workingset_refault += 1
    g.stat.workingset_refault_anon += 1
    if passed >= GENS:
        return
    core.count.workingset_activate += 1
    g.stat.workingset_activate_anon += 1
    g.gens.refaulted[shadow & SHADOW_WS != 0] += 1
    if shadow & SHADOW_WS:
        core.page[page].folio |= F_WORKINGSET
        core.count.workingset_restore += 1
        g.stat.workingset_restore_anon += 1

cdef inline bint is_protected(gens_t *gens) noexcept nogil:
    # get_tier_idx, positive_ctrl_err: pages seen twice refault more, by a factor of 3/2.
    cdef uint64_t refaulted = gens.avg_refaulted[0] + gens.refaulted[0]
    cdef uint64_t total = gens.avg_total[0] + gens.protected[0] + gens.evicted[0]
    cdef uint64_t refaulted_ws = gens.avg_refaulted[1] + gens.refaulted[1]
    cdef uint64_t total_ws = gens.avg_total[1] + gens.protected[1] + gens.evicted[1]
    return (refaulted_ws >= EVICT_BATCH
            and refaulted_ws * (total + EVICT_BATCH) * 2 > (refaulted + 1) * total_ws * 3)

cdef inline bint raise_min_seq(gens_t *gens) noexcept nogil:
    # try_to_inc_min_seq, reset_ctrl_pos. File pages have lists of their own, all of them empty.
    cdef uint64_t seq = gens.min_seq, file_seq = gens.max_seq - 1
    cdef uint32_t i
    cdef bint moved = False
    while seq + LEAST_GENS <= gens.max_seq and gens.list[seq % GENS].live == 0:
        seq += 1
    if seq + 2 < gens.max_seq:
        file_seq -= 1
    if seq > gens.min_seq:
        for i in range(2):
            gens.avg_refaulted[i] = (gens.avg_refaulted[i] + gens.refaulted[i]) // 2
            gens.avg_total[i] = (gens.avg_total[i] + gens.protected[i] + gens.evicted[i]) // 2
            gens.refaulted[i] = gens.evicted[i] = gens.protected[i] = 0
        gens.min_seq = seq
        moved = True
    if file_seq > gens.file_seq:
        gens.file_seq = file_seq
        moved = True
    return moved

# ---------------------------------------------------------------- the tail

cdef inline void move_head(core_t *core, gens_t *gens, uint32_t page, uint32_t gen) noexcept nogil:
    # To the head of another list; it was taken off its own already.
    core.mglru.page[page] = <uint8_t>((core.mglru.page[page] & ~G_LIST) | gen << G_LIST_SHIFT)
    ring_push(&gens.list[gen], core.home, page)

cdef inline bint passed_over(core_t *core, gens_t *gens, uint32_t page,
                             bint protect) noexcept nogil:
    # sort_folio. True: it went to another list.
    cdef uint32_t gen = core.mglru.page[page] & G_GEN, folio = core.page[page].folio
    if gen != gens.min_seq % GENS:
        move_head(core, gens, page, gen)
        return True
    if folio & F_WORKINGSET and protect:
        gens.protected[1] += 1
    elif not folio & F_WRITEBACK:
        return False
    core.page[page].folio = <uint8_t>(folio & ~F_REFERENCED)
    relabel(core, gens, page, gens.min_seq + 1)
    move_head(core, gens, page, <uint32_t>((gens.min_seq + 1) % GENS))
    return True

cdef inline uint32_t fetch_from(core_t *core, ring_t *r, uint32_t at, uint32_t want) noexcept nogil:
    # What the scan will look at, as far as `want` entries behind `at`.
    cdef uint32_t k, n = r.tail + want if r.tail + want < r.cap else r.cap
    for k in range(at if at > r.tail else r.tail, n):
        prefetch_page(core, r.buf[k])
        prefetch_write(&core.mglru.page[r.buf[k]])
    return n

cdef inline uint64_t scan_tail(core_t *core, memcg_t *g, uint64_t want, uint32_t *batch,
                               uint32_t *isolated) noexcept nogil:
    # scan_folios -> pages looked at.
    cdef gens_t *gens = g.gens
    cdef ring_t *r = &gens.list[gens.min_seq % GENS]
    cdef uint64_t left = min(want, <uint64_t>MOST_LOOKS), looked = 0
    cdef uint32_t page, n = 0, fetched = 0
    cdef bint protect
    isolated[0] = 0
    if gens.max_seq - gens.min_seq < LEAST_GENS:
        return 0
    protect = is_protected(gens)
    while r.live > 0:
        fetched = fetch_from(core, r, fetched, FETCH_AHEAD)
        page = ring_pop(r)
        looked += 1
        left -= 1
        core.clock.now += core.times.scan_page // 4
        if not passed_over(core, gens, page, protect):
            core.page[page].folio |= F_ISOLATED
            gens.pages[core.mglru.page[page] & G_GEN] -= 1
            batch[n] = page
            n += 1
        if left == 0 or n == EVICT_BATCH:
            break
    isolated[0] = n
    core.count.pgrefill += looked - n
    g.stat.pgrefill += looked - n
    return looked if n > 0 or left == 0 else 0

# ---------------------------------------------------------------- isolated pages

cdef inline void look_around_all(core_t *core, memcg_t *g, uint32_t home) noexcept nogil:
    # folio_referenced goes to each entry that maps the page.
    cdef uint32_t p = next_mapper(core, home)
    if core.page[home].pte & PTE_ACCESSED:
        core.page[home].pte &= ~PTE_ACCESSED
        look_around(core, g, home)
    while p != NIL and p != home:
        if core.page[p].pte & PTE_ACCESSED:
            core.page[p].pte &= ~PTE_ACCESSED
            look_around(core, g, p)
        p = core.next[p]

cdef inline void set_dirty(core_t *core, uint32_t home, bint dirty) noexcept nogil:
    # PG_dirty of a page that nothing maps any more is kept where its entries are: the slot does not
    # have its bytes.
    cdef uint32_t p = home
    while True:
        if core.page[p].pte & PTE_SWAP:
            core.page[p].pte = <uint8_t>((core.page[p].pte & ~PTE_DIRTY) | dirty * PTE_DIRTY)
        p = next_mapper(core, p)
        if p == NIL or p == home:
            break

cdef inline uint32_t judge(core_t *core, memcg_t *g, uint32_t page,
                           uint64_t *written) noexcept nogil:
    # shrink_folio_list, folio_check_references, for one isolated page.
    cdef uint32_t folio, bits, shadow
    cdef int done
    cdef bint must_write
    if UNLIKELY(core.flight.used > 0) and flight_find(core, page) != 0:
        return KEEP   # it is being read, and so locked
    bits = sharer_bits(core, page)
    if bits & PTE_ACCESSED:
        look_around_all(core, g, page)
        folio = core.page[page].folio
        if not folio & (F_REFERENCED | F_WORKINGSET):   # lru_gen_set_refs
            core.page[page].folio = <uint8_t>(folio | F_REFERENCED)
            return KEEP
        core.page[page].folio = <uint8_t>((folio & ~F_REFERENCED) | F_WORKINGSET | F_ACTIVE)
        if vm_swap_full(core, page):
            slot_spare(core, page)
        return KEEP
    must_write = bits & PTE_DIRTY != 0 or not core.page[page].folio & F_SWAPCACHE
    if not slot_ready(core, page, bits & PTE_DIRTY != 0):
        core.page[page].folio |= F_ACTIVE
        return KEEP
    try_to_unmap(core, page, bits)
    if UNLIKELY(core.mglru.page[page] & G_PINNED):   # is_page_cache_freeable
        set_dirty(core, page, must_write)
        return KEEP
    if must_write:
        set_dirty(core, page, False)
        done = write_out(core, page)
        written[0] += done > WRITE_FAILED
        if done == WRITE_DONE or done == WRITE_FAILED:
            return KEEP
        if UNLIKELY(done == WRITE_WAITS):
            return STOP
        if UNLIKELY(done == WRITE_FULL):
            core.page[page].folio |= F_ACTIVE
            return KEEP
    shadow = <uint32_t>g.gens.min_seq & SHADOW_AGE   # lru_gen_eviction
    if core.page[page].folio & F_WORKINGSET:
        shadow |= SHADOW_WS
    g.gens.evicted[shadow & SHADOW_WS != 0] += 1
    release(core, g, page)
    core.home[page].where = shadow
    return FREED

cdef inline bint may_retry(core_t *core, uint32_t page) noexcept nogil:
    # Its write ended while it was isolated: nothing will rotate it.
    return (not core.page[page].folio & (F_ACTIVE | F_WRITEBACK)
            and not sharer_bits(core, page) & (PTE_PRESENT | PTE_DIRTY))

cdef inline void put_back(core_t *core, gens_t *gens, uint32_t page) noexcept nogil:
    # move_folios_to_lru. Nothing that was looked at goes back to the oldest generation.
    cdef bint active = core.page[page].folio & F_ACTIVE != 0
    cdef uint64_t seq = seq_of(core, gens, page, active, False)
    if seq == gens.min_seq and not active:
        core.page[page].folio &= ~F_REFERENCED
        seq = seq_of(core, gens, page, True, False)
    put(core, gens, page, seq, False)

cdef inline uint64_t shrink_batch(core_t *core, memcg_t *g, uint32_t *batch, uint32_t n, uint32_t i,
                                  uint32_t kept, isolated_t *at,
                                  scan_control_t *sc) noexcept nogil:
    # From batch[i] on, those in front are kept. Two looks at most, the second at what became clean
    # in the first -> pages freed, unless it stops.
    cdef uint32_t again, verdict
    while n > 0:
        while i < n:
            core.clock.now += core.times.scan_page
            verdict = judge(core, g, batch[i], &at.written)
            if UNLIKELY(verdict == STOP):
                sc.batch = batch_hold(core, g.id, batch, n, i, kept, at.written)
                sc.batch.total, sc.batch.freed, sc.batch.again = at.total, at.freed, at.again
                return 0
            if verdict == KEEP:
                core.count.pgactivate += core.page[batch[i]].folio & F_ACTIVE != 0
                g.stat.pgactivate += core.page[batch[i]].folio & F_ACTIVE != 0
                batch[kept] = batch[i]
                kept += 1
            i += 1
        at.freed += n - kept
        take_completions(core)
        again = 0
        for i in range(kept):
            if not at.again and may_retry(core, batch[i]):
                batch[again] = batch[i]
                again += 1
            else:
                put_back(core, g.gens, batch[i])
        n = again
        i = kept = 0
        at.again = True
    sc.scanned += at.total
    g.stat.pswpout += at.written
    count_scan(core, g, sc.kind, at.total, at.freed)
    return at.freed

cdef inline uint64_t evict(core_t *core, memcg_t *g, uint64_t want,
                           scan_control_t *sc) noexcept nogil:
    # evict_folios. That a generation was used up counts as a page looked at.
    cdef uint32_t batch[64]
    cdef isolated_t at
    cdef uint64_t looked
    take_completions(core)
    looked = scan_tail(core, g, want, batch, &at.total)
    take_batch(core, batch, at.total)
    looked += raise_min_seq(g.gens)
    if g.gens.min_seq + LEAST_GENS > g.gens.max_seq:
        looked = 0
    at.written = 0
    at.freed = 0
    at.again = False
    sc.shrunk += shrink_batch(core, g, batch, at.total, 0, 0, &at, sc)
    if UNLIKELY(sc.batch != NULL) and looked == 0:
        sc.inactive = 0   # there is no point in going on behind it
    return looked

cdef inline uint64_t evict_on(core_t *core, memcg_t *g, scan_control_t *sc) noexcept nogil:
    # The page that waited has its tag now, or waits again -> 1: as far as is known, go on.
    cdef uint32_t batch[64]
    cdef uint32_t n, i, kept
    cdef isolated_t at = sc.batch[0]
    if at.pending and at.page[at.i] != NIL and not plug_add(core, at.page[at.i]):
        return 1
    take_completions(core)
    if at.gone:
        sc.inactive = 0
    batch_resume(core, sc.batch, batch, &n, &i, &kept)
    sc.batch = NULL
    sc.shrunk += shrink_batch(core, g, batch, n, i, kept, &at, sc)
    return 1
