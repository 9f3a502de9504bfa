# fault: what happens when a reference does not hit.
#
# - take_page(core, g): charge one page to the group, reclaiming as needed; ST_OK or an OOM status
# - fault(core, page, write): resolve one fault; ST_OK: the reference hits now
# - zap(core, page): munmap and exit, one page
# - fork_page(core, page, child): one page-table entry at fork
# - swapoff_slot(core, entry): read one slot back and forget it

from swapfast.mm.types cimport *
from swapfast.mm.frames cimport *
from swapfast.mm.owner cimport *
from swapfast.mm.rmap cimport *
from swapfast.mm.evict cimport *
from swapfast.mm.writeback cimport plug_hold, plug_read, plug_release, wait_for
from swapfast.mm.policy_linux25 cimport grab_token
from libc.string cimport memcpy, memset

# ---------------------------------------------------------------- charging

cdef inline uint64_t free_pages(core_t *core) noexcept nogil:
    cdef uint64_t used = core.used + core.file_cache
    return core.memory - used if core.memory > used else 0

cdef inline uint64_t reclaim_all(core_t *core, uint64_t want) noexcept nogil:
    # One pass over every memory group: global pressure.
    cdef uint64_t freed = 0
    cdef uint32_t i
    cdef group_t *g
    for i in range(core.groups_max):
        g = &core.groups[i]
        if g.used and g.usage > 0:
            freed += g.policy.reclaim(core, g, want)
            if freed >= want:
                break
    return freed

cdef inline void kswapd(core_t *core) noexcept nogil:
    # balance_pgdat: works until the high mark; clean page cache goes first.
    cdef uint64_t missing, freed, idle = 0
    core.count.pageoutrun += 1
    core.in_kswapd = True
    missing = core.wmark_high - free_pages(core)
    if core.file_cache > 0:
        if missing > core.file_cache:
            missing = core.file_cache
        core.file_cache -= missing
        core.count.file_dropped += missing
        core.pages_scanned = 0
        core.all_unreclaimable = False
    while free_pages(core) < core.wmark_high and idle < 2:
        if core.modern and core.kswapd_failures >= core.oom_retries:
            break
        freed = reclaim_all(core, SCAN_BATCH)
        # A page may be written in one pass and freed in the next, so one idle pass means nothing.
        if freed == 0:
            idle += 1
            core.kswapd_failures += 1
        else:
            idle = 0
            core.kswapd_failures = 0
        if freed == 0 and core.all_unreclaimable:
            break
    core.in_kswapd = False

cdef inline int global_pressure(core_t *core) noexcept nogil:
    cdef uint32_t _try
    cdef uint64_t freed
    kswapd(core)
    if free_pages(core) > core.wmark_min:
        return ST_OK
    core.count.allocstall += 1
    for _try in range(core.oom_retries):
        freed = reclaim_all(core, SCAN_BATCH)
        if freed > 0:
            core.kswapd_failures = 0
        if free_pages(core) > core.wmark_min:
            return ST_OK
        if not core.modern and freed == 0 and core.all_unreclaimable:
            break
    return ST_OOM

cdef inline int take_page(core_t *core, group_t *g) noexcept nogil:
    cdef uint32_t tries = 0
    cdef int status
    while g.limit != 0 and g.usage >= g.limit:
        # try_charge: only tries that freed nothing count.
        if g.policy.reclaim(core, g, SCAN_BATCH) == 0:
            tries += 1
            if tries >= core.oom_retries and g.usage >= g.limit:
                return ST_OOM_GROUP
    if UNLIKELY(free_pages(core) <= core.wmark_low):
        status = global_pressure(core)
        if status != ST_OK:
            return status
    g.usage += 1
    core.used += 1
    return ST_OK

cdef inline void untake_page(core_t *core, group_t *g) noexcept nogil:
    g.usage -= 1
    core.used -= 1

# ---------------------------------------------------------------- parts of a fault

cdef inline void new_folio(core_t *core, group_t *g, uint32_t page, int how) noexcept nogil:
    # A charged page of zeroes becomes the folio of this page.
    cdef uint8_t *frame
    frame_take(core, page)
    frame = frame_at(core, page)
    if frame != NULL:
        memset(frame, 0, PAGE_SIZE)
    core.page[page].folio = F_RESIDENT
    g.policy.enter(core, g, page, how)

