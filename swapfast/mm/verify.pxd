# verify: the slow truth beside the fast one. Walks every structure and says what does not agree.
#
# - verify_core(core, in_use) -> NULL, or a sentence. in_use[m] is set for the mappings that exist.

from libc.stdint cimport uint32_t, uint64_t, uint8_t
from swapfast.mm.bitmap cimport bitmap_test
from swapfast.mm.choice cimport scope_t
from swapfast.mm.gens cimport gens_t, ring_t
from swapfast.mm.pool cimport pool_pages
from swapfast.mm.queue cimport device_t
from swapfast.mm.rmap cimport home_of, memcg_of
from swapfast.mm.scan cimport isolated_t
from swapfast.mm.slots cimport slot_bit
from swapfast.mm.types cimport area_t, core_t, mapping_t, memcg_t
from swapfast.mm.words cimport (
    F_ACTIVE, F_ISOLATED, F_RESIDENT, F_SWAPCACHE, G_GEN, G_LIST, G_LIST_SHIFT, G_PINNED, GENS,
    LEAST_GENS, MAP_OBJECT, NIL, NO_MEMCG, PTE_MEMBER, PTE_PRESENT, PTE_SWAP, PTE_WRITABLE,
    PTE_ZERO, SCOPE_UNSET,
)

cdef inline const char *verify_sharers(core_t *core, uint32_t home, uint32_t *seen) noexcept nogil:
    # The ring of members comes back to the home, and all of them know it.
    cdef uint32_t p = core.next[home], last = home, n = 1
    while p != NIL and p != home:
        if not core.page[p].pte & PTE_MEMBER or home_of(core, p) != home:
            return b"a member points at its home"
        if core.prev[p] != last:
            return b"the ring of sharers is linked both ways"
        last = p
        n += 1
        if n > core.pages_max:
            return b"the ring of sharers ends"
        p = core.next[p]
    seen[0] = n
    return NULL

cdef inline const char *verify_page(core_t *core, uint32_t page, bint object) noexcept nogil:
    cdef uint32_t bits = core.page[page].pte, home, n = 0, folio
    cdef const char *why
    if bits & PTE_MEMBER:
        home = home_of(core, page)
        if home == page or core.page[home].pte & PTE_MEMBER:
            return b"a home is not a member"
        if core.page[page].folio != 0:
            return b"only a home carries folio state"
        if bits & PTE_PRESENT and not core.page[home].folio & F_RESIDENT:
            return b"a mapped page is in memory"
        return NULL
    why = verify_sharers(core, page, &n)
    if why != NULL:
        return why
    folio = core.page[page].folio
    if bits & PTE_ZERO and (folio or n > 1):
        return b"the zero page has no folio"
    if bits & PTE_PRESENT and not bits & PTE_ZERO and not folio & F_RESIDENT:
        return b"a mapped page is in memory"
    if folio & F_RESIDENT and not object and bits & (PTE_PRESENT | PTE_SWAP) == 0:
        return b"a folio belongs to a page-table entry"
    if folio & F_ISOLATED and core.stopped == NULL:
        return b"no page is isolated but by a pass that has stopped"
    if bits & PTE_WRITABLE and not bits & PTE_PRESENT:
        return b"a page that may be written is mapped"
    if bits & PTE_WRITABLE and n > 1:
        return b"only the sole owner may write"
    if (folio & F_SWAPCACHE or (bits & PTE_SWAP and not folio & F_RESIDENT)) \
            and core.slot_page[core.home[page].entry] != page:
        return b"a slot knows its page"
    if bits & PTE_SWAP and folio & F_RESIDENT and not folio & F_SWAPCACHE:
        return b"a swap entry to a page in memory is in the swap cache"
    if not folio & F_RESIDENT and folio:
        return b"a page that is out has no folio state"
    return NULL

