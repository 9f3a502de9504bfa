"""A policy from outside: the page used last goes first."""

from cpython.pycapsule cimport PyCapsule_New
from libc.stdlib cimport free, malloc

from swapfast.replacement.contract cimport *

cdef struct mru_t:
    uint32_t newest


cdef int mru_begin(sim_t *s) noexcept nogil:
    s.state = malloc(sizeof(mru_t))
    return 0 if s.state != NULL else -1


cdef int mru_run(sim_t *s, const uint32_t *refs, uint64_t n) noexcept nogil:
    cdef mru_t *m = <mru_t *>s.state
    cdef uint64_t i
    cdef uint32_t page
    for i in range(n):
        page = refs[i] & PAGE_BITS
        if s.flag[page] & IN:
            s.flag[page] |= (refs[i] >> WRITE_BIT) * DIRTY
        else:
            if s.resident == s.frames:
                leave(s, m.newest, 0)
            else:
                s.resident += 1
            enter(s, refs[i], 0)
        m.newest = page
    return 0


cdef void mru_end(sim_t *s) noexcept nogil:
    free(s.state)

cdef replacement_t TABLE = replacement_t(b"mru", mru_begin, mru_run, mru_end, False)

policy = PyCapsule_New(<void *>&TABLE, REPLACEMENT_CAPSULE, NULL)