cdef inline bint swap_in(core_t *core, group_t *g, uint32_t home, int how) noexcept nogil:
    # A charged page gets the bytes of the slot; it is in the swap cache, mapped by nobody. False:
    # they cannot be read, and the charge is given back.
    frame_take(core, home)
    if UNLIKELY(not read_in(core, home)):
        frame_give(core, home)
        untake_page(core, g)
        return False
    core.page[home].folio = F_RESIDENT | F_SWAPCACHE
    g.policy.enter(core, g, home, how)
    return True

cdef inline uint32_t window_618(uint32_t most, uint64_t at, uint64_t before, uint32_t hits,
                                uint32_t last) noexcept nogil:
    # __swapin_nr_pages: the window follows the hits of the last one.
    cdef uint32_t pages = hits + 2, size
    if pages == 2:
        if at != before + 1 and at + 1 != before:
            pages = 1
    else:
        size = 4
        while size < pages:
            size <<= 1
        pages = size
    if pages > most:
        pages = most
    return pages if pages >= last >> 1 else last >> 1

cdef inline void read_ahead_vma(core_t *core, uint32_t page, uint32_t target) noexcept nogil:
    # swap_vma_readahead: neighbours in the address space, in the direction the faults go, within
    # one page table.
    cdef mapping_t *m = mapping_of(core, page)
    cdef int64_t at = m.first + (page - m.base), before = m.ra_at, left, right, begin
    cdef uint32_t window, p, home
    cdef group_t *g
    window = window_618(1 << core.page_cluster, at, before, m.ra_hits, m.ra_window)
    m.ra_at = at
    m.ra_window = window
    m.ra_hits = 0
    if window == 1:
        return
    begin = m.first
    if at == before + 1:
        left = at
    elif before == at + 1:
        left = at - window + 1
    else:
        left = at - (window - 1) // 2
    right = min(left + window, begin + m.pages, (at | (PMD_PAGES - 1)) + 1)
    left = max(left, begin, at & ~<int64_t>(PMD_PAGES - 1))
    plug_hold(core)
    for p in range(<uint32_t>(m.base + left - begin), <uint32_t>(m.base + right - begin)):
        if not core.page[p].pte & PTE_SWAP:
            continue
        home = home_of(core, p)
        if core.page[home].folio & F_RESIDENT:
            continue
        g = group_of(core, home)
        if take_page(core, g) != ST_OK:
            break
        if swap_in(core, g, home, ENTER_SWAPIN if home == target else ENTER_AHEAD):
            plug_read(core, core.home[home].entry)
        if p != page:
            core.page[home].folio |= F_READAHEAD
            core.count.swap_ra += 1
    plug_release(core)

cdef inline void read_ahead_hit(core_t *core, uint32_t page, uint32_t home) noexcept nogil:
    # swap_update_readahead: a fault found its data in the swap cache.
    cdef bint hit = core.page[home].folio & F_READAHEAD != 0
    cdef mapping_t *m
    core.page[home].folio &= ~F_READAHEAD
    core.count.swap_ra_hit += hit
    if core.vma_readahead and page != NIL:
        m = mapping_of(core, page)
        m.ra_at = m.first + (page - m.base)
        if hit and m.ra_hits < RA_MOST_HITS:
            m.ra_hits += 1
    else:
        core.ra_hits += hit

