# demote: pages that are out move from one swap area to another.
#
#   on-full     the last slot of an area is given: its oldest go to the target before somebody finds
#               none; whoever allocates waits for it
#   proactive   an actor of its own, above a mark and until below another (kdemote.pxd)
#   on-refault  a page that was read from a slow area loses its slot there. When it leaves memory
#               again, and the quick one is full, it changes places with the oldest there
#
# A move is a read on one device and a write on the other, in runs of slots that follow each other.
# Data, zero bit and checksum go along; shadow, owner and charge stay, and no counter of swapping
# sees it. Three sorts of slots do not move: those that a checkpoint names; those whose page may not
# go to the target; and those whose page is in memory, since it was used later than any that is out:
# they become the newest. Where the target has no room nothing moves.
#
# Ours; no kernel does so. What is called from elsewhere is called through pointers that are NULL
# where nobody asked.
#
# - slot_given(core, entry): a page has it; areas that are full make room for the next one
# - demote_some(core, d) -> pages moved: a batch of the fullest source
# - promote(core, page) -> True: a fault has mapped it, and it comes from a slow area

from libc.stdint cimport uint32_t, uint64_t, uint8_t
from swapfast.core.guard cimport guard_copy
from swapfast.mm.area cimport area_give_up, area_of, slot_free, take_from
from swapfast.mm.device cimport area_device, submit
from swapfast.mm.evict cimport note_bad, scope_may_use, slot_drop
from swapfast.mm.moving cimport MOVE_FULL, MOVE_REFAULT, demote_t
from swapfast.mm.order cimport order_renew, slot_taken
from swapfast.mm.plug cimport plug_flush
from swapfast.mm.pool cimport pool_drop, pool_store
from swapfast.mm.queue cimport device_t
from swapfast.mm.rmap cimport is_single
from swapfast.mm.scope cimport scope_of
from swapfast.mm.slots cimport slot_bit
from swapfast.mm.tags cimport tag_get, tag_later
from swapfast.mm.types cimport area_t, core_t, page_sum
from swapfast.mm.wipe cimport wipe_held, wipe_note
from swapfast.mm.words cimport (
    BAD_AREA, BAD_FILE, BAD_SUM, F_ISOLATED, F_RESIDENT, F_SWAPCACHE, F_WRITEBACK, MAX_REQUEST, NIL,
    NO_SLOT, PAGE_SIZE, PTE_DIRTY, PTE_PRESENT, PTE_SHARED,
)

cdef enum:
    WENT = 0             # it has another slot now
    STAYS = 1            # it cannot go
    NO_ROOM = 2

# ---------------------------------------------------------------- which, and where to

cdef inline uint32_t oldest(core_t *core, area_t *a, uint32_t *looks) noexcept nogil:
    # The oldest that may move, after `looks` slots at most; 0: none.
    cdef uint32_t slot, home
    while looks[0] > 0:
        looks[0] -= 1
        slot = a.moves.order[0]
        if slot == 0:
            return 0
        home = core.slot_page[a.base + slot]
        if (home != NIL and not core.page[home].folio & F_RESIDENT
                and not slot_bit(a.pinned, slot)):
            return slot
        order_renew(a, slot)
    return 0

cdef inline bint may_go(core_t *core, uint32_t home, area_t *b) noexcept nogil:
    return b.writeok and scope_may_use(core, scope_of(core, home), b)

# ---------------------------------------------------------------- what goes along

cdef inline bint copy_bytes(core_t *core, area_t *a, uint32_t slot, area_t *b,
                            uint32_t to) noexcept nogil:
    cdef uint8_t page[4096]
    cdef uint64_t bit = <uint64_t>1 << (to & 63)
    if a.file == NULL or b.file == NULL:
        return True
    if a.lost or not guard_copy(page, a.file + <size_t>slot * PAGE_SIZE, PAGE_SIZE):
        note_bad(core, a.base + slot, BAD_AREA if a.lost else BAD_FILE)
        return False
    if slot_bit(a.summed, slot) and page_sum(page) != a.sums[slot]:
        note_bad(core, a.base + slot, BAD_SUM)
        return False
    wipe_held(b, to)
    if b.failed or not guard_copy(b.file + <size_t>to * PAGE_SIZE, page, PAGE_SIZE):
        note_bad(core, b.base + to, BAD_AREA if b.failed else BAD_FILE)
        area_give_up(core, b)
        return False
    if b.summed != NULL:
        b.sums[to] = a.sums[slot] if slot_bit(a.summed, slot) else page_sum(page)
        b.summed[to >> 6] |= bit
    return True

cdef inline bint is_zero(area_t *a, uint32_t slot) noexcept nogil:
    return slot_bit(a.zeromap, slot)

