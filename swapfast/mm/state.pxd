# state: a swap namespace's memory as arrays, out of one machine and into another.
#
# Pages are numbered as they stand in the image: mapping after mapping, dense from 0. All of them
# are out of memory when they are dumped, so that a page is its page-table byte and, for a home, its
# slot and its shadow.
#
# - survey_page(core, page, mine, a, s), survey_area(core, mine, a, s): what pushing everything out
#   would take, and whether somebody outside is in it
# - push_page(core, page, p) -> ST_OK: it was out; ST_AGAIN: it goes with its batch; or why not
# - push_flush(core, p): the batch is written and out
# - dump_pages, load_pages: page-table bytes, slots, shadows, rings
# - image_home(bits): whether a page with this byte has the slot of its data
# - area_pin(core, a, slots, n), area_unpin(core, a): what may not be overwritten
# - area_keep_sums(a), area_sums(a, slots, n, sums): checksums of slots

from libc.stdint cimport uint32_t, uint64_t, uint8_t
from swapfast.mm.area cimport area_give_up, area_of, note_free_slot
from swapfast.mm.bitmap cimport bitmap_clear
from swapfast.mm.evict cimport evict_now, is_dirty, note_bad, slot_ready
from swapfast.mm.frames cimport frame_at
from swapfast.mm.pool cimport pool_drop
from swapfast.mm.rmap cimport home_of, memcg_of
from swapfast.mm.slots cimport (
    LIST_PARTLY, LIST_UNUSED, cl_append, cl_unlink, slot_bit, slot_map_bytes, slots_give,
)
from swapfast.mm.tree cimport charge_swap, charge_tier
from swapfast.mm.types cimport (
    SWAPFAST_CHECK, area_t, core_t, lazy_map, lazy_unmap, lowest_bit64, memcg_t, page_is_zero,
    page_sum, prefetch_write, slots_write,
)
from swapfast.mm.unmap cimport swapoff_slot
from swapfast.mm.wipe cimport wipe_held, wipe_note
from swapfast.mm.words cimport (
    BAD_AREA, BAD_FILE, BLOCK_SHIFT, CLUSTER, F_RESIDENT, F_SWAPCACHE, MIXED_ALLOCATOR, NIL,
    NO_SLOT, PAGE_SIZE, PTE_DIRTY, PTE_MEMBER, PTE_SHARED, PTE_SWAP, PTE_ZERO, SLOTS_CLUSTER,
    ST_AGAIN, ST_IO, ST_OK, ST_OOM,
)
from swapfast.core.guard cimport guard_copy

cdef struct survey_t:
    uint64_t needed      # slots that the area would have to give
    uint64_t resident    # folios in memory
    uint64_t homes       # pages with data
    uint32_t outside     # a page that somebody outside maps, owns or keeps in the area; NIL: none

cdef inline bint holds_data(core_t *core, uint32_t page) noexcept nogil:
    # A home with something behind it, in memory or out.
    if core.page[page].pte & (PTE_MEMBER | PTE_ZERO):
        return False
    return core.page[page].folio & F_RESIDENT or core.page[page].pte & PTE_SWAP

cdef inline bint owns_slot(core_t *core, uint32_t home) noexcept nogil:
    return core.page[home].folio & (F_RESIDENT | F_SWAPCACHE) != F_RESIDENT

cdef inline void survey_page(core_t *core, uint32_t page, const uint8_t *mine, area_t *a,
                             survey_t *s) noexcept nogil:
    cdef uint32_t p
    cdef bint here
    if core.page[page].pte & PTE_MEMBER:
        if not mine[core.block_mapping[home_of(core, page) >> BLOCK_SHIFT]]:
            s.outside = page
        return
    if not holds_data(core, page):
        return
    s.homes += 1
    p = core.next[page]
    while p != NIL and p != page:
        if not mine[core.block_mapping[p >> BLOCK_SHIFT]]:
            s.outside = page
            return
        p = core.next[p]
    if core.rules.mixed_pages == MIXED_ALLOCATOR and core.alloc_scope[page] != 0 \
            and core.alloc_scope[page] - 1 != a.scope:
        s.outside = page
        return
    here = owns_slot(core, page) and area_of(core, core.home[page].entry) == a
    if not core.page[page].folio & F_RESIDENT:
        s.needed += not here
        return
    s.resident += 1
    if not here or (is_dirty(core, page) and slot_bit(a.pinned, core.home[page].entry - a.base)):
        s.needed += 1

cdef inline void survey_area(core_t *core, const uint8_t *mine, area_t *a,
                             survey_t *s) noexcept nogil:
    # Nobody else's page lies in the area.
    cdef uint32_t slot, home
    for slot in range(1, a.slots):
        home = core.slot_page[a.base + slot]
        if home != NIL and not mine[core.block_mapping[home >> BLOCK_SHIFT]]:
            s.outside = home
            return

