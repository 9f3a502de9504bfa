# mglru_age: who is young? Accessed bits are read from page tables, far from any list (Linux 6.18,
# mm/vmscan.c).
#
#   aging         a new youngest generation. First all page tables of the memcg's programs are
#                 walked: what was accessed loses the bit and is seen
#   look-around   a page at the tail turns out to be accessed: so may be its neighbours, and the 64
#                 entries around it are read as well
#
#        first time seen: PG_referenced           second time: PG_workingset, and promoted
#
# Most page tables are not worth a walk. One that has an accessed entry in eight is put into a
# filter, and the next aging walks only those (the kernel's Bloom filters; here without false
# positives). A filter lives for one aging; look-around adds to it.
#
# The kernel walks only programs that ran since the last aging (lru_gen_use_mm in the scheduler).
# Here that is a rule: "always" takes it for granted, as on a busy machine; "fault" wants a swap-in
# to have been waited for; "ticks" also takes the timer's 4 ms.
#
# - see_young(core, g, page, own) -> SEEN_*: one page-table entry
# - see_range(core, g, begin, end, own, walking) -> young entries of a part of a page table
# - look_around(core, g, page): the neighbours of an accessed entry
# - age(core, g): walks, then makes a generation
# - forget_tables(core, m): of a new mapping no filter knows anything
# - forget_young(core): as if no aging had been: a checkpoint pushes all pages out

from libc.stdint cimport uint16_t, uint32_t, uint64_t, uint8_t
from swapfast.mm.gens cimport gens_t
from swapfast.mm.mglru_lists cimport activate_later, lru_drain, relabel
from swapfast.mm.outside cimport take_away
from swapfast.mm.rmap cimport home_of, mapping_of, memcg_of
from swapfast.mm.types cimport LIKELY, core_t, mapping_t, memcg_t, page_t
from swapfast.mm.words cimport (
    BLOCK_SHIFT, F_ISOLATED, F_REFERENCED, F_WORKINGSET, G_GEN, GENS, LRU_GEN_WALKS, MAP_FREE,
    MAP_OBJECT, MM_KNOWN, MM_SEEN, PMD_PAGES, PTE_ACCESSED, PTE_MEMBER, PTE_PRESENT, PTE_ZERO,
    SEEN_ALWAYS, SEEN_TICKS,
)
from libc.string cimport memset

cdef extern from "young.h" nogil:
    uint32_t see_run(page_t *page, const uint8_t *labels, uint32_t youngest, uint32_t n,
                     uint16_t *twice)

cdef enum:
    NOT_YOUNG = 0
    YOUNG = 1
    PROMOTE = 2          # young for the second time, and not in the youngest generation
    LOOK_WINDOW = 64     # entries, MIN_LRU_BATCH
    YOUNG_SHARE = 8      # one entry in so many is young (suitable_to_scan)
    TICK = 4000000       # ns, at HZ 250
    WALK_SHARE = 30      # an entry of a walk costs so much less than a page of a scan: 20 ns

cdef inline int see_young(core_t *core, memcg_t *g, uint32_t page, bint own) noexcept nogil:
    # folio_update_gen, and what comes before it in walk_pte_range and lru_gen_look_around. own:
    # pages of this mapping that nobody shares are the memcg's.
    cdef uint32_t bits = core.page[page].pte, home = page, folio
    if bits & (PTE_PRESENT | PTE_ACCESSED | PTE_ZERO) != (PTE_PRESENT | PTE_ACCESSED):
        return NOT_YOUNG
    if bits & PTE_MEMBER or not own:
        home = home_of(core, page)
        if memcg_of(core, home) != g:
            return NOT_YOUNG
    folio = core.page[home].folio
    if folio & F_ISOLATED:
        return NOT_YOUNG
    take_away(core, home)
    core.page[page].pte = <uint8_t>(bits & ~PTE_ACCESSED)
    if not folio & (F_REFERENCED | F_WORKINGSET):
        core.page[home].folio = <uint8_t>(folio | F_REFERENCED)
        return YOUNG
    core.page[home].folio = <uint8_t>((folio & ~F_REFERENCED) | F_WORKINGSET)
    return YOUNG if core.mglru.page[home] & G_GEN == g.gens.max_seq % GENS else PROMOTE

