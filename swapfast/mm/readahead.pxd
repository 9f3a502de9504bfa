# readahead: what a fault reads beside the page that it needs (mm/swap_state.c).
#
# - read_ahead(core, target): near in the area (swap_cluster_readahead; 2.6.25 valid_swaphandles)
# - read_ahead_vma(core, page, target): near in the address space (swap_vma_readahead)
# - read_ahead_hit(core, page, home): a fault found its data in the swap cache

from libc.stdint cimport int64_t, uint32_t, uint64_t
from swapfast.mm.area cimport area_of
from swapfast.mm.charge cimport take_page, untake_page
from swapfast.mm.folio cimport swap_in
from swapfast.mm.rmap cimport home_of, mapping_of, memcg_of
from swapfast.mm.types cimport area_t, core_t, mapping_t, memcg_t
from swapfast.mm.words cimport (
    ENTER_AHEAD, ENTER_SWAPIN, F_READAHEAD, F_RESIDENT, NIL, PMD_PAGES, PTE_SWAP, RA_MOST_HITS,
    ST_OK,
)
from swapfast.mm.plug cimport plug_hold, plug_read, plug_release

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
    cdef memcg_t *g
    window = window_618(1 << core.rules.page_cluster, at, before, m.ra_hits, m.ra_window)
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
        g = memcg_of(core, home)
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
    if core.rules.vma_readahead and page != NIL:
        m = mapping_of(core, page)
        m.ra_at = m.first + (page - m.base)
        if hit and m.ra_hits < RA_MOST_HITS:
            m.ra_hits += 1
    else:
        core.readahead.hits += hit

cdef inline void read_ahead(core_t *core, uint32_t target) noexcept nogil:
    # swap_cluster_readahead (6.18), valid_swaphandles (2.6.25). Without memory it ends early.
    cdef uint32_t entry = core.home[target].entry, first, last, e, page, window
    cdef area_t *a = area_of(core, entry)
    cdef uint32_t slot = entry - a.base, block
    cdef memcg_t *g
    if core.rules.window_by_hits:
        window = window_618(1 << core.rules.page_cluster, slot, core.readahead.prev,
                            core.readahead.hits, core.readahead.window)
        core.readahead.window = window
        if core.readahead.hits == 0:
            core.readahead.prev = slot
        core.readahead.hits = 0
        if window == 1:
            return
        first = slot & ~(window - 1)
        last = slot | (window - 1)
        if first == 0:
            first = 1
        if last >= a.slots:
            last = a.slots - 1
    else:
        block = (slot >> core.rules.page_cluster) << core.rules.page_cluster
        first = last = slot
        while last + 1 < block + (1 << core.rules.page_cluster) and last + 1 < a.slots \
                and core.slot_page[a.base + last + 1] != NIL:
            last += 1
        while first > block and first > 1 and core.slot_page[a.base + first - 1] != NIL:
            first -= 1
    plug_hold(core)
    for e in range(a.base + first, a.base + last + 1):
        page = core.slot_page[e]
        if page == NIL or core.page[page].folio & F_RESIDENT:
            continue
        g = memcg_of(core, page)
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
