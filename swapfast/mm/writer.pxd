# writer: which namespaces wrote in a page, so that "whose bytes lie in whose file" has an answer
# after the tasks that wrote are gone.
#
# A record is the serial of the one namespace that wrote, or MANY. It is kept where a page may be
# written by one namespace and belong to another: pages of shared objects, and under the rule
# mixed_pages="allocator" private ones. Everywhere else a private page goes to the namespace of the
# mm that maps it, and what an mm inherits at clone is its own.
# While the machine has one namespace nothing is recorded (core.watch_writers).
#
# - note_writer(core, home, mapper): the page `mapper` maps these data and has written
# - note_writers(core, home): all that map the folio, before they are unmapped
# - note_before_fork(core, page): the write protection of a fork hides who wrote before
# - count_leak(core, home, a): the folio's bytes go to an area

from libc.stdint cimport uint32_t
from swapfast.mm.rmap cimport home_of, mapping_of, next_mapper
from swapfast.mm.types cimport LIKELY, area_t, core_t
from swapfast.mm.words cimport (
    MIXED_ALLOCATOR, NIL, PTE_DIRTY, PTE_PRESENT, PTE_SHARED, PTE_WRITABLE, WRITER_MANY,
)

cdef inline bint records_writers(core_t *core, uint32_t home) noexcept nogil:
    return core.page[home].pte & PTE_SHARED != 0 or core.rules.mixed_pages == MIXED_ALLOCATOR

cdef inline void note_writer(core_t *core, uint32_t home, uint32_t mapper) noexcept nogil:
    cdef uint32_t scope = mapping_of(core, mapper).scope, serial
    if scope >= core.scopes_max:
        return
    serial = core.scopes[scope].serial
    if core.writer[home] == 0:
        core.writer[home] = serial
    elif core.writer[home] != serial:
        core.writer[home] = WRITER_MANY

cdef inline bint wrote(core_t *core, uint32_t page) noexcept nogil:
    # A dirty entry that is not writable was copied by a fork: somebody else may have written.
    cdef uint32_t bits = core.page[page].pte
    return (bits & PTE_DIRTY != 0 and bits & PTE_PRESENT != 0
            and bits & (PTE_SHARED | PTE_WRITABLE) != 0)

cdef inline void note_writers(core_t *core, uint32_t home) noexcept nogil:
    cdef uint32_t p
    if LIKELY(not core.watch_writers) or not records_writers(core, home):
        return
    if not core.page[home].pte & PTE_SHARED and wrote(core, home):
        note_writer(core, home, home)
    p = next_mapper(core, home)
    while p != NIL and p != home:
        if wrote(core, p):
            note_writer(core, home, p)
        p = core.next[p]

cdef inline void note_before_fork(core_t *core, uint32_t page) noexcept nogil:
    if core.watch_writers and core.rules.mixed_pages == MIXED_ALLOCATOR and wrote(core, page):
        note_writer(core, home_of(core, page), page)

cdef inline void count_leak(core_t *core, uint32_t home, area_t *a) noexcept nogil:
    cdef uint32_t writer = core.writer[home]
    if writer != 0 and a.scope < core.scopes_max and writer != core.scopes[a.scope].serial:
        core.count.leaked += 1