cdef inline void promote(core_t *core, memcg_t *g, uint32_t home, bint walking) noexcept nogil:
    # A walk changes the label alone (folio_update_gen), look-around moves the page.
    if walking:
        relabel(core, g.gens, home, g.gens.max_seq)
    else:
        activate_later(core, g, home)

cdef inline uint32_t see_range(core_t *core, memcg_t *g, uint32_t begin, uint32_t end, bint own,
                               bint walking) noexcept nogil:
    # Entries of one page table -> how many were young. Where no page has sharers all are looked at
    # together, and then those that were seen for the second time.
    cdef uint16_t twice[513]
    cdef uint32_t young = 0, youngest = <uint32_t>(g.gens.max_seq % GENS), i
    cdef int seen
    if LIKELY(own and core.shared_ptes == 0 and core.hooks.take_away == NULL):
        young = see_run(&core.page[begin], &core.mglru.page[begin], youngest, end - begin, twice)
        for i in range(twice[PMD_PAGES]):
            if LIKELY(core.mglru.page[begin + twice[i]] & G_GEN != youngest):
                promote(core, g, begin + twice[i], walking)
        return young
    for i in range(begin, end):
        seen = see_young(core, g, i, own)
        young += seen != NOT_YOUNG
        if seen == PROMOTE:
            promote(core, g, home_of(core, i), walking)
    return young

# ---------------------------------------------------------------- page tables

