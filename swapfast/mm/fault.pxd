# fault: what happens when a reference does not hit (mm/memory.c).
#
# - fault(core, page, write) -> ST_OK: the reference hits now; or why not
# - fault_once(core, page, write, timed): the same, ST_AGAIN if what it began with is gone
# - fault_needs(core, page, write) -> the memcg that a page will be charged to, NULL: none

from libc.stdint cimport uint32_t, uint8_t
from swapfast.mm.area cimport area_of, vm_swap_full
from swapfast.mm.charge cimport is_limited, take_page, untake_page
from swapfast.mm.device cimport area_device, flight_find
from swapfast.mm.evict cimport slot_drop, slot_spare
from swapfast.mm.folio cimport new_folio, swap_in
from swapfast.mm.frames cimport frame_at, frame_take
from swapfast.mm.high cimport high_pay
from swapfast.mm.queue cimport device_t
from swapfast.mm.readahead cimport read_ahead, read_ahead_hit, read_ahead_vma
from swapfast.mm.reads cimport wait_reads
from swapfast.mm.rmap cimport home_of, is_single, mapping_of, memcg_of, rmap_join, rmap_leave
from swapfast.mm.token cimport grab_token
from swapfast.mm.types cimport LIKELY, SELDOM, UNLIKELY, core_t, mapping_t, memcg_t
from swapfast.mm.words cimport (
    ENTER_MOVE, ENTER_NEW, ENTER_SHARED, ENTER_SWAPIN, F_ACTIVE, F_REFERENCED, F_RESIDENT,
    F_SWAPCACHE, F_WRITEBACK,
    HIGH_BATCH, MAP_SHM, NIL, PAGE_SIZE, PTE_ACCESSED, PTE_DIRTY, PTE_MEMBER, PTE_PRESENT,
    PTE_SHARED, PTE_SWAP, PTE_WRITABLE, PTE_ZERO, SCOPE_NOWHERE, SCOPE_UNSET, ST_AGAIN, ST_IO,
    ST_OK, ST_OOM, ST_OOM_GROUP,
)
from swapfast.mm.plug cimport wait_for
from libc.string cimport memcpy

cdef inline bint is_synchronous(core_t *core, uint32_t home) noexcept nogil:
    # SWP_SYNCHRONOUS_IO and a sole user: no read-ahead and no swap cache (do_swap_page).
    if not SELDOM(core.timed):
        return False
    return area_device(core, area_of(core, core.home[home].entry)).synchronous and \
        is_single(core, home)

cdef inline void read_timed(core_t *core, uint32_t home) noexcept nogil:
    # What the processor does, then the device. Where programs run side by side the request is sent
    # in a step of its own, in the order of time.
    cdef device_t *d = area_device(core, area_of(core, core.home[home].entry))
    core.clock.now += d.cpu_read + (d.load if d.synchronous else 0)
    core.clock.in_swap_in += d.cpu_read + (d.load if d.synchronous else 0)
    core.target_read = core.home[home].entry
    if d.synchronous and is_single(core, home):
        d.way[0].requests += core.n_reads
        d.way[0].pages += core.n_reads
        core.n_reads = 0
    elif core.waits_inline or not core.actors:
        wait_reads(core)

cdef inline int bring_in(core_t *core, uint32_t home, uint32_t page) noexcept nogil:
    # The folio of this home is in memory afterwards. Counts the fault. page: whose entry asked for
    # it; NIL for a shared object, which has no neighbours in an address space.
    cdef memcg_t *g
    cdef int status
    if core.page[home].folio & F_RESIDENT:
        core.count.pgfault += 1
        core.clock.now += core.times.minor_fault
        core.clock.in_faults += core.times.minor_fault
        read_ahead_hit(core, page, home)
        if SELDOM(core.actors):
            core.wait_until = flight_find(core, home)
        return ST_OK
    core.n_reads = 0
    if core.rules.swap_token:
        grab_token(core, core.current_mm)
    if core.rules.page_cluster > 0 and not is_synchronous(core, home):
        if core.rules.vma_readahead and page != NIL:
            read_ahead_vma(core, page, home)
        else:
            read_ahead(core, home)
    if not core.page[home].folio & F_RESIDENT:
        g = memcg_of(core, home)
        status = take_page(core, g)
        if status != ST_OK:
            return status
        if not swap_in(core, g, home, ENTER_SWAPIN):
            return ST_IO
    core.count.pgfault += 1
    core.count.pgmajfault += 1
    if SELDOM(core.timed):
        read_timed(core, home)
    else:
        core.clock.now += core.times.swap_in
        core.clock.in_swap_in += core.times.swap_in
    if core.current_mm < core.token.mms:
        core.token.stalled_until[core.current_mm] = core.clock.now
    return ST_OK

