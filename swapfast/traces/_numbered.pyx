"""References whose pages are numbered in the order of their first touch.

- ``Numbered``: what all compiled readers share; a reader is a subclass of it.
- ``COMMON``: causes that any of them may have.
- ``copied(items, n, dtype)``: an array of its own (C only).
"""

from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy

from swapfast.traces.pages cimport pages_free

import numpy as np

COMMON = {
    E_FORM: "is no line of this format",
    E_SIZE: f"the size is not 1 to {SIZE_MOST} bytes inside the address space",
    E_PAGES: "more than 2**31 - 1 different pages",
    E_MEMORY: "out of memory",
    E_SPACES: "more processes or volumes than have room side by side",
}


cdef object copied(const void *items, uint64_t n, dtype):
    result = np.empty(n, dtype=dtype)
    cdef uint8_t[::1] view = result.view(np.uint8)
    if n:
        memcpy(&view[0], items, view.shape[0])
    return result


cdef class Numbered:
    """References so far, and the table of their pages."""

    def __cinit__(self, *args, **kwargs):
        self.last_page = NO_PAGE
        self.out.last = NO_REF
        self.causes = COMMON

    def __dealloc__(self):
        pages_free(&self.table)
        free(self.out.refs)

    @property
    def pages(self):
        """Different pages so far."""
        return self.table.count

    def take(self):
        """References since the last call: a uint32 array."""
        result = copied(self.out.refs, self.out.n, np.uint32)
        self.out.n = 0
        return result

    def addresses(self):
        """Virtual page number of each page: a uint64 array."""
        return copied(self.table.pages, self.table.count, np.uint64)

    cdef int chunk(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
        return OK

    cdef fail(self, int status):
        raise ValueError(self.causes[status])

    def feed(self, const uint8_t[::1] chunk not None):
        """Take the next bytes of the file.

        Raises
        ------
        BrokenLine, BrokenRecord
        """
        cdef const uint8_t *p
        cdef int status
        if chunk.shape[0] == 0:
            return
        p = &chunk[0]
        with nogil:
            status = self.chunk(p, p + chunk.shape[0])
        if status > SKIP:
            self.fail(status)
