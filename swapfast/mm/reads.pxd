# reads: what a fault has read, handed to the devices.
#
# Slots that follow each other are one request. The program goes on when the request is done that
# its own page is in; the others are of use at their own times.
#
# - submit_reads(core) -> when the page that was asked for is read
# - wait_reads(core): the same, and time passes until then

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.area cimport area_of
from swapfast.mm.device cimport area_device, flight_add, submit
from swapfast.mm.types cimport area_t, core_t
from swapfast.mm.words cimport NIL

cdef inline uint64_t submit_reads(core_t *core) noexcept nogil:
    cdef uint32_t i = 0, n, k, entry
    cdef uint64_t done, target = core.clock.now
    cdef area_t *a
    while i < core.n_reads:
        entry = core.reads[i]
        n = 1
        while i + n < core.n_reads and core.reads[i + n] == entry + n:
            n += 1
        a = area_of(core, entry)
        done = submit(core, area_device(core, a), False, a.device_slot + entry - a.base, n)
        for k in range(n):
            if entry + k == core.target_read:
                target = done
            if core.others and core.slot_page[entry + k] != NIL:
                flight_add(core, core.slot_page[entry + k], done)
        i += n
    core.n_reads = 0
    return target

cdef inline void wait_reads(core_t *core) noexcept nogil:
    cdef uint64_t begin = core.clock.now, tags = core.in_tags, done = submit_reads(core)
    if done > core.clock.now:
        core.clock.now = done
    core.waited_tags = core.in_tags - tags
    core.waited = core.clock.now - begin - core.waited_tags
    core.clock.in_swap_in += core.clock.now - begin
