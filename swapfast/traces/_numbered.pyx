"""References whose pages are numbered in the order of their first touch.

- ``Numbered``: what all compiled readers share; a reader is a subclass of it.
- ``COMMON``: causes that any of them may have.
"""

from libc.stdint cimport uint32_t, uint64_t
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
        result = np.empty(self.out.n, dtype=np.uint32)
        cdef uint32_t[::1] view = result
        if self.out.n:
            memcpy(&view[0], self.out.refs, self.out.n * 4)
        self.out.n = 0
        return result

    def addresses(self):
        """Virtual page number of each page: a uint64 array."""
        result = np.empty(self.table.count, dtype=np.uint64)
        cdef uint64_t[::1] view = result
        if self.table.count:
            memcpy(&view[0], self.table.pages, self.table.count * 8)
        return result
