# evict: the steps that take a folio out of memory, common to every policy.
#
# - slot_ready(core, home, dirty): it owns a slot its namespace may use, and may overwrite if dirty;
#   False: nowhere to go (activate it)
# - slot_ready_in(core, g, home, dirty): the same, if its memcg is known
# - unmap(core, home)
# - try_to_unmap(core, home, bits): the same as reclaim does it
# - write_bytes(core, home) -> WRITE_*
# - write_out(core, home) -> WRITE_*: done, failed and full ones keep the page; its write is under
#   way, or will never be
# - map_back(core, home): every swap entry of a folio in memory maps it again
# - release(core, g, home): clean and unmapped: its memory is free
# - slot_drop(core, home): a folio in memory gives its slot back, if nobody else needs it
# - slot_spare(core, home): the same to make room in a full area, where it makes room
# - evict_now(core, g, home): all of it at once

from libc.stdint cimport uint32_t, uint64_t, uint8_t
from swapfast.mm.allowed cimport scope_has
from swapfast.mm.area cimport area_give_up, area_of, swap_give
from swapfast.mm.device cimport area_device
from swapfast.mm.frames cimport frame_at, frame_give
from swapfast.mm.outside cimport take_away
from swapfast.mm.queue cimport device_t
from swapfast.mm.rmap cimport anchor_give, memcg_of, next_mapper, queue_rename, sharer_bits
from swapfast.mm.scope cimport scope_in, scope_of, swap_alloc
from swapfast.mm.slots cimport slot_bit
from swapfast.mm.tlb cimport tlb_drop_folio
from swapfast.mm.tree cimport (
    age_up, charge_swap, note_event, over_swap_max, uncharge_page,
)
from swapfast.mm.types cimport (
    LIKELY, SELDOM, UNLIKELY, area_t, core_t, memcg_t, page_is_zero, page_sum,
)
from swapfast.mm.wipe cimport wipe_held, wipe_note
from swapfast.mm.words cimport (
    BAD_AREA, BAD_FILE, BAD_SUM, EV_SWAP_FAIL, EV_SWAP_MAX, F_SWAPCACHE, F_WORKINGSET, F_WRITEBACK,
    NIL, NO_SLOT, PAGE_SIZE, PTE_DIRTY, PTE_MEMBER, PTE_PRESENT, PTE_SHARED, PTE_SWAP, SHADOW_AGE,
    SHADOW_LEVEL, SHADOW_WS,
)
from swapfast.mm.plug cimport plug_add
from swapfast.mm.writer cimport count_leak, note_writers
from swapfast.core.guard cimport guard_copy
from libc.string cimport memset

cdef enum:
    WRITE_ZERO = 0       # all zero: remembered, not written
    WRITE_FULL = 1       # the device has no memory for it: it stays, dirty, and is activated
    WRITE_FAILED = 2     # the file is not there: the page has to stay
    WRITE_DONE = 3
    WRITE_STORED = 4     # and clean at once
    WRITE_WAITS = 5      # done, but for a tag (plug_add again)

cdef inline bint has_swap_users(core_t *core, uint32_t home) noexcept nogil:
    # Does a page-table entry of the sharers still hold the swap entry?
    cdef uint32_t p
    if core.page[home].pte & PTE_SWAP:
        return True
    p = next_mapper(core, home)
    while p != NIL and p != home:
        if core.page[p].pte & PTE_SWAP:
            return True
        p = core.next[p]
    return False

cdef inline bint slot_drop(core_t *core, uint32_t home) noexcept nogil:
    if (core.page[home].folio & (F_SWAPCACHE | F_WRITEBACK)) != F_SWAPCACHE:
        return False
    if has_swap_users(core, home):
        return False
    swap_give(core, core.home[home].entry)
    core.page[home].folio &= ~F_SWAPCACHE
    return True

cdef inline bint slot_spare(core_t *core, uint32_t home) noexcept nogil:
    # vm_swap_full: a slot that a checkpoint names would not be free, and its page not clean.
    if (core.page[home].folio & F_SWAPCACHE
            and slot_bit(area_of(core, core.home[home].entry).pinned,
                         core.home[home].entry - area_of(core, core.home[home].entry).base)):
        return False
    return slot_drop(core, home)

cdef inline void map_back(core_t *core, uint32_t home) noexcept nogil:
    # Old, not writable, dirty, as after swapoff; the object of shared pages has them in memory.
    cdef uint32_t p = home
    if core.page[home].pte & PTE_SHARED:
        core.page[home].pte &= ~PTE_SWAP
        return
    while True:
        if core.page[p].pte & PTE_SWAP:
            core.page[p].pte = (core.page[p].pte & PTE_MEMBER) | PTE_PRESENT | PTE_DIRTY
        p = next_mapper(core, p)
        if p == NIL or p == home:
            break

cdef inline void keep_in_memory(core_t *core, uint32_t home) noexcept nogil:
    # end_swap_bio_write after an error: the page stays, dirty; its slot is worth nothing.
    map_back(core, home)
    core.page[home].pte |= PTE_DIRTY
    slot_drop(core, home)