cdef inline void no_bytes(core_t *core, area_t *a, uint32_t slot, bint zero) noexcept nogil:
    # What lies in the slot is worth nothing; zero: it stands for a page of zeroes.
    cdef uint64_t bit = <uint64_t>1 << (slot & 63)
    if a.zeromap != NULL:
        a.zeromap[slot >> 6] = (a.zeromap[slot >> 6] & ~bit) | (bit if zero else 0)
    if a.summed != NULL:
        a.summed[slot >> 6] &= ~bit
    if a.stored != NULL:
        pool_drop(core, a, slot)
    if zero:
        wipe_note(core, a, slot)

cdef inline bint copy_slot(core_t *core, area_t *a, uint32_t slot, area_t *b, uint32_t to,
                           uint32_t home) noexcept nogil:
    # False: the bytes are not to be had, or the other area takes none.
    if is_zero(a, slot):
        no_bytes(core, b, to, True)
        return True
    if b.stored != NULL and not pool_store(core, b, to, home):
        return False
    if not copy_bytes(core, a, slot, b, to):
        return False
    if b.zeromap != NULL:
        b.zeromap[to >> 6] &= ~(<uint64_t>1 << (to & 63))
    return True

# ---------------------------------------------------------------- what it costs

cdef inline uint64_t send_run(core_t *core, device_t *d, bint write, uint64_t slot,
                              uint32_t n) noexcept nogil:
    # When it is done. Without a tag it waits for one; what is plugged has its tags already.
    if d.synchronous:
        core.clock.now += n * (d.store if write else d.load)
        d.way[write].requests += n
        d.way[write].pages += n
        return core.clock.now
    if d.tag != NULL and not tag_get(core, d):
        plug_flush(core)
        if not tag_get(core, d):
            tag_later(core, d)
    core.clock.now += core.times.flush_request
    return submit(core, d, write, slot, n)

cdef inline uint64_t send_all(core_t *core, const uint32_t *entry, uint32_t n,
                              bint write) noexcept nogil:
    cdef uint32_t i = 0, k
    cdef uint64_t done = core.clock.now
    cdef area_t *a
    while i < n:
        k = 1
        while i + k < n and k < MAX_REQUEST and entry[i + k] == entry[i] + k:
            k += 1
        a = area_of(core, entry[i])
        done = max(done, send_run(core, area_device(core, a), write,
                                  a.device_slot + entry[i] - a.base, k))
        i += k
    return done

cdef inline void wait_until(core_t *core, uint64_t done) noexcept nogil:
    # A wait for a device within a pass is no processor time (steps.pxd, pay_tags).
    if done > core.clock.now:
        core.in_tags += done - core.clock.now
        core.clock.now = done

cdef inline void move_takes(core_t *core, demote_t *d, bint waits) noexcept nogil:
    # The batch is read, then written.
    cdef uint64_t begin = core.clock.now, done
    cdef bint may_stop = core.may_stop, got_tag = core.got_tag
    core.may_stop = False
    done = send_all(core, d.old, d.n, False)
    if waits:
        wait_until(core, done)
    done = send_all(core, d.new, d.n, True)
    if waits:
        wait_until(core, done)
    core.may_stop = may_stop
    core.got_tag = got_tag
    d.pages_read += d.n
    d.pages_written += d.n
    d.n = 0
    d.ns += core.clock.now - begin

# ---------------------------------------------------------------- demotion

cdef inline uint32_t take_noted(core_t *core, area_t *a) noexcept nogil:
    cdef uint32_t entry = take_from(core, a)
    if entry != NO_SLOT:
        slot_taken(core, a, entry - a.base)
    return entry

cdef inline bint make_room(core_t *core, area_t *a) noexcept nogil:
    cdef demote_t *d = a.moves.on_full
    return d != NULL and not d.busy and demote_batch(core, d, a) > 0

cdef inline int move_one(core_t *core, demote_t *d, area_t *a, uint32_t slot) noexcept nogil:
    cdef uint32_t home = core.slot_page[a.base + slot], k, entry = NO_SLOT
    cdef area_t *b = NULL
    cdef bint allowed = False
    for k in range(d.n_target):
        b = &core.areas[d.target[k]]
        if may_go(core, home, b):
            allowed = True
            entry = take_noted(core, b)
            if entry == NO_SLOT and make_room(core, b):
                entry = take_noted(core, b)
            if entry != NO_SLOT:
                break
    if entry == NO_SLOT:
        return NO_ROOM if allowed else STAYS
    if not copy_slot(core, a, slot, b, entry - b.base, home):
        d.failed += 1
        slot_free(core, entry)
        return STAYS
    if not is_zero(a, slot):
        d.old[d.n] = a.base + slot
        d.new[d.n] = entry
        d.n += 1
    core.home[home].entry = entry
    core.slot_page[entry] = home
    core.slot_page[a.base + slot] = NIL
    slot_free(core, a.base + slot)
    return WENT

