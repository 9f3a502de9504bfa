# movers: the table of plugs that move pages between swap areas (demote.pxd).
#
# - mover_new(core, areas) -> a plug with room for so many areas on either side, NULL: no memory
# - movers_forget(core, number): an area is gone
# - movers_free(core)

from libc.stdint cimport uint32_t
from swapfast.mm.moving cimport demote_t
from swapfast.mm.types cimport core_t, lazy_map, lazy_unmap

cdef enum:
    MOST_PLUGS = 4096

cdef inline void mover_unmap(demote_t *d) noexcept nogil:
    lazy_unmap(d.source, <size_t>d.room * 4)
    lazy_unmap(d.target, <size_t>d.room * 4)
    lazy_unmap(d, sizeof(demote_t))

cdef inline demote_t *mover_new(core_t *core, uint32_t areas) noexcept nogil:
    cdef demote_t *d
    if core.moves.all == NULL:
        core.moves.all = <demote_t **>lazy_map(MOST_PLUGS * sizeof(void *))
    if core.moves.all == NULL or core.moves.n == MOST_PLUGS:
        return NULL
    d = <demote_t *>lazy_map(sizeof(demote_t))
    if d == NULL:
        return NULL
    d.room = areas
    d.source = <uint32_t *>lazy_map(<size_t>areas * 4)
    d.target = <uint32_t *>lazy_map(<size_t>areas * 4)
    if d.source == NULL or d.target == NULL:
        mover_unmap(d)
        return NULL
    core.moves.all[core.moves.n] = d
    core.moves.n += 1
    return d

cdef inline void movers_free(core_t *core) noexcept nogil:
    cdef uint32_t k
    for k in range(core.moves.n):
        mover_unmap(core.moves.all[k])
    lazy_unmap(core.moves.all, MOST_PLUGS * sizeof(void *))

cdef inline void forget_in(uint32_t *table, uint32_t *n, uint32_t number) noexcept nogil:
    cdef uint32_t k, kept = 0
    for k in range(n[0]):
        if table[k] != number:
            table[kept] = table[k]
            kept += 1
    n[0] = kept

cdef inline void movers_forget(core_t *core, uint32_t number) noexcept nogil:
    cdef uint32_t k
    for k in range(core.moves.n):
        forget_in(core.moves.all[k].source, &core.moves.all[k].n_source, number)
        forget_in(core.moves.all[k].target, &core.moves.all[k].n_target, number)
