# unmap: pages that go away, and those that are copied: munmap, exit, fork, swapoff.
#
# - zap(core, page): munmap and exit, one page; zap_object(core, page): of a shared object
# - fork_page(core, page, child): one page-table entry at fork
# - swapoff_slot(core, entry) -> status: read one slot back and forget it

from libc.stdint cimport uint32_t
from swapfast.mm.area cimport swap_give
from swapfast.mm.charge cimport take_page
from swapfast.mm.evict cimport map_back, page_freed, slot_drop
from swapfast.mm.folio cimport swap_in
from swapfast.mm.rmap cimport home_of, memcg_of, queue_rename, rmap_join, rmap_leave, rmap_unlink
from swapfast.mm.types cimport SWAPFAST_CHECK, core_t, memcg_t
from swapfast.mm.words cimport (
    ENTER_SWAPIN, F_READAHEAD, F_RESIDENT, F_SWAPCACHE, F_WRITEBACK, MIXED_ALLOCATOR, NIL,
    PTE_DIRTY, PTE_MEMBER, PTE_PRESENT, PTE_SHARED, PTE_SWAP, PTE_WRITABLE, PTE_ZERO, ST_IO, ST_OK,
)
from swapfast.mm.plug cimport wait_for
from swapfast.mm.writer cimport note_before_fork, note_writer, wrote

cdef inline void forget_folio(core_t *core, uint32_t home) noexcept nogil:
    # Nobody refers to these data any more.
    cdef memcg_t *g
    if core.page[home].folio & F_RESIDENT:
        g = memcg_of(core, home)
        if core.page[home].folio & F_WRITEBACK or core.rotation.n > 0:
            queue_rename(core, home, NIL)
        g.policy.leave(core, g, home)
        if core.page[home].folio & F_SWAPCACHE:
            swap_give(core, core.home[home].entry)
        core.page[home].folio = 0
        page_freed(core, g, home)
    else:
        swap_give(core, core.home[home].entry)
    if core.rules.mixed_pages == MIXED_ALLOCATOR:
        core.alloc_scope[home] = 0
    if core.watch_writers:
        core.writer[home] = 0

cdef inline void zap(core_t *core, uint32_t page) noexcept nogil:
    cdef uint32_t bits = core.page[page].pte, heir, home
    if bits == 0:
        return
    if bits & PTE_SHARED:
        if bits & PTE_MEMBER:
            home = home_of(core, page)
            if core.watch_writers and wrote(core, page):
                note_writer(core, home, page)
            if bits & PTE_DIRTY and core.page[home].folio & F_SWAPCACHE:
                core.page[home].pte |= PTE_DIRTY   # folio_mark_dirty
            rmap_unlink(core, page)
    elif not bits & PTE_ZERO:
        heir = rmap_leave(core, page)
        if heir == NIL:
            forget_folio(core, page)
    core.page[page].pte = 0

cdef inline void zap_object(core_t *core, uint32_t page) noexcept nogil:
    # The page of a shared object that nothing maps any more.
    if core.page[page].folio & F_RESIDENT or core.page[page].pte & PTE_SWAP:
        forget_folio(core, page)
    core.page[page].pte = 0

cdef inline void fork_page(core_t *core, uint32_t page, uint32_t child) noexcept nogil:
    # copy_one_pte: both sides lose the right to write, the child's entry is old.
    cdef uint32_t bits = core.page[page].pte
    if bits & PTE_ZERO:
        core.page[child].pte = PTE_PRESENT | PTE_ZERO
    elif bits & PTE_PRESENT:
        note_before_fork(core, page)
        core.page[page].pte = bits & ~PTE_WRITABLE
        core.page[child].pte = PTE_PRESENT | (bits & PTE_DIRTY)
        rmap_join(core, home_of(core, page), child)
    elif bits & PTE_SWAP:
        core.page[child].pte = PTE_SWAP | (bits & PTE_DIRTY)
        rmap_join(core, home_of(core, page), child)

cdef inline int swapoff_slot(core_t *core, uint32_t entry) noexcept nogil:
    # try_to_unuse, one slot: read back, map everywhere (old, not writable, dirty), free the slot.
    cdef uint32_t home = core.slot_page[entry]
    cdef memcg_t *g = memcg_of(core, home)
    cdef int status
    if not core.page[home].folio & F_RESIDENT:
        status = take_page(core, g)
        if status != ST_OK:
            return status
        if not swap_in(core, g, home, ENTER_SWAPIN):
            return ST_IO
    if core.page[home].folio & F_WRITEBACK:
        wait_for(core, home)
    map_back(core, home)
    core.page[home].folio &= ~F_READAHEAD
    slot_drop(core, home)
    SWAPFAST_CHECK(core.slot_page[entry] == NIL, b"swapoff leaves no slot in use")
    return ST_OK