cdef inline const char *verify_list(core_t *core, ring_t *r, bint active,
                                    uint64_t *total) noexcept nogil:
    cdef uint32_t at = r.tail, _i, page, live = 0
    for _i in range(r.span):
        page = r.buf[at]
        if page != NIL:
            live += 1
            if core.home[page].where != at or not core.page[page].folio & F_RESIDENT:
                return b"a list holds pages in memory, where they say they are"
            if (core.page[page].folio & F_ACTIVE != 0) != active:
                return b"a page is on the list that its flag names"
        at = 0 if at + 1 == r.cap else at + 1
    if live != r.live:
        return b"a list counts its pages"
    total[0] += live
    return NULL

cdef inline const char *verify_stopped(core_t *core, uint32_t memcg,
                                       uint64_t *total) noexcept nogil:
    # What passes have isolated that wait for a tag.
    cdef isolated_t *b = core.stopped
    cdef uint32_t k
    while b != NULL:
        for k in range(b.n):
            if b.page[k] != NIL and b.memcg == memcg:
                total[0] += 1
                if not core.page[b.page[k]].folio & F_ISOLATED:
                    return b"a pass that has stopped has isolated its pages"
        b = b.next
    return NULL

cdef inline const char *verify_gens(core_t *core, gens_t *gens, uint64_t *total) noexcept nogil:
    # Each page is on the list that its byte names, and counted under its label.
    cdef uint64_t pages[4]
    cdef uint32_t i, _k, page, at
    cdef const char *why
    if gens == NULL:
        return NULL
    for i in range(GENS):
        pages[i] = 0
    for i in range(GENS):
        why = verify_list(core, &gens.list[i], False, total)
        if why != NULL:
            return why
        at = gens.list[i].tail
        for _k in range(gens.list[i].span):
            page = gens.list[i].buf[at]
            at = 0 if at + 1 == gens.list[i].cap else at + 1
            if page == NIL:
                continue
            if (core.mglru.page[page] & G_LIST) >> G_LIST_SHIFT != i:
                return b"a page is on the list of generations that it names"
            pages[core.mglru.page[page] & G_GEN] += 1
    for i in range(GENS):
        if pages[i] != gens.pages[i]:
            return b"a generation counts its pages"
    if not gens.min_seq + LEAST_GENS - 1 <= gens.max_seq < gens.min_seq + GENS:
        return b"there are two to four generations"
    return NULL

cdef inline const char *verify_batch(core_t *core) noexcept nogil:
    cdef uint32_t i, page
    for i in range(core.mglru.n):
        page = core.mglru.batch[i]
        if page != NIL and not (core.page[page].folio & F_RESIDENT
                                and core.mglru.page[page] & G_PINNED):
            return b"a page that waits to be activated is in memory, and pinned"
    return NULL

cdef inline const char *verify_order(core_t *core, area_t *a) noexcept nogil:
    # Every slot with a page is in the ring of ages, once.
    cdef uint32_t slot = 0, n = 0, pages = 0, before
    if a.moves.order == NULL:
        return NULL
    for slot in range(1, a.slots):
        pages += core.slot_page[a.base + slot] != NIL
    slot = 0
    while True:
        before = slot
        slot = a.moves.order[slot]
        if a.moves.order[a.slots + slot] != before:
            return b"slots in order of age are linked both ways"
        if slot == 0:
            break
        n += 1
        if n > pages or core.slot_page[a.base + slot] == NIL:
            return b"slots in order of age are those with a page"
    if n != pages:
        return b"every slot with a page has its age"
    return NULL

cdef inline const char *verify_area(core_t *core, area_t *a, uint32_t number) noexcept nogil:
    cdef uint32_t slot, used = 0, home
    cdef bint taken
    for slot in range(1, a.slots):
        home = core.slot_page[a.base + slot]
        taken = not bitmap_test(&a.free, slot)
        if home != NIL and not taken:
            return b"a slot with a page is not free"
        if home != NIL:
            used += 1
        elif slot_bit(a.pinned, slot) and taken:
            used += 1   # a checkpoint's
        if home != NIL:
            if core.home[home].entry != a.base + slot:
                return b"a page knows its slot"
    if used != a.inuse:
        return b"an area counts its slots"
    return verify_order(core, a)

