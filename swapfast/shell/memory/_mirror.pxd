# Page tables of real programs, for the extensions that change them.

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from swapfast._core cimport Core
from swapfast.shell.memory._faults cimport Faults
from swapfast.shell.memory.drop cimport space_t, window_t

cdef class Mirror(Faults):
    cdef Core core
    cdef object make_window
    cdef object shortage
    cdef object look
    cdef object reference
    cdef uint32_t[::1] ref
    cdef uint8_t *zeroes
    cdef uint64_t until_look

    cdef int reserve(self) except -1
    cdef window_t *find(self, space_t *s, uint64_t number) noexcept
    cdef window_t *made(self, uint32_t mm, uint64_t number) except NULL
    cdef void answer(self, space_t *s, uint32_t page, uint64_t address, bint write) noexcept
