# pool: the memory that a device of compressed pages has (drivers/block/zram, mm/zsmalloc.c).
#
#   bytes of a page   4096                     an even share of all, `whole`
#                     least .. least + span    the others, uniform
#   memory            the sum of them, in whole pages of 4096 bytes, device by device
#
# How small a page gets is drawn from its number: a page that does not compress never does, and one
# program more changes nothing for the pages of others. Pages of zeroes are in the zero map and not
# here. The memory is the machine's and charged to no memcg; reclaim allocates it below every
# watermark (PF_MEMALLOC), down to the last page.
#
# - pool_bytes(d, page) -> what a page takes, 1 to 4096
# - pool_pages(d): of memory
# - pool_put(core, a, slot, page): whatever there is
# - pool_store(core, a, slot, page) -> False: it would be above the limit, or there is no memory.
#   What a checkpoint pushes is in its file already, and is never refused. NIL: a page of zeroes
# - pool_drop(core, a, slot): what the slot holds is worth nothing any more

from libc.stdint cimport uint16_t, uint32_t, uint64_t
from swapfast.mm.queue cimport device_t
from swapfast.mm.random cimport splitmix, unit_open
from swapfast.mm.types cimport area_t, core_t
from swapfast.mm.words cimport NIL, PAGE_SHIFT, PAGE_SIZE

cdef inline uint32_t pool_bytes(device_t *d, uint32_t page) noexcept nogil:
    cdef double u = unit_open(splitmix(d.seed, d.number, page))
    if u < d.whole:
        return PAGE_SIZE
    u = d.least + d.span * (u - d.whole) / (1.0 - d.whole)
    return <uint32_t>(u + 0.5) if u >= 1.0 else 1

cdef inline uint64_t pages_of(uint64_t size) noexcept nogil:
    return (size + PAGE_SIZE - 1) >> PAGE_SHIFT

cdef inline uint64_t pool_pages(device_t *d) noexcept nogil:
    return pages_of(d.compressed)

cdef inline void pool_set(core_t *core, area_t *a, uint32_t slot, uint32_t size) noexcept nogil:
    # The slot holds so many bytes from now on.
    cdef device_t *d = a.device
    cdef uint64_t before = pool_pages(d)
    d.stored = d.stored + (size > 0) - (a.stored[slot] > 0)
    d.compressed = d.compressed + size - a.stored[slot]
    a.stored[slot] = <uint16_t>size
    core.ram.pool = core.ram.pool + pool_pages(d) - before
    core.ram.others = core.ram.file_cache + core.ram.pool

cdef inline void pool_put(core_t *core, area_t *a, uint32_t slot, uint32_t page) noexcept nogil:
    pool_set(core, a, slot, pool_bytes(a.device, page))

cdef inline bint pool_store(core_t *core, area_t *a, uint32_t slot,
                            uint32_t page) noexcept nogil:
    cdef device_t *d = a.device
    cdef uint32_t size = pool_bytes(d, page) if page != NIL else 0
    cdef uint64_t before = pool_pages(d), after = pages_of(d.compressed + size - a.stored[slot])
    if after > before and not a.prewritten:
        if d.limit > 0 and after > d.limit:
            d.limit_hits += 1
            return False
        if core.ram.used + core.ram.others + after - before > core.ram.pages:
            d.no_memory += 1
            return False
    pool_set(core, a, slot, size)
    return True

cdef inline void pool_drop(core_t *core, area_t *a, uint32_t slot) noexcept nogil:
    if a.stored[slot] > 0:
        pool_set(core, a, slot, 0)
