# wipe: a slot that nobody uses holds no bytes, where an area is set so.
#
# What lies in a file is noted when it is written, and overwritten with zeroes by the end of the
# call that freed its slot, neighbours together. A slot that is written again before that is not
# wiped; one that a checkpoint names is not either, it is not free. Zeroes are written and not
# asked for with fallocate(2): the file keeps its blocks, so it is a swapfile as before, and the
# old bytes are overwritten where they are, as far as the file system writes in place.
#
# - wipe_held(a, slot): bytes go to this slot
# - wipe_note(core, a, slot): they are worth nothing any more
# - wipe_area(a, all) -> 0, or an errno: zeroes to what was noted, or to every slot not pinned
#   and not in use; what could not be wiped stays noted
# - wipe_noted(core) -> True: all areas; False: one could not be wiped, its wipe_error says why

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.slots cimport slot_bit
from swapfast.mm.types cimport UNLIKELY, area_t, core_t, lowest_bit64, slots_zero

cdef inline void wipe_held(area_t *a, uint32_t slot) noexcept nogil:
    if UNLIKELY(a.held != NULL):
        a.held[slot >> 6] |= <uint64_t>1 << (slot & 63)

cdef inline void wipe_range(area_t *a, uint32_t first, uint32_t end) noexcept nogil:
    if first < a.wipe_first or a.wipe_end == 0:
        a.wipe_first = first
    if end > a.wipe_end:
        a.wipe_end = end

cdef inline void wipe_note(core_t *core, area_t *a, uint32_t slot) noexcept nogil:
    if UNLIKELY(a.held != NULL) and slot_bit(a.held, slot):
        wipe_range(a, slot, slot + 1)
        core.error.wipe_due = True

cdef inline uint64_t wipe_word(area_t *a, uint32_t w, bint all) noexcept nogil:
    # Slots of one word whose bytes are nobody's: free, or all zero and not in the file.
    cdef uint64_t word = a.free.level[0][w]
    if a.zeromap != NULL:
        word |= a.zeromap[w]
    if a.pinned != NULL:
        word &= ~a.pinned[w]
    return word if all else word & a.held[w]

cdef inline int wipe_run(area_t *a, uint32_t first, uint32_t end) noexcept nogil:
    cdef uint32_t slot
    cdef int failed = slots_zero(a.fd, first, end - first)
    if failed == 0 and a.held != NULL:
        for slot in range(first, end):
            a.held[slot >> 6] &= ~(<uint64_t>1 << (slot & 63))
    return failed

cdef inline int wipe_area(area_t *a, bint all) noexcept nogil:
    cdef uint32_t w, slot, first = 0, end = 0
    cdef uint32_t w_first = 0 if all else a.wipe_first >> 6
    cdef uint32_t w_end = (a.slots + 63) >> 6 if all else (a.wipe_end + 63) >> 6
    cdef uint64_t word
    cdef int failed
    for w in range(w_first, w_end):
        word = wipe_word(a, w, all)
        while word != 0:
            slot = w * 64 + lowest_bit64(word)
            word &= word - 1
            if slot != end:
                if end > first:
                    failed = wipe_run(a, first, end)
                    if failed:
                        return failed
                first = slot
            end = slot + 1
    if end > first:
        failed = wipe_run(a, first, end)
        if failed:
            return failed
    a.wipe_first = a.wipe_end = 0
    return 0

cdef inline bint wipe_noted(core_t *core) noexcept nogil:
    cdef uint32_t i
    cdef area_t *a
    cdef bint whole = True
    core.error.wipe_due = False
    for i in range(core.areas_max):
        a = &core.areas[i]
        if a.used and a.held != NULL and a.wipe_end != 0:
            a.wipe_error = wipe_area(a, False)
            whole &= a.wipe_error == 0
    core.error.wipe_failed |= not whole
    return whole
