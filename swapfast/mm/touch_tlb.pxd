# touch_tlb: the loop of references on a machine whose processor has a TLB.
#
# - touch_tlb(core, g, base, refs, n, stop_on_major, batch): like touch_every, but a hit may leave
#   the page table alone

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.fault cimport fault
from swapfast.mm.tlb cimport tlb_access, tlb_drop
from swapfast.mm.touch cimport batch_t, charge_time, write_tag
from swapfast.mm.types cimport PTE_PRESENT, PTE_WRITABLE, REF_PAGE, ST_OK, ST_STALL, core_t, memcg_t

cdef inline uint64_t touch_tlb(core_t *core, memcg_t *g, uint32_t base, const uint32_t *refs,
                               uint64_t n, bint stop_on_major, batch_t *batch) noexcept nogil:
    cdef uint64_t i = 0, majors
    cdef uint32_t ref, page, need
    cdef bint tagged = batch.tag != NULL and core.ram.frames != NULL
    batch.status = ST_OK
    while i < n:
        ref = refs[i]
        page = base + (ref & REF_PAGE)
        need = PTE_PRESENT | ((ref >> 31) * PTE_WRITABLE)
        charge_time(core, 1)
        majors = core.count.pgmajfault
        if (core.page[page].pte & need) != need:
            batch.status = fault(core, page, ref >> 31)
            if batch.status != ST_OK:
                break
            tlb_drop(core, page)
        tlb_access(core, page, ref >> 31)
        if g.policy.touch != NULL:
            g.policy.touch(core, g, page)
        if tagged and ref >> 31:
            write_tag(core, page, ref & REF_PAGE, batch, i)
        i += 1
        if stop_on_major and core.count.pgmajfault != majors:
            batch.status = ST_STALL
            break
    return i
