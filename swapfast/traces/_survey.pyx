"""What references say about themselves, compiled.

- ``highest_page(refs)``, ``writes_among(refs)``.
- ``own_copy(refs)``: in memory that nobody else writes to.
"""

from libc.stdint cimport uint32_t, uint64_t

cimport swapfast.core.private as private
from swapfast.core.guard cimport guard_arm, guard_copy

import numpy as np


def highest_page(const uint32_t[::1] refs not None):
    """The highest page among references; 0 if there are none.

    Raises
    ------
    ValueError
        The file that they are mapped from was cut short.
    """
    cdef uint64_t n = refs.shape[0]
    cdef uint32_t highest = 0
    if n:
        guard_arm()
        with nogil:
            highest = private.look_over(&refs[0], n)
    if highest == private.LOST:
        raise private.outside(highest, 0, "trace")
    return highest


def writes_among(const uint32_t[::1] refs not None):
    """How many references write; they are in memory of our own."""
    cdef uint64_t n = refs.shape[0], writes = 0
    if n:
        with nogil:
            writes = private.writes_among(&refs[0], n)
    return writes


def own_copy(const uint32_t[::1] refs not None):
    """The same references in an array of their own.

    Raises
    ------
    ValueError
        The file that they are mapped from was cut short.
    """
    cdef uint64_t n = refs.shape[0]
    cdef bint whole = True
    own = np.empty(n, dtype=np.uint32)
    cdef uint32_t[::1] view = own
    if n:
        guard_arm()
        with nogil:
            whole = guard_copy(&view[0], &refs[0], n * sizeof(uint32_t))
    if not whole:
        raise private.outside(private.LOST, 0, "trace")
    return own
