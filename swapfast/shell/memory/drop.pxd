# drop: pages that are to be taken from real programs, many with one call of the program's twin.
#
# - drop(o, s), drop_all(o): what was taken goes
# - is_waiting(o, s) -> it has pages that are to be dropped
# - leaves(o, s, address): one more of them
#
# Until it is dropped such a page has to be protected, if anybody runs who could write to it.

from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef extern from "swapfast/shell/memory/tracee.h" nogil:
    ctypedef struct registers_t:
        pass
    enum: SWAPFAST_BATCH
    int swapfast_drop(int pid, uint64_t scratch, const registers_t *r, const uint64_t *addresses,
                      uint32_t n, int *vectored, int *status)

cdef struct window_t:
    uint64_t number      # page >> SHIFT of its address
    uint32_t base        # of its pages
    uint32_t mapping

cdef struct space_t:
    uint32_t mm
    int uffd
    int memory           # /proc/PID/mem
    int pid
    int twin
    registers_t registers  # of the twin
    window_t *windows
    uint32_t n
    uint32_t room
    uint32_t last        # the window of the last fault
    uint32_t members     # threads, and vfork children until they call exec
    bint lost            # its twin is gone
    uint64_t gone[128]   # SWAPFAST_BATCH addresses that are to be dropped
    uint32_t n_gone
    space_t *waits       # the next one with such
    uint64_t faults
    uint64_t majors
    uint64_t ns

cdef struct outside_t:
    uint8_t *state       # of each page of the machine
    uint64_t room
    space_t **spaces     # by mm
    uint32_t n
    space_t *quiet       # whose only thread sleeps in a fault
    space_t *waiting     # with pages to be dropped
    uint64_t scratch
    int vectored
    uint64_t dropped
    uint64_t copied      # pages out of programs
    uint64_t given       # into them
    uint64_t opened      # that were only protected

cdef inline void drop(outside_t *o, space_t *s) noexcept nogil:
    cdef int status = 0
    if s.n_gone and not s.lost and swapfast_drop(s.twin, o.scratch, &s.registers, s.gone, s.n_gone,
                                                 &o.vectored, &status):
        s.lost = True
    o.dropped += s.n_gone
    s.n_gone = 0

cdef inline void drop_all(outside_t *o) noexcept nogil:
    while o.waiting != NULL:
        drop(o, o.waiting)
        o.waiting = o.waiting.waits

cdef inline bint is_waiting(outside_t *o, space_t *s) noexcept nogil:
    cdef space_t *one = o.waiting
    while one != NULL and one != s:
        one = one.waits
    return one != NULL

cdef inline void leaves(outside_t *o, space_t *s, uint64_t address) noexcept nogil:
    if s.n_gone == SWAPFAST_BATCH:
        drop(o, s)
    if s.n_gone == 0:
        if not is_waiting(o, s):
            s.waits = o.waiting
            o.waiting = s
    s.gone[s.n_gone] = address
    s.n_gone += 1