cdef inline void read_ahead(core_t *core, uint32_t target) noexcept nogil:
    # swap_cluster_readahead (6.18), valid_swaphandles (2.6.25). Without memory it ends early.
    cdef uint32_t entry = core.home[target].entry, first, last, e, page, window
    cdef area_t *a = area_of(core, entry)
    cdef uint32_t slot = entry - a.base, block
    cdef group_t *g
    if core.modern:
        window = window_618(1 << core.page_cluster, slot, core.ra_prev, core.ra_hits, core.ra_last)
        core.ra_last = window
        if core.ra_hits == 0:
            core.ra_prev = slot
        core.ra_hits = 0
        if window == 1:
            return
        first = slot & ~(window - 1)
        last = slot | (window - 1)
        if first == 0:
            first = 1
        if last >= a.slots:
            last = a.slots - 1
    else:
        block = (slot >> core.page_cluster) << core.page_cluster
        first = last = slot
        while last + 1 < block + (1 << core.page_cluster) and last + 1 < a.slots \
                and core.slot_page[a.base + last + 1] != NIL:
            last += 1
        while first > block and first > 1 and core.slot_page[a.base + first - 1] != NIL:
            first -= 1
    plug_hold(core)
    for e in range(a.base + first, a.base + last + 1):
        page = core.slot_page[e]
        if page == NIL or core.page[page].folio & F_RESIDENT:
            continue
        g = group_of(core, page)
        if take_page(core, g) != ST_OK:
            break
        if core.slot_page[e] != page or core.page[page].folio & F_RESIDENT:
            untake_page(core, g)
            continue
        if not swap_in(core, g, page, ENTER_SWAPIN if page == target else ENTER_AHEAD):
            continue
        plug_read(core, e)
        if page != target:
            core.page[page].folio |= F_READAHEAD
            core.count.swap_ra += 1
    plug_release(core)

cdef inline int bring_in(core_t *core, uint32_t home, uint32_t page) noexcept nogil:
    # The folio of this group is in memory afterwards. Counts the fault. page: whose entry asked for
    # it; NIL for a shared object, which has no neighbours in an address space.
    cdef group_t *g
    cdef int status
    if core.page[home].folio & F_RESIDENT:
        core.count.pgfault += 1
        core.clock.now += core.times.minor_fault
        core.clock.in_faults += core.times.minor_fault
        read_ahead_hit(core, page, home)
        return ST_OK
    if not core.modern:
        grab_token(core, core.current_mm)
    if core.page_cluster > 0:
        if core.vma_readahead and page != NIL:
            read_ahead_vma(core, page, home)
        else:
            read_ahead(core, home)
    if not core.page[home].folio & F_RESIDENT:
        g = group_of(core, home)
        status = take_page(core, g)
        if status != ST_OK:
            return status
        if not swap_in(core, g, home, ENTER_SWAPIN):
            return ST_IO
    core.count.pgfault += 1
    core.count.pgmajfault += 1
    core.clock.now += core.times.swap_in
    core.clock.in_swap_in += core.times.swap_in
    if core.current_mm < core.token.mms:
        core.token.stalled_until[core.current_mm] = core.clock.now
    return ST_OK

cdef inline void mark_accessed_25(core_t *core, uint32_t home) noexcept nogil:
    # mark_page_accessed: the second call on an inactive page activates it.
    cdef group_t *g
    if core.page[home].folio & F_REFERENCED and not core.page[home].folio & F_ACTIVE:
        g = group_of(core, home)
        g.policy.leave(core, g, home)
        core.page[home].folio = (core.page[home].folio & ~F_REFERENCED) | F_ACTIVE
        g.policy.enter(core, g, home, ENTER_MOVE)
        core.count.pgactivate += 1
    else:
        core.page[home].folio |= F_REFERENCED

cdef inline int fault_swap(core_t *core, uint32_t page, bint write) noexcept nogil:
    # do_swap_page
    cdef uint32_t home = home_of(core, page), bits
    cdef int status = bring_in(core, home, page)
    cdef bint exclusive
    if status != ST_OK:
        return status
    if core.linux25:
        mark_accessed_25(core, home)
    exclusive = alone(core, home)
    bits = (core.page[page].pte & PTE_MEMBER) | PTE_PRESENT | PTE_ACCESSED
    if exclusive and (write or core.modern):
        bits |= PTE_WRITABLE
    if exclusive and write:
        bits |= PTE_DIRTY
    core.page[page].pte = <uint8_t>bits
    if core.modern:
        # should_try_to_free_swap; folio_free_swap asks only whether an entry still refers to it.
        if write and exclusive:
            slot_drop(core, home)
        elif vm_swap_full(core):
            slot_spare(core, home)
    elif vm_swap_full(core) and exclusive and slot_spare(core, home):
        core.page[page].pte |= PTE_DIRTY   # remove_exclusive_swap_page: SetPageDirty
    if write and not exclusive:
        return fault_write(core, page)
    return ST_OK

