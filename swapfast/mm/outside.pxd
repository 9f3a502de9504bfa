# outside: programs that are not simulated. Their pages are real ones, in an address space
# elsewhere; a frame has the bytes of those alone that such a program cannot reach.
#
# - take_away(core, home): nobody outside reaches a folio again without a fault, and the frame has
#   its bytes
# - take_batch(core, batch, n): the same for those that a pass is about to judge
#
# Policies say so before they clear the accessed bit of a page, or unmap it: once for a batch, which
# is what keeps it from costing those who have no such programs.

from libc.stdint cimport uint32_t
from swapfast.mm.types cimport UNLIKELY, core_t

cdef inline void take_away(core_t *core, uint32_t home) noexcept nogil:
    if UNLIKELY(core.hooks.take_away != NULL):
        core.hooks.take_away(core, home)

cdef inline void take_batch(core_t *core, const uint32_t *batch, uint32_t n) noexcept nogil:
    cdef uint32_t i
    if UNLIKELY(core.hooks.take_away != NULL):
        for i in range(n):
            core.hooks.take_away(core, batch[i])
