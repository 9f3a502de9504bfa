# away: pages that are taken from real programs, because the simulated machine evicts them, or
# wants to hear of the next access.
#
# - take_one(core, o, page, fetched) -> the frame has its bytes
# - take_away(core, home): a folio, from all who have it; see mm/outside.pxd
#
# Until it is dropped (drop.pxd) such a page is protected: a program that runs meanwhile may read
# it, and waits where it would write.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from swapfast.mm.frames cimport frame_at
from swapfast.mm.rmap cimport home_of, mapping_of, next_mapper
from swapfast.mm.types cimport core_t, mapping_t
from swapfast.mm.words cimport NIL, PAGE_SHIFT, PAGE_SIZE
from swapfast.shell.memory.drop cimport leaves, outside_t, space_t

cdef extern from "swapfast/shell/memory/tracee.h" nogil:
    int swapfast_protect(int uffd, uint64_t at, uint64_t size, int on)
    int swapfast_read_page(int pid, int memory, uint64_t at, void *into)

cdef enum:
    THERE = 1            # the program reaches the page without a fault
    NEWER = 2            # it may have written since its bytes were copied
    PROTECTED = 4        # its next write is a fault
    SHIFT = 14           # pages of a window

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
    leaves(o, s, address)
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