cdef inline int fault_write(core_t *core, uint32_t page) noexcept nogil:
    # do_wp_page: a write to a page that is present but not writable. The fault is already counted.
    cdef group_t *g = group_of(core, page)
    cdef uint32_t heir = home_of(core, page)
    cdef int status
    if core.page[page].pte & PTE_ZERO:
        status = take_page(core, g)
        if status != ST_OK:
            return status
        new_folio(core, g, page, ENTER_NEW)
    elif alone(core, heir):
        if core.modern:
            slot_drop(core, page)
    else:
        status = take_page(core, g)
        if status != ST_OK:
            return status
        if not core.page[page].pte & PTE_PRESENT:
            # Charging the copy evicted the original: begin again.
            untake_page(core, g)
            return ST_AGAIN
        heir = rmap_leave(core, page)
        core.page[page].pte = 0
        frame_take(core, page)
        if core.frames != NULL:
            memcpy(frame_at(core, page), frame_at(core, heir), PAGE_SIZE)
        core.page[page].folio = F_RESIDENT
        g.policy.enter(core, g, page, ENTER_NEW)
        core.count.cow_copies += 1
    core.page[page].pte = PTE_PRESENT | PTE_WRITABLE | PTE_ACCESSED | PTE_DIRTY
    return ST_OK

cdef inline int fault_shared(core_t *core, mapping_t *m, uint32_t page,
                             bint write) noexcept nogil:
    # shmem_fault: the object's page is brought in, then mapped.
    cdef uint32_t object = m.object + (page - m.base)
    cdef mapping_t *o = mapping_of(core, object)
    cdef group_t *g = &core.groups[o.group]
    cdef int status
    if o.owner == OWNER_UNSET:
        o.owner = m.owner
    elif core.shared_strict and o.owner != m.owner:
        o.owner = OWNER_NOWHERE
    if core.page[object].pte & PTE_SWAP:
        status = bring_in(core, object, NIL)
        if status != ST_OK:
            return status
        # shmem_swapin_folio: from the swap cache to the page cache, and the slot is free; unless a
        # checkpoint names it: then the page stays clean, as `slot_spare` says.
        if core.page[object].folio & F_WRITEBACK:
            wait_for(core, object)
        core.page[object].pte &= ~PTE_SWAP
        slot_spare(core, object)
    else:
        core.count.pgfault += 1
        core.clock.now += core.times.minor_fault
        core.clock.in_faults += core.times.minor_fault
        if not core.page[object].folio & F_RESIDENT:
            status = take_page(core, g)
            if status != ST_OK:
                core.count.pgfault -= 1
                return status
            core.page[object].pte = PTE_SHARED
            new_folio(core, g, object, ENTER_SHARED)
    rmap_join(core, object, page)
    core.page[page].pte = PTE_SHARED | PTE_MEMBER | PTE_PRESENT | PTE_WRITABLE | PTE_ACCESSED
    if write:
        core.page[page].pte |= PTE_DIRTY
    return ST_OK

cdef inline int fault_first(core_t *core, uint32_t page, bint write) noexcept nogil:
    # do_anonymous_page
    cdef group_t *g = group_of(core, page)
    cdef int status
    core.clock.now += core.times.minor_fault
    core.clock.in_faults += core.times.minor_fault
    if not write and core.zero_page:
        core.count.pgfault += 1
        core.page[page].pte = PTE_PRESENT | PTE_ZERO | PTE_ACCESSED
        return ST_OK
    status = take_page(core, g)
    if status != ST_OK:
        return status
    core.count.pgfault += 1
    core.page[page].pte = PTE_PRESENT | PTE_WRITABLE | PTE_ACCESSED
    if write or not core.modern:
        core.page[page].pte |= PTE_DIRTY
    new_folio(core, g, page, ENTER_NEW)
    return ST_OK