cdef inline const char *verify_pool(core_t *core, area_t *a) noexcept nogil:
    # Each slot with data that are not zero has bytes in the memory of its device, and no other has.
    cdef uint32_t slot, home
    cdef uint32_t stored
    if a.stored == NULL:
        return NULL
    for slot in range(1, a.slots):
        home = core.slot_page[a.base + slot]
        stored = a.stored[slot]
        a.device.checked += stored
        a.device.checked_slots += stored > 0
        if stored > 0 and bitmap_test(&a.free, slot):
            return b"a free slot has nothing in the memory of its device"
        if (stored == 0 and home != NIL and not core.page[home].folio & F_RESIDENT
                and not slot_bit(a.zeromap, slot)):
            return b"a page that is out is in the memory of its device"
    return NULL

cdef inline const char *verify_pools(core_t *core) noexcept nogil:
    cdef uint32_t k
    cdef uint64_t pages = 0
    cdef device_t *d
    cdef const char *why
    for k in range(core.n_devices):
        core.devices[k].checked = core.devices[k].checked_slots = 0
    for k in range(core.areas_max):
        if core.areas[k].used:
            why = verify_pool(core, &core.areas[k])
            if why != NULL:
                return why
    for k in range(core.n_devices):
        d = core.devices[k]
        if d.checked != d.compressed or d.checked_slots != d.stored:
            return b"a device counts the bytes that its slots hold"
        pages += pool_pages(d)
    if pages != core.ram.pool or core.ram.others != core.ram.file_cache + core.ram.pool:
        return b"the memory of devices is the machine's"
    return NULL

cdef inline void count_swap(core_t *core) noexcept nogil:
    # How many slots each memcg itself is charged for.
    cdef uint32_t i, slot, home
    for i in range(core.memcgs_max):
        core.memcgs[i].checked = 0
    for i in range(core.areas_max):
        if not core.areas[i].used:
            continue
        for slot in range(1, core.areas[i].slots):
            home = core.slot_page[core.areas[i].base + slot]
            if home != NIL:
                memcg_of(core, home).checked += 1

cdef inline const char *verify_tree(core_t *core, memcg_t *g, uint64_t on_list) noexcept nogil:
    # What is charged to a memcg is on its lists, or charged to one below.
    cdef uint64_t usage = on_list, active = 0, swap = g.checked, n = 0
    cdef uint32_t at = g.child, before = NO_MEMCG
    cdef memcg_t *c
    while at != NO_MEMCG:
        c = &core.memcgs[at]
        if not c.used or c.parent != g.id or c.prev != before or c.depth != g.depth + 1:
            return b"a memcg and its children know each other"
        usage += c.usage
        swap += c.swap_usage
        active += c.active.live + c.active_below
        before = at
        at = c.next
        n += 1
        if n > core.memcg_numbers.top:
            return b"the list of children ends"
    if before != g.last_child:
        return b"a memcg knows its last child"
    if active != g.active_below:
        return b"active pages below a memcg are counted"
    if g.parent == NO_MEMCG:
        return NULL
    if usage != g.usage:
        return b"a memcg's usage is what its lists hold, and what is below"
    if swap != g.swap_usage:
        return b"a memcg's swap is its slots, and those below"
    if g.usage > g.peak or g.swap_usage > g.swap_peak:
        return b"a peak is no less than the usage"
    return NULL

cdef inline const char *verify_tiers(core_t *core, memcg_t *g, uint32_t tier) noexcept nogil:
    # What a memcg has in a tier is what it has itself (checked), and what those below have.
    cdef uint64_t used = g.checked
    cdef uint32_t at = g.child
    while at != NO_MEMCG:
        used += core.memcgs[at].tiers[tier].used
        at = core.memcgs[at].next
    if used != g.tiers[tier].used:
        return b"slots in a tier are counted up the tree"
    return NULL

