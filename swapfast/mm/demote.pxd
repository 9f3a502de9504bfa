# demote: pages that are out move from one swap area to another.
#
#   on-full     an allocation finds no slot: the oldest of the area go to the target, and it tries
#               again; whoever allocates waits for it
#   proactive   an actor of its own, above a mark and until below another (kdemote.pxd)
#   on-refault  a page that was read from a slow area gets a slot in the quick one: a free one, or
#               that of the oldest there, which takes its place
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
# - make_room(core, a) -> a slot of this area, NO_SLOT: none is free even now
# - demote_some(core, d) -> pages moved: a batch of the fullest source
# - promote(core, page, now) -> True: this page, which a fault has mapped, keeps its slot; now: it
#   has moved to a quick area, and holds bytes there when it is written next
# - demote_new(core, areas) -> a plug with room for so many in each table, NULL: no memory
# - demote_forget(core, number): an area is gone
# - demotes_free(core)

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.area cimport area_of, slot_free, take_free, take_from
from swapfast.mm.carry cimport copy_slot, is_zero, no_bytes
from swapfast.mm.device cimport area_device, submit
from swapfast.mm.evict cimport scope_may_use
from swapfast.mm.moving cimport demote_t
from swapfast.mm.order cimport order_renew
from swapfast.mm.plug cimport plug_flush
from swapfast.mm.queue cimport device_t
from swapfast.mm.rmap cimport is_single, memcg_of
from swapfast.mm.scope cimport scope_of
from swapfast.mm.slots cimport slot_bit
from swapfast.mm.tags cimport tag_get, tag_later
from swapfast.mm.tree cimport charge_tier, tier_is_over
from swapfast.mm.types cimport UNLIKELY, area_t, core_t, lazy_map, lazy_unmap
from swapfast.mm.words cimport (
    F_ISOLATED, F_RESIDENT, F_SWAPCACHE, F_WRITEBACK, MAX_REQUEST, NIL, NO_SLOT, PTE_DIRTY,
    PTE_PRESENT, PTE_SHARED,
)

cdef enum:
    WENT = 0             # it has another slot now
    STAYS = 1            # it cannot go
    NO_ROOM = 2
    MOST_PLUGS = 4096

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
    return b.writeok and scope_may_use(core, scope_of(core, home), b)

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

cdef inline int move_one(core_t *core, demote_t *d, area_t *a, uint32_t slot) noexcept nogil:
    cdef uint32_t home = core.slot_page[a.base + slot], k, entry = NO_SLOT
    cdef area_t *b = NULL
    cdef bint allowed = False
    for k in range(d.n_target):
        b = &core.areas[d.target[k]]
        if may_go(core, home, b):
            allowed = True
            entry = take_from(core, b)
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

cdef inline uint32_t make_room(core_t *core, area_t *a) noexcept nogil:
    cdef demote_t *d = a.moves.on_full
    if d.busy or demote_batch(core, d, a) == 0:
        return NO_SLOT
    return take_free(core, a)

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

cdef inline void takes_slot(core_t *core, uint32_t page, uint32_t entry) noexcept nogil:
    # A page in memory has this slot from now on, and its bytes do not: it will be written.
    core.home[page].entry = entry
    core.slot_page[entry] = page
    core.page[page].pte |= PTE_DIRTY

cdef inline bint promote_to_free(core_t *core, demote_t *d, uint32_t page) noexcept nogil:
    cdef uint32_t old = core.home[page].entry, k, slot
    cdef area_t *b
    for k in range(d.n_target):
        b = &core.areas[d.target[k]]
        if not may_go(core, page, b):
            continue
        slot = take_free(core, b)
        if slot != NO_SLOT:
            goes(core, page, old, b.base + slot)
            core.slot_page[old] = NIL
            slot_free(core, old)
            takes_slot(core, page, b.base + slot)
            return True
    return False

cdef inline bint swap_places(core_t *core, demote_t *d, uint32_t page, area_t *b) noexcept nogil:
    # With the oldest of a quick area.
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
            d.failed += 1
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
    if a.moves.order != NULL:
        order_renew(a, old - a.base)
    takes_slot(core, page, b.base + slot)
    if d.n > 0:
        move_takes(core, d, False)   # nobody waits for it
    d.demoted += 1
    return True

cdef inline bint promote(core_t *core, uint32_t page, bint now) noexcept nogil:
    cdef area_t *a
    cdef demote_t *d
    cdef uint32_t k
    cdef bint moved
    if (core.page[page].folio & (F_RESIDENT | F_SWAPCACHE | F_WRITEBACK | F_ISOLATED)
            != F_RESIDENT | F_SWAPCACHE):
        return False
    if core.page[page].pte & (PTE_PRESENT | PTE_SHARED) != PTE_PRESENT:
        return False
    a = area_of(core, core.home[page].entry)
    d = a.moves.promoter
    if (d == NULL or d.busy or not is_single(core, page)
            or slot_bit(a.pinned, core.home[page].entry - a.base)):
        return False
    if not now:
        return True
    d.busy = True
    moved = promote_to_free(core, d, page)
    k = 0
    while not moved and k < d.n_target:
        if allowed_in(core, page, &core.areas[d.target[k]]):
            moved = swap_places(core, d, page, &core.areas[d.target[k]])
        k += 1
    d.promoted += moved
    d.failed += not moved
    d.busy = False
    return moved

# ---------------------------------------------------------------- plugs that come, areas that go

cdef inline void demote_unmap(demote_t *d) noexcept nogil:
    lazy_unmap(d.source, <size_t>d.room * 4)
    lazy_unmap(d.target, <size_t>d.room * 4)
    lazy_unmap(d, sizeof(demote_t))

cdef inline demote_t *demote_new(core_t *core, uint32_t areas) noexcept nogil:
    cdef demote_t *d
    if core.moves.all == NULL:
        core.moves.all = <demote_t **>lazy_map(MOST_PLUGS * sizeof(void *))
    if core.moves.all == NULL or core.moves.n == MOST_PLUGS:
        return NULL
    d = <demote_t *>lazy_map(sizeof(demote_t))
    if d == NULL:
        return NULL
    d.room = areas
    d.source = <uint32_t *>lazy_map(<size_t>areas * 4)
    d.target = <uint32_t *>lazy_map(<size_t>areas * 4)
    if d.source == NULL or d.target == NULL:
        demote_unmap(d)
        return NULL
    core.moves.all[core.moves.n] = d
    core.moves.n += 1
    return d

cdef inline void demotes_free(core_t *core) noexcept nogil:
    cdef uint32_t k
    for k in range(core.moves.n):
        demote_unmap(core.moves.all[k])
    lazy_unmap(core.moves.all, MOST_PLUGS * sizeof(void *))

cdef inline void forget_in(uint32_t *table, uint32_t *n, uint32_t number) noexcept nogil:
    cdef uint32_t k, kept = 0
    for k in range(n[0]):
        if table[k] != number:
            table[kept] = table[k]
            kept += 1
    n[0] = kept

cdef inline void demote_forget(core_t *core, uint32_t number) noexcept nogil:
    cdef uint32_t k
    for k in range(core.moves.n):
        forget_in(core.moves.all[k].source, &core.moves.all[k].n_source, number)
        forget_in(core.moves.all[k].target, &core.moves.all[k].n_target, number)
