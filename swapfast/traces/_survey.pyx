"""What references say about themselves, compiled.

- ``highest_page(refs)``, ``writes_among(refs)``.
"""

from libc.stdint cimport uint32_t, uint64_t

cimport swapfast.replacement.private as private


def highest_page(const uint32_t[::1] refs not None):
    """The highest page among references; 0 if there are none."""
    cdef uint64_t n = refs.shape[0]
    cdef uint32_t highest = 0
    if n:
        with nogil:
            highest = private.highest_page(&refs[0], n)
    return highest


def writes_among(const uint32_t[::1] refs not None):
    """How many references write."""
    cdef uint64_t n = refs.shape[0], writes = 0
    if n:
        with nogil:
            writes = private.writes_among(&refs[0], n)
    return writes