cdef inline void mark_accessed_25(core_t *core, uint32_t home) noexcept nogil:
    # mark_page_accessed: the second call on an inactive page activates it.
    cdef memcg_t *g
    if core.page[home].folio & F_REFERENCED and not core.page[home].folio & F_ACTIVE:
        g = memcg_of(core, home)
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
    if core.rules.swapin_activates:
        mark_accessed_25(core, home)
    exclusive = is_single(core, home)
    bits = (core.page[page].pte & (PTE_MEMBER | PTE_DIRTY)) | PTE_PRESENT | PTE_ACCESSED
    if exclusive and (write or core.rules.swapin_writable):
        bits |= PTE_WRITABLE
    if exclusive and write:
        bits |= PTE_DIRTY
    core.page[page].pte = <uint8_t>bits
    if UNLIKELY(core.mglru.groups > 0) and core.keeps_slot(core, home, write and exclusive):
        pass
    elif UNLIKELY(core.moves.promoters > 0) and core.hooks.promote(core, page):
        pass
    elif (SELDOM(core.timed) and core.page[home].folio & F_SWAPCACHE
            and is_synchronous(core, home)):
        slot_drop(core, home)   # swap_free at once: the next eviction writes again
    elif core.rules.frees_slot_on_write:
        # should_try_to_free_swap; folio_free_swap asks only whether an entry still refers to it.
        if write and exclusive:
            slot_drop(core, home)
        elif vm_swap_full(core, home):
            slot_spare(core, home)
    elif vm_swap_full(core, home) and exclusive and slot_spare(core, home):
        core.page[page].pte |= PTE_DIRTY   # remove_exclusive_swap_page: SetPageDirty
    if write and not exclusive:
        return fault_write(core, page)
    return ST_OK

cdef inline int fault_write(core_t *core, uint32_t page) noexcept nogil:
    # do_wp_page: a write to a page that is present but not writable. The fault is already counted.
    cdef memcg_t *g = memcg_of(core, page)
    cdef uint32_t heir = home_of(core, page)
    cdef int status
    if core.page[page].pte & PTE_ZERO:
        status = take_page(core, g)
        if status != ST_OK:
            return status
        new_folio(core, g, page, ENTER_NEW)
    elif is_single(core, heir):
        if core.rules.frees_slot_on_write:
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
        if core.ram.frames != NULL:
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
    cdef memcg_t *g = &core.memcgs[o.memcg]
    cdef int status
    if o.scope == SCOPE_UNSET:
        o.scope = m.scope
    elif core.rules.shared_strict and o.scope != m.scope:
        o.scope = SCOPE_NOWHERE
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

cdef inline int fault_first(core_t *core, uint32_t page, bint write, bint timed) noexcept nogil:
    # do_anonymous_page. timed: its time has passed already.
    cdef memcg_t *g = memcg_of(core, page)
    cdef int status
    if not timed:
        core.clock.now += core.times.minor_fault
        core.clock.in_faults += core.times.minor_fault
    if not write and core.rules.zero_page:
        core.count.pgfault += 1
        core.page[page].pte = PTE_PRESENT | PTE_ZERO | PTE_ACCESSED
        return ST_OK
    status = take_page(core, g)
    if status != ST_OK:
        return status
    core.count.pgfault += 1
    core.page[page].pte = PTE_PRESENT | PTE_WRITABLE | PTE_ACCESSED
    if write or core.rules.first_read_dirty:
        core.page[page].pte |= PTE_DIRTY
    new_folio(core, g, page, ENTER_NEW)
    return ST_OK

cdef inline int fault_once(core_t *core, uint32_t page, bint write, bint timed) noexcept nogil:
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
    return fault_first(core, page, write, timed)

cdef inline memcg_t *fault_needs(core_t *core, uint32_t page, bint write) noexcept nogil:
    # With read-ahead a swap-in charges a page after the other as it goes, and here is none.
    cdef uint32_t bits = core.page[page].pte, home
    cdef mapping_t *m
    if bits & PTE_PRESENT:
        if bits & PTE_ZERO or not is_single(core, home_of(core, page)):
            return memcg_of(core, page)
        return NULL
    if bits & PTE_SWAP:
        home = home_of(core, page)
        if core.page[home].folio & F_RESIDENT or core.rules.page_cluster > 0:
            return NULL
        return memcg_of(core, home)
    m = mapping_of(core, page)
    if m.kind == MAP_SHM:
        home = m.object + (page - m.base)
        return NULL if core.page[home].folio & F_RESIDENT else memcg_of(core, home)
    return memcg_of(core, page) if write or not core.rules.zero_page else NULL

cdef inline int fault(core_t *core, uint32_t page, bint write) noexcept nogil:
    cdef uint32_t tries = core.rules.oom_retries
    cdef int status
    while True:
        status = fault_once(core, page, write, False)
        if LIKELY(status != ST_AGAIN):
            break
        tries -= 1
        if tries == 0:   # there is no room for a page and its copy together
            return ST_OOM_GROUP if is_limited(core, memcg_of(core, page)) else ST_OOM
    if UNLIKELY(core.debt >= HIGH_BATCH):
        high_pay(core, memcg_of(core, page))
    return status
