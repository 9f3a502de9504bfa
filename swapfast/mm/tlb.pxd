# tlb: translations that the processor remembers. A reference that it translates from there does not
# look at the page table, so a page whose accessed bit a scan cleared stays "idle" however often it
# is used: the scan flushes no TLB (ptep_clear_flush_young on x86). core.tlb.entry NULL: it is off.
#
# - tlb_access(core, page, write): one reference to a mapped page; sets PTE_ACCESSED, PTE_DIRTY
# - tlb_drop(core, page), tlb_drop_folio(core, home): translations that are no longer true
# - tlb_flush(core): all of them
# - tlb_init(t), tlb_free(t)
#
# 4096 translations, 16 ways, least recently used of the set goes; all go every core.tlb.period ns.

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.scan cimport tlb_t
from swapfast.mm.types cimport core_t, lazy_map, lazy_unmap
from swapfast.mm.words cimport NIL, PTE_ACCESSED, PTE_DIRTY
from libc.string cimport memset


cdef enum:
    TLB_SETS = 256
    TLB_WAYS = 16

cdef inline bint tlb_init(tlb_t *t) noexcept nogil:
    t.entry = <uint64_t *>lazy_map(TLB_SETS * TLB_WAYS * sizeof(uint64_t))
    return t.entry != NULL

cdef inline void tlb_free(tlb_t *t) noexcept nogil:
    lazy_unmap(t.entry, TLB_SETS * TLB_WAYS * sizeof(uint64_t))

cdef inline void tlb_flush(core_t *core) noexcept nogil:
    if core.tlb.entry != NULL:
        memset(core.tlb.entry, 0, TLB_SETS * TLB_WAYS * sizeof(uint64_t))

cdef inline uint32_t tlb_find(uint64_t *ways, uint32_t page) noexcept nogil:
    # Most recently used first; TLB_WAYS if it is not there. Page NIL is an empty way.
    cdef uint32_t k
    for k in range(TLB_WAYS):
        if ways[k] >> 1 == page:
            return k
    return TLB_WAYS

cdef inline void tlb_access(core_t *core, uint32_t page, bint write) noexcept nogil:
    cdef uint64_t *ways = core.tlb.entry + (page & (TLB_SETS - 1)) * TLB_WAYS
    cdef uint64_t entry
    cdef uint32_t k
    if core.clock.now >= core.tlb.due:
        tlb_flush(core)
        core.tlb.due += ((core.clock.now - core.tlb.due) // core.tlb.period + 1) * core.tlb.period
    k = tlb_find(ways, page)
    if k == TLB_WAYS:
        k = TLB_WAYS - 1
        entry = (<uint64_t>page << 1) | write
        core.page[page].pte |= PTE_ACCESSED | (PTE_DIRTY if write else 0)
    else:
        entry = ways[k]
        if write and not entry & 1:
            entry |= 1
            core.page[page].pte |= PTE_ACCESSED | PTE_DIRTY
    while k > 0:
        ways[k] = ways[k - 1]
        k -= 1
    ways[0] = entry

cdef inline void tlb_drop(core_t *core, uint32_t page) noexcept nogil:
    cdef uint64_t *ways = core.tlb.entry + (page & (TLB_SETS - 1)) * TLB_WAYS
    cdef uint32_t k = tlb_find(ways, page)
    if k == TLB_WAYS:
        return
    while k + 1 < TLB_WAYS:
        ways[k] = ways[k + 1]
        k += 1
    ways[k] = 0

cdef inline void tlb_drop_folio(core_t *core, uint32_t home) noexcept nogil:
    cdef uint32_t p = core.next[home]
    tlb_drop(core, home)
    while p != NIL and p != home:
        tlb_drop(core, p)
        p = core.next[p]
