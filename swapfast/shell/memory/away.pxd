# away: pages that are taken from real programs, because the simulated machine evicts them, or
# wants to hear of the next access.
#
# - drop(o, s), drop_all(o): what was taken goes, in one call of the program's twin for many pages
# - take_one(core, o, page, fetched) -> the frame has its bytes
# - take_away(core, home): a folio, from all who have it; see mm/outside.pxd
#
# Until it is dropped such a page is protected: a program that runs meanwhile may read it, and waits
# where it would write.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from swapfast.mm.frames cimport frame_at
from swapfast.mm.rmap cimport home_of, mapping_of, next_mapper
from swapfast.mm.types cimport core_t, mapping_t
from swapfast.mm.words cimport NIL, PAGE_SHIFT, PAGE_SIZE

cdef extern from "swapfast/shell/memory/tracee.h" nogil:
    ctypedef struct registers_t:
        pass
    enum: SWAPFAST_BATCH
    int swapfast_protect(int uffd, uint64_t at, uint64_t size, int on)
    int swapfast_read_page(int pid, int memory, uint64_t at, void *into)
    int swapfast_drop(int pid, uint64_t scratch, const registers_t *r, const uint64_t *addresses,
                      uint32_t n, int *vectored, int *status)

cdef enum:
    THERE = 1            # the program reaches the page without a fault
    NEWER = 2            # it may have written since its bytes were copied
    PROTECTED = 4        # its next write is a fault
    SHIFT = 14           # pages of a window

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

cdef inline bint take_one(core_t *core, outside_t *o, uint32_t page, bint fetched) noexcept nogil:
    # Returns whether the frame has its bytes.
    cdef mapping_t *m = mapping_of(core, page)
    cdef space_t *s = o.spaces[m.mm] if m.mm < o.n else NULL
    cdef uint64_t address = (m.first + (page - m.base)) << PAGE_SHIFT
    cdef uint32_t had = o.state[page]
    cdef uint8_t *frame
    o.state[page] = 0
    if s == NULL or s.lost:
        return fetched
    if not had & PROTECTED and s != o.quiet:
        swapfast_protect(s.uffd, address, PAGE_SIZE, 1)   # nobody writes between here and `drop`
    if had & NEWER and not fetched:
        frame = frame_at(core, home_of(core, page))
        if frame != NULL and swapfast_read_page(s.twin, s.memory, address, frame):
            memset(frame, 0, PAGE_SIZE)   # it is being unmapped; nobody else's bytes stay
        o.copied += 1
        fetched = True
    if s.n_gone == SWAPFAST_BATCH:
        drop(o, s)
    if s.n_gone == 0:
        if not is_waiting(o, s):
            s.waits = o.waiting
            o.waiting = s
    s.gone[s.n_gone] = address
    s.n_gone += 1
    return fetched

cdef inline void take_away(core_t *core, uint32_t home) noexcept nogil:
    cdef outside_t *o = <outside_t *>core.hooks.outside
    cdef uint32_t page = home
    cdef uint32_t following = next_mapper(core, home)
    cdef bint fetched = False
    if home < o.room and o.state[home]:
        fetched = take_one(core, o, home, fetched)
    page = following
    while page != NIL and page != home:
        if o.state[page]:
            fetched = take_one(core, o, page, fetched)
        page = core.next[page]
