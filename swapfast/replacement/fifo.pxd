# fifo: the page that came first goes first, used or not.
#
# The oldest policy, and Belady's example of an anomaly: more memory can mean more faults.
# Source: L. A. Belady, R. A. Nelson, G. S. Shedler, "An anomaly in space-time characteristics of
# certain programs running in a paging machine", CACM 12(6), 1969.
#
# Frames are a ring in order of arrival; a hit changes nothing.

from swapfast.replacement.contract cimport *
from libc.stdlib cimport calloc, free, malloc

cdef enum:
    FRAMES_AHEAD = 16        # frames between prefetch and use; as many beyond the end are page 0

cdef struct fifo_t:
    uint64_t oldest
    uint32_t *frame

cdef inline int fifo_begin(sim_t *s) noexcept nogil:
    cdef fifo_t *f = <fifo_t *>malloc(sizeof(fifo_t))
    s.state = f
    if f == NULL:
        return -1
    f.oldest = 0
    f.frame = <uint32_t *>calloc(s.frames + FRAMES_AHEAD, sizeof(uint32_t))
    return 0 if f.frame != NULL else -1

cdef inline void fifo_end(sim_t *s) noexcept nogil:
    cdef fifo_t *f = <fifo_t *>s.state
    if f != NULL:
        free(f.frame)
        free(f)

cdef inline int fifo_run(sim_t *s, const uint32_t *refs, uint64_t n) noexcept nogil:
    cdef fifo_t *f = <fifo_t *>s.state
    cdef uint32_t *frame = f.frame
    cdef uint64_t oldest = f.oldest, frames = s.frames, i = 0, evicted = s.evicted
    while True:
        i = hits(s, refs, i, n, 0)
        if i == n:
            break
        if s.resident == frames:
            prefetch(&s.flag[frame[oldest + FRAMES_AHEAD]])
            leave(s, frame[oldest], 0)
        else:
            s.resident += 1
        enter(s, refs[i], 0)
        frame[oldest] = refs[i] & PAGE_BITS
        oldest = 0 if oldest + 1 == frames else oldest + 1
        i += 1
    f.oldest = oldest
    s.scanned += s.evicted - evicted
    return 0