cdef inline bint scope_may_use(core_t *core, uint32_t scope, area_t *a) noexcept nogil:
    if scope >= core.scopes_max:
        return False
    return scope_has(&core.scopes[scope], <uint32_t>(a - core.areas))

cdef inline bint slot_new(core_t *core, memcg_t *g, uint32_t home) noexcept nogil:
    # add_to_swap: the slot first, then its charge (mem_cgroup_try_charge_swap).
    cdef memcg_t *over
    cdef uint32_t entry
    if UNLIKELY(core.rules.swap_limits):
        over = over_swap_max(core, g)
        if UNLIKELY(over != NULL):
            note_event(core, over, EV_SWAP_MAX)
            note_event(core, over, EV_SWAP_FAIL)
            core.count.no_slot += 1
            return False
    entry = swap_alloc(core, scope_of(core, home), g)
    if UNLIKELY(entry == NO_SLOT):
        core.count.no_slot += 1
        note_event(core, g, EV_SWAP_FAIL)
        return False
    core.home[home].entry = entry
    core.slot_page[entry] = home
    core.page[home].folio |= F_SWAPCACHE
    charge_swap(core, g)
    if UNLIKELY(core.moves.n > 0):
        core.hooks.slot_given(core, entry)
    return True

cdef inline bint slot_own(core_t *core, uint32_t home) noexcept nogil:
    # Before new bytes go into a slot: the slot must be in an area where the page may go. A page
    # inherited at clone may still own one in the parent's area, and one whose cgroup was told of
    # other areas in an old one; it moves then. So does a page whose slot a checkpoint names.
    cdef memcg_t *g = memcg_of(core, home)
    cdef uint32_t scope = scope_in(core, g, scope_of(core, home)), entry
    cdef area_t *a = area_of(core, core.home[home].entry)
    if LIKELY((a.scope == scope or scope_may_use(core, scope, a))
              and not slot_bit(a.pinned, core.home[home].entry - a.base)):
        return True
    entry = swap_alloc(core, scope, g)
    if entry == NO_SLOT:
        core.count.no_slot += 1
        return False
    swap_give(core, core.home[home].entry)
    core.home[home].entry = entry
    core.slot_page[entry] = home
    charge_swap(core, g)
    if UNLIKELY(core.moves.n > 0):
        core.hooks.slot_given(core, entry)
    return True

cdef inline bint slot_ready_in(core_t *core, memcg_t *g, uint32_t home, bint dirty) noexcept nogil:
    note_writers(core, home)
    if not core.page[home].folio & F_SWAPCACHE:
        return slot_new(core, g, home)
    if UNLIKELY(area_of(core, core.home[home].entry).failed):
        keep_in_memory(core, home)   # what is still in memory is not given to a broken file
        return False
    return not dirty or slot_own(core, home)

cdef inline bint slot_ready(core_t *core, uint32_t home, bint dirty) noexcept nogil:
    return slot_ready_in(core, memcg_of(core, home), home, dirty)

cdef inline bint is_dirty(core_t *core, uint32_t home) noexcept nogil:
    return sharer_bits(core, home) & PTE_DIRTY != 0

cdef inline void unmap(core_t *core, uint32_t home) noexcept nogil:
    # Every page-table entry that maps the folio gets the swap entry instead; those of a shared
    # object become empty, the object keeps the entry.
    cdef uint32_t p = next_mapper(core, home), n
    if core.page[home].pte & PTE_SHARED:
        while p != NIL and p != home:
            n = core.next[p]
            core.page[p].pte = PTE_SHARED
            core.next[p] = NIL
            core.prev[p] = NIL
            core.shared_ptes -= 1
            p = n
        if core.next[home] != NIL:
            anchor_give(core, home)
        core.next[home] = NIL
        core.prev[home] = NIL
        core.page[home].pte = (core.page[home].pte & ~PTE_DIRTY) | PTE_SWAP
        return
    if core.page[home].pte & PTE_PRESENT:
        core.page[home].pte = PTE_SWAP
    while p != NIL and p != home:
        if core.page[p].pte & PTE_PRESENT:
            core.page[p].pte = PTE_SWAP | PTE_MEMBER
        p = core.next[p]

cdef inline void try_to_unmap(core_t *core, uint32_t home, uint32_t bits) noexcept nogil:
    # bits: of all its entries. It takes time, and the processor forgets the translation.
    if bits & PTE_PRESENT:
        core.clock.now += core.times.unmap
    if UNLIKELY(core.tlb.entry != NULL):
        tlb_drop_folio(core, home)
    unmap(core, home)

cdef inline void note_bad(core_t *core, uint32_t entry, uint32_t cause) noexcept nogil:
    core.error.entry = entry
    core.error.cause = cause

