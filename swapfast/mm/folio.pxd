# folio: a charged page becomes the data of a page-table entry.
#
# - new_folio(core, g, page, how): of zeroes
# - swap_in(core, g, home, how): with the bytes of its slot; False: they cannot be read

from libc.stdint cimport uint32_t, uint64_t, uint8_t
from swapfast.mm.charge cimport untake_page
from swapfast.mm.evict cimport read_in
from swapfast.mm.frames cimport frame_at, frame_give, frame_take
from swapfast.mm.types cimport SELDOM, UNLIKELY, core_t, memcg_t
from swapfast.mm.words cimport F_RESIDENT, F_SWAPCACHE, MOST_READS, PAGE_SIZE
from libc.string cimport memset

cdef inline void new_folio(core_t *core, memcg_t *g, uint32_t page, int how) noexcept nogil:
    # A charged page of zeroes becomes the folio of this page.
    cdef uint8_t *frame
    frame_take(core, page)
    frame = frame_at(core, page)
    if frame != NULL:
        memset(frame, 0, PAGE_SIZE)
    core.page[page].folio = F_RESIDENT
    g.policy.enter(core, g, page, how)

cdef inline bint swap_in(core_t *core, memcg_t *g, uint32_t home, int how) noexcept nogil:
    # A charged page gets the bytes of the slot; it is in the swap cache, mapped by nobody. False:
    # they cannot be read, and the charge is given back.
    cdef uint64_t before = core.count.pswpin
    frame_take(core, home)
    if UNLIKELY(not read_in(core, home)):
        frame_give(core, home)
        untake_page(core, g)
        return False
    if core.count.pswpin != before:
        g.stat.pswpin += 1
        if SELDOM(core.timed) and core.n_reads < MOST_READS:
            core.reads[core.n_reads] = core.home[home].entry
            core.n_reads += 1
    core.page[home].folio = F_RESIDENT | F_SWAPCACHE
    g.policy.enter(core, g, home, how)
    return True