cdef enum:
    PUSH_NOTHING = 0     # no data, or out already
    PUSH_CLEAN = 1       # its slot has its bytes
    PUSH_WRITE = 2       # it has a slot, and the bytes go there first
    PUSH_FOREIGN = 3     # its slot is in another area
    PUSH_NO_SLOT = 4
    PUSH_BATCH = 1024

cdef struct push_t:
    area_t *area
    int fd               # -1: without contents
    uint32_t n           # pages to evict
    uint32_t writes      # those of them to write
    uint32_t page[1024]
    uint32_t slot[1024]
    uint8_t *bytes[1024]

cdef inline int push_prepare(core_t *core, uint32_t page, area_t *a) noexcept nogil:
    cdef bint clean
    if not holds_data(core, page):
        return PUSH_NOTHING
    if owns_slot(core, page) and area_of(core, core.home[page].entry) != a:
        return PUSH_FOREIGN
    if not core.page[page].folio & F_RESIDENT:
        return PUSH_NOTHING
    clean = core.page[page].folio & F_SWAPCACHE and not is_dirty(core, page)
    if not slot_ready(core, page, not clean):
        return PUSH_NO_SLOT
    if clean:
        return PUSH_CLEAN
    core.page[page].pte |= PTE_DIRTY   # for evict_now: it must be written
    return PUSH_WRITE

cdef inline int push_flush(core_t *core, push_t *p) noexcept nogil:
    # Writes what is to be written in runs of slots, then evicts every page of the batch.
    cdef uint32_t i, page
    cdef memcg_t *g
    if p.writes > 0 and p.fd >= 0 and slots_write(p.fd, p.slot, p.bytes, p.writes) != 0:
        note_bad(core, p.area.base + p.slot[0], BAD_FILE)
        area_give_up(core, p.area)
        return ST_IO
    p.area.prewritten = True
    for i in range(p.n):
        page = p.page[i]
        g = memcg_of(core, page)
        g.policy.leave(core, g, page)
        SWAPFAST_CHECK(evict_now(core, g, page), b"a page with a slot of its own can leave")
        core.page[page].pte &= ~PTE_DIRTY
    p.area.prewritten = False
    p.n = p.writes = 0
    return ST_OK

cdef inline int push_page(core_t *core, uint32_t page, push_t *p) noexcept nogil:
    # The page leaves with its batch. ST_AGAIN: it was in memory.
    cdef int what = push_prepare(core, page, p.area), status
    cdef uint8_t *bytes
    if what == PUSH_FOREIGN:
        status = push_flush(core, p)
        if status == ST_OK:
            status = swapoff_slot(core, core.home[page].entry)   # inherited: it moves
        if status != ST_OK:
            return status
        what = push_prepare(core, page, p.area)
    if what == PUSH_NOTHING:
        return ST_OK
    if what == PUSH_NO_SLOT:
        if not p.area.failed:
            return ST_OOM
        note_bad(core, p.area.base, BAD_AREA)   # it failed before, maybe long ago
        return ST_IO
    if what == PUSH_WRITE:
        bytes = frame_at(core, page)
        if bytes != NULL and not (p.area.zeromap != NULL and page_is_zero(bytes)):
            p.slot[p.writes] = core.home[page].entry - p.area.base
            wipe_held(p.area, p.slot[p.writes])
            p.bytes[p.writes] = bytes
            p.writes += 1
    p.page[p.n] = page
    p.n += 1
    if p.n == PUSH_BATCH:
        status = push_flush(core, p)
        return ST_AGAIN if status == ST_OK else status
    return ST_AGAIN

# ---------------------------------------------------------------- page-table bytes in an image

cdef inline bint image_home(uint32_t bits) noexcept nogil:
    return bits & (PTE_SWAP | PTE_MEMBER) == PTE_SWAP

cdef inline uint64_t dump_pages(core_t *core, uint32_t base, uint64_t pages, area_t *a,
                                uint8_t *pte, uint32_t *slot, uint32_t *shadow,
                                uint8_t *zero) noexcept nogil:
    # Returns how many homes there are; the last three arrays hold one value for each of them.
    cdef uint64_t n = 0, i
    cdef uint32_t page, s
    for i in range(pages):
        page = <uint32_t>(base + i)
        pte[i] = core.page[page].pte
        if pte[i] & PTE_SHARED:
            pte[i] &= ~PTE_DIRTY
        if not image_home(pte[i]):
            continue
        s = core.home[page].entry - a.base
        slot[n] = s
        shadow[n] = core.home[page].where
        zero[n] = slot_bit(a.zeromap, s)
        n += 1
    return n