cdef inline int fault_once(core_t *core, uint32_t page, bint write) noexcept nogil:
    cdef uint32_t bits = core.page[page].pte
    cdef mapping_t *m
    cdef int status
    if bits & PTE_PRESENT:
        status = fault_write(core, page)
        if status == ST_OK:
            core.count.pgfault += 1
            core.clock.now += core.times.minor_fault
            core.clock.in_faults += core.times.minor_fault
        return status
    if bits & PTE_SWAP:
        return fault_swap(core, page, write)
    m = mapping_of(core, page)
    if m.kind == MAP_SHM:
        return fault_shared(core, m, page, write)
    return fault_first(core, page, write)

cdef inline int fault(core_t *core, uint32_t page, bint write) noexcept nogil:
    cdef uint32_t _try
    cdef int status
    for _try in range(core.oom_retries):
        status = fault_once(core, page, write)
        if status != ST_AGAIN:
            return status
    # There is no room for a page and its copy together.
    return ST_OOM_GROUP if group_of(core, page).limit != 0 else ST_OOM

# ---------------------------------------------------------------- unmapping, fork, swapoff

cdef inline void forget_folio(core_t *core, uint32_t home) noexcept nogil:
    # Nobody refers to these data any more.
    cdef group_t *g
    if core.page[home].folio & F_RESIDENT:
        g = group_of(core, home)
        if core.page[home].folio & F_WRITEBACK or core.rotation_len > 0:
            queue_rename(core, home, NIL)
        g.policy.leave(core, g, home)
        if core.page[home].folio & F_SWAPCACHE:
            swap_give(core, core.home[home].entry)
        core.page[home].folio = 0
        page_freed(core, g, home)
    else:
        swap_give(core, core.home[home].entry)
    if core.mixed_rule == MIXED_ALLOCATOR:
        core.alloc_owner[home] = 0

cdef inline void zap(core_t *core, uint32_t page) noexcept nogil:
    cdef uint32_t bits = core.page[page].pte, heir
    if bits == 0:
        return
    if bits & PTE_SHARED:
        if bits & PTE_MEMBER:
            if bits & PTE_DIRTY and core.page[core.home[page].where].folio & F_SWAPCACHE:
                core.page[core.home[page].where].pte |= PTE_DIRTY   # folio_mark_dirty
            rmap_unlink(core, page)
    elif not bits & PTE_ZERO:
        heir = rmap_leave(core, page)
        if heir == NIL:
            forget_folio(core, page)
    core.page[page].pte = 0

cdef inline void zap_object(core_t *core, uint32_t page) noexcept nogil:
    # The page of a shared object that nothing maps any more.
    if core.page[page].folio & F_RESIDENT or core.page[page].pte & PTE_SWAP:
        forget_folio(core, page)
    core.page[page].pte = 0

cdef inline void fork_page(core_t *core, uint32_t page, uint32_t child) noexcept nogil:
    # copy_one_pte: both sides lose the right to write, the child's entry is old.
    cdef uint32_t bits = core.page[page].pte
    if bits & PTE_ZERO:
        core.page[child].pte = PTE_PRESENT | PTE_ZERO
    elif bits & PTE_PRESENT:
        core.page[page].pte = bits & ~PTE_WRITABLE
        core.page[child].pte = PTE_PRESENT | (bits & PTE_DIRTY)
        rmap_join(core, home_of(core, page), child)
    elif bits & PTE_SWAP:
        core.page[child].pte = PTE_SWAP
        rmap_join(core, home_of(core, page), child)

cdef inline int swapoff_slot(core_t *core, uint32_t entry) noexcept nogil:
    # try_to_unuse, one slot: read back, map everywhere (old, not writable, dirty), free the slot.
    cdef uint32_t home = core.slot_page[entry]
    cdef group_t *g = group_of(core, home)
    cdef int status
    if not core.page[home].folio & F_RESIDENT:
        status = take_page(core, g)
        if status != ST_OK:
            return status
        if not swap_in(core, g, home, ENTER_SWAPIN):
            return ST_IO
    if core.page[home].folio & F_WRITEBACK:
        wait_for(core, home)
    map_back(core, home)
    core.page[home].folio &= ~F_READAHEAD
    slot_drop(core, home)
    SWAPFAST_CHECK(core.slot_page[entry] == NIL, b"swapoff leaves no slot in use")
    return ST_OK
