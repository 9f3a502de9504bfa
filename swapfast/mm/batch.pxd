# batch: pages that a pass of reclaim has isolated when it has to wait, so that others run.
#
# A page that is written needs a request, and a request a tag (tags.pxd). Where none is free the
# task sleeps in the middle of its scan: what it has isolated is on no list until it goes on, while
# pages are touched, freed and reclaimed by others.
#
# - batch_spare(core) -> False: there is no memory for one more
# - batch_hold(core, memcg, page, n, i, kept, written): a pass stops at page[i]
# - batch_resume(core, b, page, n, i, kept): it goes on; what is gone since is left out
# - batch_drop(core, b): it never will
# - batch_rename(core, old, new): an isolated page goes by another name, NIL: it is gone
# - batches_forget(core, memcg): the memcg is gone
# - batches_free(core)

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.scan cimport isolated_t
from swapfast.mm.types cimport SWAPFAST_CHECK, core_t, lazy_map, lazy_unmap
from swapfast.mm.words cimport NIL

cdef inline bint batch_spare(core_t *core) noexcept nogil:
    if core.spare_batches == NULL:
        core.spare_batches = <isolated_t *>lazy_map(sizeof(isolated_t))
    return core.spare_batches != NULL

cdef inline isolated_t *batch_hold(core_t *core, uint32_t memcg, const uint32_t *page, uint32_t n,
                                   uint32_t i, uint32_t kept, uint64_t written) noexcept nogil:
    cdef isolated_t *b = core.spare_batches
    cdef uint32_t k
    core.spare_batches = b.next
    b.next = core.stopped
    core.stopped = b
    for k in range(n):
        b.page[k] = NIL if kept <= k < i else page[k]
    b.memcg, b.gone, b.pending = memcg, False, True
    b.n, b.i, b.kept, b.written = n, i, kept, written
    b.total, b.freed, b.again = n, 0, False
    return b

cdef inline void batch_drop(core_t *core, isolated_t *b) noexcept nogil:
    cdef isolated_t **at = &core.stopped
    while at[0] != b:
        at = &at[0].next
    at[0] = b.next
    b.next = core.spare_batches
    core.spare_batches = b

cdef inline void batch_resume(core_t *core, isolated_t *b, uint32_t *page, uint32_t *n, uint32_t *i,
                              uint32_t *kept) noexcept nogil:
    # The page that waited is kept: it is being written.
    cdef uint32_t k, freed = b.i - b.kept, rest
    kept[0] = rest = 0
    for k in range(b.i + 1):
        if b.page[k] != NIL:
            page[kept[0]] = b.page[k]
            kept[0] += 1
    i[0] = kept[0] + freed
    for k in range(b.i + 1, b.n):
        if b.page[k] != NIL:
            page[i[0] + rest] = b.page[k]
            rest += 1
    n[0] = i[0] + rest
    batch_drop(core, b)

cdef inline void batch_rename(core_t *core, uint32_t old, uint32_t new) noexcept nogil:
    cdef isolated_t *b = core.stopped
    cdef uint32_t k
    while b != NULL:
        for k in range(b.n):
            if b.page[k] == old:
                b.page[k] = new
                return
        b = b.next
    SWAPFAST_CHECK(False, b"a page is isolated by a pass that has stopped")

cdef inline void batches_forget(core_t *core, uint32_t memcg) noexcept nogil:
    cdef isolated_t *b = core.stopped
    while b != NULL:
        if b.memcg == memcg:
            b.gone = True
        b = b.next

cdef inline void unmap_all(isolated_t *b) noexcept nogil:
    cdef isolated_t *next
    while b != NULL:
        next = b.next
        lazy_unmap(b, sizeof(isolated_t))
        b = next

cdef inline void batches_free(core_t *core) noexcept nogil:
    unmap_all(core.stopped)
    unmap_all(core.spare_batches)
