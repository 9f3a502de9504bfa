# frames: the simulated RAM. With contents a frame is 4096 real bytes; without, only a count.
#
# - frame_take(core, home): a frame for the folio at home (bytes undefined)
# - frame_give(core, home)
# - frame_at(core, home) -> its bytes, NULL without contents

from swapfast.mm.types cimport *

cdef inline uint8_t *frame_at(core_t *core, uint32_t home) noexcept nogil:
    if core.frames == NULL:
        return NULL
    return core.frames + <size_t>core.frame[home] * PAGE_SIZE

cdef inline void frame_take(core_t *core, uint32_t home) noexcept nogil:
    if core.frames == NULL:
        return
    if core.frame_top > 0:
        core.frame_top -= 1
        core.frame[home] = core.frame_stack[core.frame_top]
    else:
        SWAPFAST_CHECK(core.frame_fresh < core.memory, b"a charged page finds a frame")
        core.frame[home] = core.frame_fresh
        core.frame_fresh += 1

cdef inline void frame_give(core_t *core, uint32_t home) noexcept nogil:
    if core.frames == NULL:
        return
    core.frame_stack[core.frame_top] = core.frame[home]
    core.frame_top += 1
