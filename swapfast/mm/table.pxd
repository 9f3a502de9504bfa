# table: rows with numbers, taken and given back: mappings, memcgs, scopes, areas.
#
# - table_take(t, rows, max, size) -> a number, its row zeroed; or -1: no memory. `rows` may move.
# - table_give(t, number): the next take may have it again
# - table_free(t, rows, max, size)

from libc.stdint cimport int64_t, uint32_t
from swapfast.mm.types cimport lazy_grow, lazy_unmap, table_t
from libc.stdlib cimport free, realloc
from libc.string cimport memset


cdef inline int64_t table_take(table_t *t, void **rows, uint32_t *max,
                               size_t size) noexcept nogil:
    cdef uint32_t number, more
    cdef void *moved
    if t.n_free > 0:
        t.n_free -= 1
        number = t.free[t.n_free]
    else:
        number = t.top
        if number >= max[0]:
            more = 2 * max[0] if max[0] > 0 else 16
            moved = lazy_grow(rows[0], max[0] * size, more * size)
            if moved == NULL:
                return -1
            rows[0] = moved
            max[0] = more
        t.top += 1
    memset(<char *>rows[0] + number * size, 0, size)
    return number

cdef inline bint table_give(table_t *t, uint32_t number) noexcept nogil:
    # False: there is no memory to remember it, and the number stays unused.
    cdef uint32_t more
    cdef void *moved
    if t.n_free == t.room:
        more = 2 * t.room if t.room > 0 else 16
        moved = realloc(t.free, more * sizeof(uint32_t))
        if moved == NULL:
            return False
        t.free = <uint32_t *>moved
        t.room = more
    t.free[t.n_free] = number
    t.n_free += 1
    return True

cdef inline void table_free(table_t *t, void *rows, uint32_t max, size_t size) noexcept nogil:
    lazy_unmap(rows, max * size)
    free(t.free)
