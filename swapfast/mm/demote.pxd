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

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.area cimport area_of, slot_free, take_from
from swapfast.mm.carry cimport copy_slot, is_zero, no_bytes
from swapfast.mm.device cimport area_device, submit
from swapfast.mm.evict cimport scope_may_use, slot_drop
from swapfast.mm.moving cimport MOVE_FULL, MOVE_REFAULT, demote_t
from swapfast.mm.order cimport order_renew, slot_taken
from swapfast.mm.plug cimport plug_flush
from swapfast.mm.queue cimport device_t
from swapfast.mm.rmap cimport is_single, memcg_of
from swapfast.mm.scope cimport scope_in, scope_of
from swapfast.mm.slots cimport slot_bit
from swapfast.mm.tags cimport tag_get, tag_later
from swapfast.mm.tree cimport charge_tier, tier_is_over
from swapfast.mm.types cimport UNLIKELY, area_t, core_t
from swapfast.mm.words cimport (
    F_ISOLATED, F_RESIDENT, F_SWAPCACHE, F_WRITEBACK, MAX_REQUEST, NIL, NO_SLOT, PTE_DIRTY,
    PTE_PRESENT, PTE_SHARED,
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

cdef inline bint allowed_in(core_t *core, uint32_t home, area_t *b) noexcept nogil:
    return b.writeok and scope_may_use(
        core, scope_in(core, memcg_of(core, home), scope_of(core, home)), b)

cdef inline bint is_over(core_t *core, uint32_t home, area_t *b) noexcept nogil:
    return (UNLIKELY(core.rules.tier_amounts)
            and tier_is_over(core, memcg_of(core, home), b.tier))

cdef inline bint may_go(core_t *core, uint32_t home, area_t *b) noexcept nogil:
    return allowed_in(core, home, b) and not is_over(core, home, b)

cdef inline bint may_swap(core_t *core, uint32_t page, area_t *b, uint32_t other,
                          area_t *a) noexcept nogil:
    # The page goes to b and the other to a. Of one memcg: what it has in a tier stays the same.
    if not allowed_in(core, other, a):
        return False
    return (memcg_of(core, page) == memcg_of(core, other)
            or not (is_over(core, page, b) or is_over(core, other, a)))

cdef inline void goes(core_t *core, uint32_t home, uint32_t old, uint32_t new) noexcept nogil:
    # From one tier to another: what its memcg has there. The slots are still its own.
    if UNLIKELY(core.scoped):
        charge_tier(core, memcg_of(core, home), old, -1)
        charge_tier(core, memcg_of(core, home), new, 1)

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
    goes(core, home, a.base + slot, entry)
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
        if not may_swap(core, page, b, other, a):
            continue
        if not copy_slot(core, b, slot, a, old - a.base, other):
            return False
        break
    if not is_zero(b, slot):
        d.old[0] = b.base + slot
        d.new[0] = old
        d.n = 1
    no_bytes(core, b, slot, False)
    goes(core, page, old, b.base + slot)
    goes(core, other, b.base + slot, old)
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
        if allowed_in(core, page, &core.areas[d.target[k]]):
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
