# The memory manager of one machine, for the extensions of swapfast.core: they read and change its
# state. Each of their calls begins with `idle` or with one of the look-ups.

from libc.stdint cimport uint32_t

from swapfast.mm.choice cimport scope_t
from swapfast.mm.policy cimport POLICIES
from swapfast.mm.types cimport area_t, core_t, mapping_t, memcg_t, policy_t

cdef class Core:
    cdef core_t c
    cdef policy_t policies[POLICIES]
    cdef bint busy              # a batch runs, maybe in another thread
    cdef str gone               # why nothing may be done any more, or None
    cdef uint32_t *block        # references that are checked and played at a time
    cdef dict buffers           # area number -> the mapped file

    cdef int set_times(self, dict times) except -1
    cdef int alive(self) except -1
    cdef int idle(self) except -1
    cdef mapping_t *mapping(self, uint32_t number) except NULL
    cdef memcg_t *memcg(self, uint32_t number) except NULL
    cdef area_t *area(self, uint32_t number) except NULL
    cdef scope_t *scope(self, uint32_t number) except NULL
    cdef void wipe(self) noexcept