cdef inline int write_bytes(core_t *core, uint32_t home) noexcept nogil:
    # Zeroes are remembered in the zero map instead of written (6.18 swap_writeout).
    cdef area_t *a = area_of(core, core.home[home].entry)
    cdef uint32_t slot = core.home[home].entry - a.base
    cdef uint8_t *frame = frame_at(core, home)
    cdef uint64_t bit = <uint64_t>1 << (slot & 63)
    if frame != NULL:
        if a.zeromap != NULL:
            if page_is_zero(frame):
                a.zeromap[slot >> 6] |= bit
                wipe_note(core, a, slot)
                if UNLIKELY(a.stored != NULL):
                    core.hooks.store(core, a, slot, NIL)
                core.count.swpout_zero += 1
                return WRITE_ZERO
            a.zeromap[slot >> 6] &= ~bit
    if UNLIKELY(a.stored != NULL) and not core.hooks.store(core, a, slot, home):
        return WRITE_FULL
    if frame != NULL and a.file != NULL:
        wipe_held(a, slot)
        if not a.prewritten and (a.failed or not guard_copy(
                a.file + <size_t>slot * PAGE_SIZE, frame, PAGE_SIZE)):
            note_bad(core, core.home[home].entry, BAD_AREA if a.failed else BAD_FILE)
            area_give_up(core, a)
            return WRITE_FAILED
        if a.summed != NULL:
            a.sums[slot] = page_sum(frame)
            a.summed[slot >> 6] |= bit
    if UNLIKELY(core.watch_writers):
        count_leak(core, home, a)
    core.count.pswpout += 1
    a.pswpout += 1
    return WRITE_DONE

cdef inline bint store_now(core_t *core, uint32_t home) noexcept nogil:
    # A synchronous device: the processor has done it, and the page is clean.
    cdef device_t *d = area_device(core, area_of(core, core.home[home].entry))
    if d.synchronous:
        core.clock.now += d.store
        d.way[1].requests += 1
        d.way[1].pages += 1
    return d.synchronous

cdef inline int write_out(core_t *core, uint32_t home) noexcept nogil:
    cdef int done = write_bytes(core, home)
    if UNLIKELY(done < WRITE_DONE):
        if done == WRITE_FULL:   # compressed, before there was no place for it
            core.clock.now += area_device(core, area_of(core, core.home[home].entry)).store
        if done != WRITE_ZERO:
            keep_in_memory(core, home)
        return done
    if SELDOM(core.timed) and store_now(core, home):
        return WRITE_STORED
    core.page[home].folio |= F_WRITEBACK
    return WRITE_DONE if plug_add(core, home) else WRITE_WAITS

cdef inline bint read_in(core_t *core, uint32_t home) noexcept nogil:
    # False: the bytes are not to be had.
    cdef area_t *a = area_of(core, core.home[home].entry)
    cdef uint32_t slot = core.home[home].entry - a.base
    cdef uint8_t *frame = frame_at(core, home)
    if a.zeromap != NULL and (a.zeromap[slot >> 6] >> (slot & 63)) & 1:
        if frame != NULL:
            memset(frame, 0, PAGE_SIZE)
        core.count.swpin_zero += 1
        return True
    if frame != NULL and a.file != NULL:
        if a.lost or not guard_copy(frame, a.file + <size_t>slot * PAGE_SIZE, PAGE_SIZE):
            note_bad(core, core.home[home].entry, BAD_AREA if a.lost else BAD_FILE)
            return False
        if slot_bit(a.summed, slot) and page_sum(frame) != a.sums[slot]:
            note_bad(core, core.home[home].entry, BAD_SUM)
            return False
    core.count.pswpin += 1
    a.pswpin += 1
    return True

cdef inline void page_freed(core_t *core, memcg_t *g, uint32_t home) noexcept nogil:
    frame_give(core, home)
    uncharge_page(core, g)
    core.kswapd.scanned = 0
    core.kswapd.all_unreclaimable = False

cdef inline void release(core_t *core, memcg_t *g, uint32_t home) noexcept nogil:
    # The caller took it off its list. The shadow stays in where[home]: the age of the memcg whose
    # pass this is, since that is what the refault is judged by (workingset_eviction).
    cdef uint32_t shadow
    if core.target == NULL or core.target == g:
        shadow = <uint32_t>(g.age) & SHADOW_AGE
    else:
        shadow = ((<uint32_t>(core.target.age) & SHADOW_AGE)
                  | (core.target.depth + 1) << SHADOW_LEVEL)
    if core.page[home].folio & F_WORKINGSET:
        shadow |= SHADOW_WS
    core.home[home].where = shadow
    core.page[home].folio = 0
    age_up(core, g, 1)
    page_freed(core, g, home)

cdef inline bint evict_now(core_t *core, memcg_t *g, uint32_t home) noexcept nogil:
    # Off its list already. False: there is no slot for it.
    cdef bint dirty = is_dirty(core, home)
    cdef bint must_write = dirty or not core.page[home].folio & F_SWAPCACHE
    cdef int done
    take_away(core, home)
    if not slot_ready_in(core, g, home, dirty):
        return False
    unmap(core, home)
    if must_write:
        done = write_bytes(core, home)
        if UNLIKELY(done == WRITE_FAILED or done == WRITE_FULL):
            keep_in_memory(core, home)
            return False
    if core.page[home].folio & F_WRITEBACK or core.rotation.n > 0:
        # It came from a memcg whose policy writes asynchronously.
        queue_rename(core, home, NIL)
    release(core, g, home)
    return True
