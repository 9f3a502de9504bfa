# Page tables of real programs, for the extensions that change them.

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from swapfast._core cimport Core
from swapfast.shell.memory.away cimport outside_t, space_t, window_t

cdef class Mirror:
    cdef Core core
    cdef outside_t o
    cdef int epoll
    cdef object make_window
    cdef object shortage
    cdef object look
    cdef object reference
    cdef uint32_t[::1] ref
    cdef uint8_t *zeroes
    cdef uint64_t until_look
    # while a process is being copied
    cdef uint32_t copying
    cdef uint32_t copier
    cdef list later
    cdef list written

    cdef int reserve(self) except -1
    cdef space_t *space(self, uint32_t mm) except NULL
    cdef void release(self, uint32_t mm)
    cdef window_t *find(self, space_t *s, uint64_t number) noexcept
    cdef window_t *made(self, uint32_t mm, uint64_t number) except NULL
    cdef int messages(self, uint32_t mm) except -1
    cdef void answer(self, space_t *s, uint32_t page, uint64_t address, bint write) noexcept