cdef inline void take_slot(core_t *core, area_t *a, uint32_t slot) noexcept nogil:
    bitmap_clear(&a.free, slot)
    a.inuse += 1
    core.swap.free -= 1
    if a.strategy == SLOTS_CLUSTER:
        a.cl_used[slot // CLUSTER] += 1

cdef enum:
    AHEAD = 24           # slots that do not run together are fetched so many pages early

cdef inline uint64_t load_pages(core_t *core, uint32_t base, uint64_t pages, area_t *a,
                                const uint8_t *pte, const uint32_t *slot, const uint32_t *shadow,
                                const uint8_t *zero, uint64_t slots) noexcept nogil:
    # The caller checked every value; there are `slots` of them and more. Returns how many homes
    # there were.
    cdef uint64_t n = 0, i
    cdef uint32_t page, s
    for i in range(pages):
        if n + AHEAD < slots:
            prefetch_write(&core.slot_page[a.base + slot[n + AHEAD]])
        page = <uint32_t>(base + i)
        core.page[page].pte = pte[i] & ~PTE_MEMBER   # the rings make members
        if not image_home(pte[i]):
            continue
        s = slot[n]
        core.home[page].entry = a.base + s
        core.slot_page[a.base + s] = page
        charge_swap(core, memcg_of(core, page))
        charge_tier(core, memcg_of(core, page), a.base + s, 1)
        core.home[page].where = shadow[n]
        take_slot(core, a, s)
        if zero[n] and a.zeromap != NULL:
            a.zeromap[s >> 6] |= <uint64_t>1 << (s & 63)
        n += 1
    return n

# ---------------------------------------------------------------- clusters in their order

cdef inline void load_clusters(area_t *a, const uint32_t *unused, uint64_t n,
                               const uint32_t *partly, uint64_t m) noexcept nogil:
    cdef uint32_t c
    cdef uint64_t i
    for c in range(a.clusters):
        cl_unlink(a, c)
    for i in range(n):
        cl_append(a, unused[i], LIST_UNUSED)
    for i in range(m):
        cl_append(a, partly[i], LIST_PARTLY)

# ---------------------------------------------------------------- pins and sums

cdef inline void free_limbo(core_t *core, area_t *a, uint32_t slot) noexcept nogil:
    # Nobody's page, and no checkpoint's any more.
    cdef uint64_t bit = <uint64_t>1 << (slot & 63)
    slots_give(a, slot)
    wipe_note(core, a, slot)
    note_free_slot(core, a)
    if a.stored != NULL:
        pool_drop(core, a, slot)
    if a.zeromap != NULL:
        a.zeromap[slot >> 6] &= ~bit
    if a.summed != NULL:
        a.summed[slot >> 6] &= ~bit

cdef inline bint area_pin(core_t *core, area_t *a, const uint32_t *slots,
                          uint64_t n) noexcept nogil:
    # Exactly these slots are pinned from now on; others that were, and hold no page, are free.
    cdef uint64_t i
    cdef uint32_t w, slot, words = (a.slots + 63) >> 6
    cdef uint64_t *now = <uint64_t *>lazy_map(slot_map_bytes(a))
    cdef uint64_t *before = a.pinned
    cdef uint64_t gone
    if now == NULL:
        return False
    for i in range(n):
        now[slots[i] >> 6] |= <uint64_t>1 << (slots[i] & 63)
    a.pinned = now
    if before == NULL:
        return True
    for w in range(words):
        gone = before[w] & ~now[w]
        while gone != 0:
            slot = w * 64 + lowest_bit64(gone)
            gone &= gone - 1
            if core.slot_page[a.base + slot] == NIL:
                free_limbo(core, a, slot)
    lazy_unmap(before, slot_map_bytes(a))
    return True

cdef inline void area_unpin(core_t *core, area_t *a) noexcept nogil:
    if a.pinned != NULL and area_pin(core, a, NULL, 0):
        lazy_unmap(a.pinned, slot_map_bytes(a))
        a.pinned = NULL

cdef inline bint area_keep_sums(area_t *a) noexcept nogil:
    if a.sums == NULL:
        a.sums = <uint32_t *>lazy_map(<size_t>a.slots * 4)
        a.summed = <uint64_t *>lazy_map(slot_map_bytes(a))
        a.watched = True
    return a.sums != NULL and a.summed != NULL

cdef inline uint32_t area_sums(area_t *a, const uint32_t *slots, uint64_t n,
                               uint32_t *sums) noexcept nogil:
    # Sums of slots in use, those of zero pages 0; returns a slot that cannot be read, or NO_SLOT.
    cdef uint64_t i
    cdef uint32_t slot
    cdef uint8_t page[4096]
    for i in range(n):
        slot = slots[i]
        if slot_bit(a.zeromap, slot):
            sums[i] = 0
            continue
        if not slot_bit(a.summed, slot):
            if a.lost or not guard_copy(page, a.file + <size_t>slot * PAGE_SIZE, PAGE_SIZE):
                return slot
            a.sums[slot] = page_sum(page)
            a.summed[slot >> 6] |= <uint64_t>1 << (slot & 63)
        sums[i] = a.sums[slot]
    return NO_SLOT