cdef inline uint32_t tables_of(mapping_t *m) noexcept nogil:
    # Page tables that a mapping has entries in.
    return <uint32_t>((m.first % PMD_PAGES + m.pages + PMD_PAGES - 1) // PMD_PAGES)

cdef inline uint8_t *filter_of(core_t *core, mapping_t *m, uint32_t table) noexcept nogil:
    # There are as many bytes as blocks of 64 pages. A mapping of one block has one even if it lies
    # across two page tables.
    cdef uint32_t last = (m.pages - 1) >> BLOCK_SHIFT
    return &core.mglru.table[(m.base >> BLOCK_SHIFT) + (table if table < last else last)]

cdef inline void table_range(mapping_t *m, uint32_t table, uint32_t *begin,
                             uint32_t *end) noexcept nogil:
    # Entries of the mapping in its page table of that number, as pages.
    cdef uint32_t off = <uint32_t>(m.first % PMD_PAGES)
    begin[0] = m.base + (table * PMD_PAGES - off if table > 0 else 0)
    end[0] = min(m.base + (table + 1) * PMD_PAGES - off, m.base + m.pages)

cdef inline void forget_tables(core_t *core, mapping_t *m) noexcept nogil:
    cdef uint32_t k
    for k in range(((m.pages - 1) >> BLOCK_SHIFT) + 1):
        core.mglru.table[(m.base >> BLOCK_SHIFT) + k] = 0

cdef inline void look_around(core_t *core, memcg_t *g, uint32_t page) noexcept nogil:
    # lru_gen_look_around. The entry itself is one of the young.
    cdef mapping_t *m = mapping_of(core, page)
    cdef uint32_t table = <uint32_t>((m.first % PMD_PAGES + (page - m.base)) // PMD_PAGES)
    cdef uint32_t begin, end, young = 1
    cdef bint own = &core.memcgs[m.memcg] == g
    table_range(m, table, &begin, &end)
    if end - begin == 1:
        return
    if end - begin > LOOK_WINDOW:
        if page - begin < LOOK_WINDOW // 2:
            end = begin + LOOK_WINDOW
        elif end - page < LOOK_WINDOW // 2:
            begin = end - LOOK_WINDOW
        else:
            begin = page - LOOK_WINDOW // 2
            end = page + LOOK_WINDOW // 2
    young += see_range(core, g, begin, end, own, False)
    if young * YOUNG_SHARE >= end - begin and g.gens.filter[g.gens.max_seq & 1]:
        filter_of(core, m, table)[0] |= 1 << (g.gens.max_seq & 1)

cdef inline void walk_mapping(core_t *core, memcg_t *g, mapping_t *m, bint whole) noexcept nogil:
    # walk_pmd_range, walk_pte_range. whole: every table, whatever the filter says (force_scan).
    cdef uint32_t now = 1 << (g.gens.max_seq & 1), next = 3 - now, table, begin, end
    cdef bint filtered = not whole and g.gens.filter[g.gens.max_seq & 1]
    cdef uint8_t *known
    for table in range(tables_of(m)):
        known = filter_of(core, m, table)
        if filtered and not known[0] & now:
            continue
        table_range(m, table, &begin, &end)
        if see_range(core, g, begin, end, True, True) * YOUNG_SHARE >= end - begin:
            known[0] |= next
        core.clock.now += (end - begin) * core.times.scan_page // WALK_SHARE

cdef inline void forget_young(core_t *core) noexcept nogil:
    # An image keeps neither filters nor who was walked, so the machine goes on without them, too.
    cdef uint32_t i
    if core.mglru.groups == 0:
        return
    lru_drain(core)
    for i in range(core.memcg_numbers.top):
        if core.memcgs[i].used and core.memcgs[i].gens != NULL:
            core.memcgs[i].gens.filter[0] = core.memcgs[i].gens.filter[1] = False
    memset(core.mglru.mm, 0, core.token.mms)

# ---------------------------------------------------------------- aging

cdef inline mapping_t *mapping_at(core_t *core, memcg_t *g, uint32_t number) noexcept nogil:
    # If it is a program's, and the memcg's; else NULL.
    cdef mapping_t *m = &core.mappings[number]
    if m.kind == MAP_FREE or m.kind == MAP_OBJECT or &core.memcgs[m.memcg] != g:
        return NULL
    return m

cdef inline bint is_walked(core_t *core, mapping_t *m, bint ticked) noexcept nogil:
    # get_next_mm. A program that joined since the last aging is walked in any case.
    cdef uint32_t bits = core.mglru.mm[m.mm]
    return (core.mglru.rule == SEEN_ALWAYS or ticked or bits & MM_SEEN != 0
            or not bits & MM_KNOWN)

cdef inline void walk_programs(core_t *core, memcg_t *g, bint ticked) noexcept nogil:
    # iterate_mm_list. The filter that is filled now is emptied, unless nobody is walked.
    cdef uint32_t i, k, next = 1 << (g.gens.max_seq + 1 & 1)
    cdef bint any = False
    cdef mapping_t *m
    for i in range(core.mapping_numbers.top):
        m = mapping_at(core, g, i)
        any = any or (m != NULL and is_walked(core, m, ticked))
    if not any:
        return
    g.gens.filter[(g.gens.max_seq + 1) & 1] = True
    for i in range(core.mapping_numbers.top):
        m = mapping_at(core, g, i)
        if m == NULL:
            continue
        for k in range(tables_of(m)):
            filter_of(core, m, k)[0] &= ~next
        if is_walked(core, m, ticked):
            walk_mapping(core, g, m, not core.mglru.mm[m.mm] & MM_KNOWN)
    for i in range(core.mapping_numbers.top):
        m = mapping_at(core, g, i)
        if m != NULL and is_walked(core, m, ticked):
            core.mglru.mm[m.mm] = MM_KNOWN

cdef inline void age(core_t *core, memcg_t *g) noexcept nogil:
    # try_to_inc_max_seq
    cdef gens_t *gens = g.gens
    cdef bint ticked = (core.mglru.rule == SEEN_TICKS
                        and core.clock.now // TICK != gens.aged // TICK)
    gens.aged = core.clock.now
    if core.mglru.mask & LRU_GEN_WALKS:
        walk_programs(core, g, ticked)
    gens.max_seq += 1
    gens.born[gens.max_seq % GENS] = core.clock.now
