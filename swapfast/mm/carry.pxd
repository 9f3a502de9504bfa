# carry: what goes along when a page that is out gets another slot: its bytes, or that it is zero,
# and its checksum.
#
# - is_zero(a, slot): it stands for a page of zeroes
# - no_bytes(core, a, slot, zero): what lies in the slot is worth nothing
# - copy_slot(core, a, slot, b, to, home) -> False: the bytes are not to be had, or not to be kept

from libc.stdint cimport uint32_t, uint64_t, uint8_t
from swapfast.core.guard cimport guard_copy
from swapfast.mm.area cimport area_give_up
from swapfast.mm.evict cimport note_bad
from swapfast.mm.pool cimport pool_drop, pool_store
from swapfast.mm.slots cimport slot_bit
from swapfast.mm.types cimport area_t, core_t, page_sum
from swapfast.mm.wipe cimport wipe_held, wipe_note
from swapfast.mm.words cimport BAD_AREA, BAD_FILE, BAD_SUM, PAGE_SIZE

cdef inline bint copy_bytes(core_t *core, area_t *a, uint32_t slot, area_t *b,
                            uint32_t to) noexcept nogil:
    cdef uint8_t page[4096]
    cdef uint64_t bit = <uint64_t>1 << (to & 63)
    if a.file == NULL or b.file == NULL:
        return True
    if a.lost or not guard_copy(page, a.file + <size_t>slot * PAGE_SIZE, PAGE_SIZE):
        note_bad(core, a.base + slot, BAD_AREA if a.lost else BAD_FILE)
        return False
    if slot_bit(a.summed, slot) and page_sum(page) != a.sums[slot]:
        note_bad(core, a.base + slot, BAD_SUM)
        return False
    wipe_held(b, to)
    if b.failed or not guard_copy(b.file + <size_t>to * PAGE_SIZE, page, PAGE_SIZE):
        note_bad(core, b.base + to, BAD_AREA if b.failed else BAD_FILE)
        area_give_up(core, b)
        return False
    if b.summed != NULL:
        b.sums[to] = a.sums[slot] if slot_bit(a.summed, slot) else page_sum(page)
        b.summed[to >> 6] |= bit
    return True

cdef inline bint is_zero(area_t *a, uint32_t slot) noexcept nogil:
    return slot_bit(a.zeromap, slot)

cdef inline void no_bytes(core_t *core, area_t *a, uint32_t slot, bint zero) noexcept nogil:
    # What lies in the slot is worth nothing; zero: it stands for a page of zeroes.
    cdef uint64_t bit = <uint64_t>1 << (slot & 63)
    if a.zeromap != NULL:
        a.zeromap[slot >> 6] = (a.zeromap[slot >> 6] & ~bit) | (bit if zero else 0)
    if a.summed != NULL:
        a.summed[slot >> 6] &= ~bit
    if a.stored != NULL:
        pool_drop(core, a, slot)
    if zero:
        wipe_note(core, a, slot)

cdef inline bint copy_slot(core_t *core, area_t *a, uint32_t slot, area_t *b, uint32_t to,
                           uint32_t home) noexcept nogil:
    # False: the bytes are not to be had, or the other area takes none.
    if is_zero(a, slot):
        no_bytes(core, b, to, True)
        return True
    if b.stored != NULL and not pool_store(core, b, to, home):
        return False
    if not copy_bytes(core, a, slot, b, to):
        return False
    if b.zeromap != NULL:
        b.zeromap[to >> 6] &= ~(<uint64_t>1 << (to & 63))
    return True
