# outside: programs that are not simulated. Their pages are real ones, in an address space
# elsewhere; a frame has the bytes of those alone that such a program cannot reach.
#
# - take_away(core, home): before the bytes of a folio are used for anything, and where its accessed
#   bit is cleared: nobody outside reaches it again without a fault, and the frame has its bytes

from libc.stdint cimport uint32_t
from swapfast.mm.types cimport UNLIKELY, core_t

cdef inline void take_away(core_t *core, uint32_t home) noexcept nogil:
    if UNLIKELY(core.hooks.take_away != NULL):
        core.hooks.take_away(core, home)
