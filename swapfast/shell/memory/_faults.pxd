# Faults of real programs, for the extensions that answer them.

from libc.stdint cimport uint32_t, uint64_t

from swapfast.shell.memory.drop cimport outside_t, space_t

cdef class Faults:
    cdef outside_t o
    cdef int epoll
    # while an address space is copied or changed
    cdef uint32_t copying
    cdef uint32_t copier
    cdef list later
    cdef list written

    cdef space_t *space(self, uint32_t mm) except NULL
    cdef void release(self, uint32_t mm)
    cdef int messages(self, uint32_t mm) except -1
    cpdef int fault(self, uint32_t mm, uint64_t address, uint64_t flags) except -1
