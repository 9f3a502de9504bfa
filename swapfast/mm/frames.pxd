# frames: the simulated RAM. With contents a frame is 4096 real bytes; without, only a count.
#
# - frame_take(core, home): a frame for the folio at home (bytes undefined)
# - frame_give(core, home)
# - frame_at(core, home) -> its bytes, NULL without contents
# - frames_init(core), frames_free(core)

from libc.stdint cimport uint32_t, uint8_t
from swapfast.mm.types cimport SWAPFAST_CHECK, core_t, lazy_map, lazy_unmap
from swapfast.mm.words cimport PAGE_SIZE

cdef inline uint8_t *frame_at(core_t *core, uint32_t home) noexcept nogil:
    if core.ram.frames == NULL:
        return NULL
    return core.ram.frames + <size_t>core.frame[home] * PAGE_SIZE

cdef inline void frame_take(core_t *core, uint32_t home) noexcept nogil:
    if core.ram.frames == NULL:
        return
    if core.ram.frame_top > 0:
        core.ram.frame_top -= 1
        core.frame[home] = core.ram.frame_stack[core.ram.frame_top]
    else:
        SWAPFAST_CHECK(core.ram.frame_fresh < core.ram.pages, b"a charged page finds a frame")
        core.frame[home] = core.ram.frame_fresh
        core.ram.frame_fresh += 1

cdef inline void frame_give(core_t *core, uint32_t home) noexcept nogil:
    if core.ram.frames == NULL:
        return
    core.ram.frame_stack[core.ram.frame_top] = core.frame[home]
    core.ram.frame_top += 1

cdef inline bint frames_init(core_t *core) noexcept nogil:
    # Contents from now on; False: no memory.
    core.ram.frames = <uint8_t *>lazy_map(<size_t>core.ram.pages * PAGE_SIZE)
    core.ram.frame_stack = <uint32_t *>lazy_map(<size_t>core.ram.pages * 4)
    return core.ram.frames != NULL and core.ram.frame_stack != NULL

cdef inline void frames_free(core_t *core) noexcept nogil:
    lazy_unmap(core.ram.frames, <size_t>core.ram.pages * PAGE_SIZE)
    lazy_unmap(core.ram.frame_stack, <size_t>core.ram.pages * 4)
