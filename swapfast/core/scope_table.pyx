"""Scopes: which areas the pages of a swap namespace may go to, highest priority first."""

from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memmove, memset

from swapfast._core cimport Core
from swapfast.mm.table cimport table_give, table_take
from swapfast.mm.types cimport core_t, scope_t


def add(Core core):
    """A new namespace's number; it may use no area yet."""
    cdef core_t *c = &core.c
    cdef int64_t number
    core.idle()
    number = table_take(&c.scope_numbers, <void **>&c.scopes, &c.scopes_max, sizeof(scope_t))
    if number < 0:
        raise MemoryError("no room for one namespace more")
    c.scopes[number].used = True
    c.scope_serials += 1
    c.scopes[number].serial = c.scope_serials
    c.watch_writers = c.scope_serials > 1
    return number


def remove(Core core, uint32_t number):
    """Forget a namespace that has no area."""
    cdef scope_t *o = core.scope(number)
    core.idle()
    free(o.areas)
    memset(o, 0, sizeof(scope_t))
    table_give(&core.c.scope_numbers, number)


def use_area(Core core, uint32_t number, uint32_t area, bint last):
    """A scope may take slots of an area from now on.

    Parameters
    ----------
    number, area : int
    last : bool
        Behind other areas of the same priority (6.18), else before them (2.6.25).
    """
    cdef scope_t *o = core.scope(number)
    cdef int32_t prio = core.area(area).prio
    cdef uint32_t *table
    cdef uint32_t low = 0, high = o.count, middle, room
    cdef int32_t here
    core.idle()
    while low < high:
        middle = (low + high) // 2
        here = core.c.areas[o.areas[middle]].prio
        if here > prio or (last and here == prio):
            low = middle + 1
        else:
            high = middle
    if o.count == o.room:
        room = max(4, 2 * o.room)
        table = <uint32_t *>realloc(o.areas, room * sizeof(uint32_t))
        if table == NULL:
            raise MemoryError("no room for a table of areas")
        o.areas = table
        o.room = room
    memmove(&o.areas[low + 1], &o.areas[low], (o.count - low) * sizeof(uint32_t))
    o.areas[low] = area
    o.count += 1
    # 2.6.25 starts over at a new head of the list; 6.18 stays in the cluster it has.
    if low == 0 or o.count == 1:
        o.cursor = 0
    elif low <= o.cursor % (o.count - 1):
        o.cursor = o.cursor % (o.count - 1) + 1


def leave_area(Core core, uint32_t number, uint32_t area):
    """A scope takes no more slots of an area; harmless where it does not."""
    cdef scope_t *o = core.scope(number)
    cdef uint32_t at = 0, cursor
    core.idle()
    while at < o.count and o.areas[at] != area:
        at += 1
    if at == o.count:
        return
    cursor = o.cursor % o.count
    o.count -= 1
    memmove(&o.areas[at], &o.areas[at + 1], (o.count - at) * sizeof(uint32_t))
    # 2.6.25 starts over where the next area is gone.
    o.cursor = 0 if cursor == at else cursor - (cursor > at)
    if o.current == area + 1:
        o.current = 0