cdef inline uint32_t demote_batch(core_t *core, demote_t *d, area_t *a) noexcept nogil:
    # The oldest slots of an area go. Looking has an end where few may move.
    cdef uint32_t looks = 4 * d.batch, slot, moved = 0
    cdef int what
    d.busy = True
    while moved < d.batch:
        slot = oldest(core, a, &looks)
        if slot == 0:
            break
        what = move_one(core, d, a, slot)
        if what == NO_ROOM:
            d.failed += 1
            break
        if what == STAYS:
            order_renew(a, slot)
        moved += what == WENT
    if d.n > 0:
        move_takes(core, d, True)
    d.demoted += moved
    d.busy = False
    return moved

cdef inline uint32_t demote_some(core_t *core, demote_t *d) noexcept nogil:
    cdef area_t *fullest = NULL
    cdef area_t *a
    cdef uint32_t k
    for k in range(d.n_source):
        a = &core.areas[d.source[k]]
        if (fullest == NULL or <uint64_t>a.inuse * fullest.pages
                > <uint64_t>fullest.inuse * a.pages):
            fullest = a
    return 0 if fullest == NULL or d.busy else demote_batch(core, d, fullest)

# ---------------------------------------------------------------- promotion

cdef inline bint promote(core_t *core, uint32_t page) noexcept nogil:
    # Like a write, the fault drops the slot: the page is dirty, and remembered.
    cdef area_t *a
    if (core.page[page].folio & (F_RESIDENT | F_SWAPCACHE | F_WRITEBACK | F_ISOLATED)
            != F_RESIDENT | F_SWAPCACHE):
        return False
    if core.page[page].pte & (PTE_PRESENT | PTE_SHARED) != PTE_PRESENT:
        return False
    a = area_of(core, core.home[page].entry)
    if a.moves.promoter == NULL or not is_single(core, page):
        return False
    if slot_bit(a.pinned, core.home[page].entry - a.base) or not slot_drop(core, page):
        return False
    core.page[page].pte |= PTE_DIRTY
    core.moves.marked[page >> 6] |= <uint64_t>1 << (page & 63)
    return True

cdef inline bint swap_places(core_t *core, demote_t *d, uint32_t page, area_t *b) noexcept nogil:
    # With the oldest of a quick area; what this page has to say is not written yet.
    cdef uint32_t old = core.home[page].entry, looks = 4 * d.batch, slot, other
    cdef area_t *a = area_of(core, old)
    while True:
        slot = oldest(core, b, &looks)
        if slot == 0:
            return False
        other = core.slot_page[b.base + slot]
        order_renew(b, slot)
        if not may_go(core, other, a):
            continue
        if not copy_slot(core, b, slot, a, old - a.base, other):
            return False
        break
    if not is_zero(b, slot):
        d.old[0] = b.base + slot
        d.new[0] = old
        d.n = 1
    no_bytes(core, b, slot, False)
    core.home[other].entry = old
    core.slot_page[old] = other
    core.home[page].entry = b.base + slot
    core.slot_page[b.base + slot] = page
    if d.n > 0:
        move_takes(core, d, False)   # nobody waits for it
    d.demoted += 1
    return True

cdef inline bint goes_to(demote_t *d, uint32_t number) noexcept nogil:
    cdef uint32_t k
    for k in range(d.n_target):
        if d.target[k] == number:
            return True
    return False

cdef inline void promoted_now(core_t *core, uint32_t page) noexcept nogil:
    # It was read from a slow area, and has a slot again.
    cdef area_t *a = area_of(core, core.home[page].entry)
    cdef demote_t *d = a.moves.promoter
    cdef uint32_t k
    cdef bint moved = False
    core.moves.marked[page >> 6] &= ~(<uint64_t>1 << (page & 63))
    if d == NULL:   # in the quick area, since there was room
        for k in range(core.moves.n):
            d = core.moves.all[k]
            if d.when == MOVE_REFAULT and not d.off and goes_to(d, <uint32_t>(a - core.areas)):
                d.promoted += 1
                return
        return
    if d.busy:
        return
    d.busy = True
    k = 0
    while not moved and k < d.n_target:
        if may_go(core, page, &core.areas[d.target[k]]):
            moved = swap_places(core, d, page, &core.areas[d.target[k]])
        k += 1
    d.promoted += moved
    d.failed += not moved
    d.busy = False

# ---------------------------------------------------------------- a page has got its slot

cdef inline void slot_given(core_t *core, uint32_t entry) noexcept nogil:
    # That was the last one; or the source was full, and the page had to go to a target.
    cdef area_t *a = area_of(core, entry)
    cdef uint32_t number = <uint32_t>(a - core.areas), k, i
    cdef demote_t *d
    cdef uint32_t page = core.slot_page[entry]
    slot_taken(core, a, entry - a.base)
    if core.moves.marked[page >> 6] >> (page & 63) & 1:
        promoted_now(core, page)
    if a.moves.on_full != NULL and a.inuse >= a.pages:
        make_room(core, a)
    for k in range(core.moves.n):
        d = core.moves.all[k]
        if d.when != MOVE_FULL or d.off or not goes_to(d, number):
            continue
        for i in range(d.n_source):
            a = &core.areas[d.source[i]]
            if a.writeok and a.inuse >= a.pages:
                make_room(core, a)
