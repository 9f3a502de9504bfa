# touch: the loop that everything else exists for. One reference after the other, hits decided by
# one byte; everything that is not a hit is a fault.
#
# - touch_hits(core, base, refs, n, stop_on_major, batch): references without contents
# - touch_every(core, g, base, refs, n, stop_on_major, tlb, batch): the policy sees each touch; with
#   contents each write can leave a readable tag in its page; the processor may have a TLB
# Each returns how many references are done; batch.status says why it stopped.
#
# A tag is TAG_BYTES of text at the page's start: text (16 characters), page and number of the
# reference in hexadecimal, a newline: "login1/sort     page 0000002a ref 00000000000186a0\n".

from libc.stdint cimport uint32_t, uint64_t, uint8_t
from swapfast.mm.fault cimport fault
from swapfast.mm.frames cimport frame_at
from swapfast.mm.rmap cimport home_of
from swapfast.mm.tlb cimport tlb_access, tlb_drop
from swapfast.mm.types cimport UNLIKELY, core_t, home_t, memcg_t, page_t, prefetch_write
from swapfast.mm.words cimport (
    PTE_ACCESSED, PTE_DIRTY, PTE_PRESENT, PTE_WRITABLE, REF_PAGE, ST_OK, ST_STALL,
)
from libc.string cimport memcpy

cdef extern from "hits.h" nogil:
    uint64_t hit_run(page_t *page, const uint32_t *refs, uint64_t i, uint64_t n)

cdef extern from "ahead.h" nogil:
    void fetch_ahead(const page_t *pages, const home_t *homes, const uint32_t *refs, uint64_t k,
                     uint64_t end, uint64_t more)

cdef enum:
    TAG_BYTES = 52
    TAG_TEXT = 16
    AHEAD_FROM = 2           # references after a fault whose pages are fetched
    AHEAD_TO = 18
    AHEAD_MORE = 16          # beyond them, those whose page-table bytes are

cdef struct batch_t:
    int status
    uint64_t done            # references finished
    uint64_t base_number     # number of refs[0] in its trace, for tags
    const char *tag          # TAG_TEXT characters, or NULL: writes leave none

cdef inline void charge_time(core_t *core, uint64_t references) noexcept nogil:
    core.clock.now += references * core.times.reference
    core.clock.in_references += references * core.times.reference

cdef inline void look_ahead(core_t *core, uint32_t base, const uint32_t *refs, uint64_t *next,
                            uint64_t i, uint64_t n) noexcept nogil:
    # A fault takes long enough to fetch what the next references will need: their page-table bytes
    # first, then, where those say so, what a fault looks at. next: up to where that is done. The
    # last references of a batch are left out, so that nothing beyond it is read.
    cdef uint64_t end = i + AHEAD_TO
    prefetch_write(&core.home[base + (refs[i] & REF_PAGE)])
    if next[0] < i + AHEAD_FROM:
        next[0] = i + AHEAD_FROM
    if end + AHEAD_MORE <= n and next[0] < end:
        fetch_ahead(&core.page[base], &core.home[base], refs, next[0], end, AHEAD_MORE)
        next[0] = end

cdef inline uint64_t touch_hits(core_t *core, uint32_t base, const uint32_t *refs, uint64_t n,
                                bint stop_on_major, batch_t *batch) noexcept nogil:
    cdef uint64_t i = 0, timed = 0, ahead = 0, majors
    cdef uint32_t ref
    cdef int status
    batch.status = ST_OK
    while True:
        i = hit_run(&core.page[base], refs, i, n)
        if i == n:
            break
        charge_time(core, i + 1 - timed)
        timed = i + 1
        look_ahead(core, base, refs, &ahead, i, n)
        majors = core.count.pgmajfault
        ref = refs[i]
        status = fault(core, base + (ref & REF_PAGE), ref >> 31)
        if UNLIKELY(status != ST_OK):
            batch.status = status
            return i
        i += 1
        if stop_on_major and core.count.pgmajfault != majors:
            batch.status = ST_STALL
            break
    if i > timed:
        charge_time(core, i - timed)
    return i

cdef inline void eight_digits(char *to, uint64_t value) noexcept nogil:
    # Hexadecimal, all at once: a byte for each, then 48, and 39 more from 10 on.
    cdef uint32_t k
    value = (value | value << 16) & <uint64_t>0x0000FFFF0000FFFF
    value = (value | value << 8) & <uint64_t>0x00FF00FF00FF00FF
    value = (value | value << 4) & <uint64_t>0x0F0F0F0F0F0F0F0F
    value += (<uint64_t>0x3030303030303030
              + ((value + <uint64_t>0x0606060606060606) >> 4 & <uint64_t>0x0101010101010101) * 39)
    for k in range(8):
        to[k] = <char>(value >> (56 - 8 * k))

cdef inline void write_tag(core_t *core, uint32_t page, uint32_t number, batch_t *batch,
                           uint64_t i) noexcept nogil:
    cdef char *to = <char *>frame_at(core, home_of(core, page))
    memcpy(to, batch.tag, TAG_TEXT)
    memcpy(to + 16, b"page ", 5)
    eight_digits(to + 21, number)
    memcpy(to + 29, b" ref ", 5)
    eight_digits(to + 34, (batch.base_number + i) >> 32)
    eight_digits(to + 42, (batch.base_number + i) & <uint32_t>0xFFFFFFFF)
    to[50] = 10
    to[51] = 0

cdef inline uint64_t touch_every(core_t *core, memcg_t *g, uint32_t base, const uint32_t *refs,
                                 uint64_t n, bint stop_on_major, bint tlb,
                                 batch_t *batch) noexcept nogil:
    # The same loop with what costs: the policy sees each touch, each write is tagged, and with a
    # TLB a hit may leave the page table alone. `tlb` is a constant where it is called: gcc makes
    # two loops of it.
    cdef uint64_t i = 0, majors
    cdef uint32_t ref, page, need, bits
    cdef bint tagged = batch.tag != NULL and core.ram.frames != NULL
    batch.status = ST_OK
    while i < n:
        ref = refs[i]
        page = base + (ref & REF_PAGE)
        need = PTE_PRESENT | ((ref >> 31) * PTE_WRITABLE)
        bits = core.page[page].pte
        charge_time(core, 1)
        majors = core.count.pgmajfault
        if UNLIKELY((bits & need) != need):
            batch.status = fault(core, page, ref >> 31)
            if batch.status != ST_OK:
                break
            if tlb:
                tlb_drop(core, page)
        elif not tlb:
            core.page[page].pte = <uint8_t>(bits | PTE_ACCESSED | ((ref >> 31) * PTE_DIRTY))
        if tlb:
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