cdef inline const char *verify_all_tiers(core_t *core) noexcept nogil:
    cdef uint32_t i, tier, slot, home
    cdef uint64_t used
    cdef area_t *a
    cdef const char *why
    for tier in range(core.n_tiers):
        used = 0
        for i in range(core.memcgs_max):
            core.memcgs[i].checked = 0
        for i in range(core.areas_max):
            a = &core.areas[i]
            if not a.used or a.tier != tier:
                continue
            for slot in range(1, a.slots):
                home = core.slot_page[a.base + slot]
                if home != NIL:
                    memcg_of(core, home).checked += 1
                    used += 1
        for i in range(core.memcgs_max):
            if core.memcgs[i].used:
                why = verify_tiers(core, &core.memcgs[i], tier)
                if why != NULL:
                    return why
        if used != core.memcgs[0].tiers[tier].used:
            return b"a tier is its areas, and what all memcgs have there"
    return NULL

cdef inline const char *verify_scopes(core_t *core) noexcept nogil:
    # A table has areas that are on, each once, in order of their ranks.
    cdef uint32_t i, k, j
    cdef scope_t *o
    for i in range(core.scopes_max):
        o = &core.scopes[i]
        if not o.used:
            continue
        for k in range(o.count + o.refused):
            if o.areas[k] >= core.areas_max or not core.areas[o.areas[k]].used:
                return b"the areas of a scope are on"
            if 0 < k and k < o.count and o.ranks[k] > o.ranks[k - 1]:
                return b"the areas of a scope are in order"
            if o.serial != 0 and o.ranks[k] != core.areas[o.areas[k]].prio:
                return b"a namespace uses its areas by their priority"
            for j in range(k):
                if o.areas[j] == o.areas[k]:
                    return b"an area is in a scope once"
    for i in range(core.memcgs_max):
        k = core.memcgs[i].scope
        if not core.memcgs[i].used or k == SCOPE_UNSET:
            continue
        if k >= core.scopes_max or not core.scopes[k].used:
            return b"a memcg's scope is there"
    for i in range(core.cpus * core.pick_row):
        k = core.picks[i].area
        if k != 0 and (k > core.areas_max or not core.areas[k - 1].used
                       or core.picks[i].position >= core.areas[k - 1].slots):
            return b"a processor's cluster is in an area"
    return NULL

cdef inline const char *verify_core(core_t *core, const uint8_t *in_use) noexcept nogil:
    cdef uint32_t i, page
    cdef uint64_t resident = 0, charged = 0, on_list, free_slots = 0, joined = 0
    cdef mapping_t *m
    cdef const char *why
    for i in range(core.mappings_max):
        if not in_use[i]:
            continue
        m = &core.mappings[i]
        for page in range(m.base, m.base + m.pages):
            why = verify_page(core, page, m.kind == MAP_OBJECT)
            if why != NULL:
                return why
            if core.page[page].folio & F_RESIDENT:
                resident += 1
            if core.page[page].pte & PTE_MEMBER:
                joined += 1
    why = verify_batch(core)
    if why != NULL:
        return why
    count_swap(core)
    if joined != core.shared_ptes:
        return b"sharers are counted"
    for i in range(core.memcgs_max):
        if not core.memcgs[i].used:
            continue
        on_list = 0
        why = verify_list(core, &core.memcgs[i].inactive, False, &on_list)
        if why == NULL:
            why = verify_list(core, &core.memcgs[i].active, True, &on_list)
        if why == NULL:
            why = verify_gens(core, core.memcgs[i].gens, &on_list)
        if why != NULL:
            return why
        why = verify_stopped(core, i, &on_list)
        if why != NULL:
            return why
        why = verify_tree(core, &core.memcgs[i], on_list)
        if why != NULL:
            return why
        charged += on_list
    if charged != core.ram.used or resident != core.ram.used:
        return b"pages in memory are charged once"
    for i in range(core.areas_max):
        if not core.areas[i].used:
            continue
        why = verify_area(core, &core.areas[i], i)
        if why != NULL:
            return why
        if core.areas[i].writeok:
            free_slots += core.areas[i].pages - core.areas[i].inuse
    if free_slots != core.swap.free:
        return b"nr_swap_pages is the sum of the free slots"
    for i in range(core.n_devices):
        if core.devices[i].unsent != 0:
            return b"whoever stops has sent what has a tag"
    why = verify_scopes(core)
    if why == NULL:
        why = verify_all_tiers(core)
    return why if why != NULL else verify_pools(core)
