"""Scopes: which areas the pages of a namespace, or of cgroups, may go to, and in which order."""

from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memmove, memset

from swapfast._core cimport Core
from swapfast.mm.choice cimport scope_t
from swapfast.mm.table cimport table_give, table_take
from swapfast.mm.tiers cimport go_scoped
from swapfast.mm.types cimport core_t, memcg_t
from swapfast.mm.words cimport SCOPE_UNSET


def add(Core core, bint namespace=True):
    """The number of a new scope, of a namespace or of cgroups; it may use no area yet.

    The first one is the host's.
    """
    cdef core_t *c = &core.c
    cdef int64_t number
    core.idle()
    number = table_take(&c.scope_numbers, <void **>&c.scopes, &c.scopes_max, sizeof(scope_t))
    if number < 0:
        raise MemoryError("no room for one namespace more")
    c.scopes[number].used = True
    if namespace:
        c.scope_serials += 1
        c.scopes[number].serial = c.scope_serials
        c.watch_writers = c.scope_serials > 1
    return number


def remove(Core core, uint32_t number):
    """Forget a scope that nobody has any more."""
    cdef scope_t *o = core.scope(number)
    core.idle()
    free(o.areas - o.head)
    free(o.ranks - o.head)
    memset(o, 0, sizeof(scope_t))
    table_give(&core.c.scope_numbers, number)


cdef void to_front(scope_t *o) noexcept:
    # What was given up before the first place is room behind the last.
    cdef uint32_t n = o.count + o.refused
    if o.head > 0:
        memmove(o.areas - o.head, o.areas, n * sizeof(uint32_t))
        memmove(o.ranks - o.head, o.ranks, n * sizeof(int32_t))
        o.areas -= o.head
        o.ranks -= o.head
        o.room += o.head
        o.head = 0


cdef int make_room(scope_t *o, uint32_t places) except -1:
    cdef uint32_t *table
    cdef int32_t *ranks
    to_front(o)
    if places <= o.room:
        return 0
    table = <uint32_t *>realloc(o.areas, places * sizeof(uint32_t))
    if table != NULL:
        o.areas = table
        ranks = <int32_t *>realloc(o.ranks, places * sizeof(int32_t))
        if ranks != NULL:
            o.ranks = ranks
            o.room = places
            return 0
    raise MemoryError("no room for a table of areas")


def set_table(Core core, uint32_t number, areas, ranks, *, uint32_t refused=0, uint32_t like=0):
    """Hand down the whole table of a scope that is no namespace's.

    Parameters
    ----------
    number : int
    areas : sequence of int
        Highest rank first; behind them those that a mask keeps from its pages.
    ranks : sequence of int
        Of each. Equal ones take turns; the refused stand where they would be.
    refused : int
        How many of them are refused.
    like : int
        It goes on in the current cluster of this scope, if its area is in the table.
    """
    cdef scope_t *o = core.scope(number)
    cdef uint32_t i, n = len(areas)
    cdef uint32_t current = core.scope(like).current
    core.idle()
    if number == 0 or o.serial != 0:
        raise ValueError("the table of a namespace follows from its areas")
    if len(ranks) != n or refused > n or len(set(areas)) != n:
        raise ValueError("an area is in a table once, with a rank")
    for i in range(n):
        core.area(areas[i])
        if 0 < i < n - refused and ranks[i] > ranks[i - 1]:
            raise ValueError("the ranks of a table descend")
    if n > o.room:
        make_room(o, n)
    o.current = o.full = 0
    for i in range(n):
        o.areas[i] = areas[i]
        o.ranks[i] = ranks[i]
        if i < n - refused and current == o.areas[i] + 1:
            o.current = current
    o.count = n - refused
    o.refused = refused


def table(Core core, uint32_t number):
    """``(areas, ranks, refused)`` of a scope, as `set_table` takes them."""
    cdef scope_t *o = core.scope(number)
    cdef uint32_t i, n = o.count + o.refused
    return [o.areas[i] for i in range(n)], [o.ranks[i] for i in range(n)], o.refused


def give(Core core, uint32_t memcg, scope):
    """Where the pages of a memcg go that are the host's: by this scope, or None: where all go."""
    cdef memcg_t *g = core.memcg(memcg)
    core.idle()
    if scope is None:
        g.scope = SCOPE_UNSET
        return
    core.scope(scope)
    g.scope = scope
    go_scoped(&core.c)


def given(Core core, uint32_t memcg):
    """The scope that a memcg was given, or None."""
    cdef memcg_t *g = core.memcg(memcg)
    return None if g.scope == SCOPE_UNSET else g.scope


cdef uint32_t first_below(scope_t *o, int32_t prio, bint last) noexcept:
    # The first place with this rank or a lower one; last: with a lower one.
    cdef uint32_t low = 0, high = o.count, middle
    cdef int32_t here
    while low < high:
        middle = (low + high) // 2
        here = o.ranks[middle]
        if here > prio or (last and here == prio):
            low = middle + 1
        else:
            high = middle
    return low


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
    cdef uint32_t low = first_below(o, prio, last)
    core.idle()
    if o.count == o.room:
        make_room(o, max(4, 2 * o.count))
    o.full = 0
    memmove(&o.areas[low + 1], &o.areas[low], (o.count - low) * sizeof(uint32_t))
    memmove(&o.ranks[low + 1], &o.ranks[low], (o.count - low) * sizeof(int32_t))
    o.areas[low] = area
    o.ranks[low] = prio
    o.count += 1
    # 2.6.25 starts over at a new head of the list; 6.18 stays in the cluster it has.
    if low == 0 or o.count == 1:
        o.cursor = 0
    elif low <= o.cursor % (o.count - 1):
        o.cursor = o.cursor % (o.count - 1) + 1


def leave_area(Core core, uint32_t number, uint32_t area):
    """A scope takes no more slots of an area; harmless where it does not."""
    cdef scope_t *o = core.scope(number)
    cdef int32_t prio = core.area(area).prio
    cdef uint32_t at = first_below(o, prio, False), cursor
    core.idle()
    while at < o.count and o.areas[at] != area and o.ranks[at] == prio:
        at += 1
    if at == o.count or o.areas[at] != area:
        return
    cursor = o.cursor % o.count
    o.count -= 1
    o.full = 0
    if at < o.count // 2:   # areas mostly go off in the order in which they came
        memmove(&o.areas[1], &o.areas[0], at * sizeof(uint32_t))
        memmove(&o.ranks[1], &o.ranks[0], at * sizeof(int32_t))
        o.areas += 1
        o.ranks += 1
        o.head += 1
        o.room -= 1
    else:
        memmove(&o.areas[at], &o.areas[at + 1], (o.count - at) * sizeof(uint32_t))
        memmove(&o.ranks[at], &o.ranks[at + 1], (o.count - at) * sizeof(int32_t))
    # 2.6.25 starts over where the next area is gone.
    o.cursor = 0 if cursor == at else cursor - (cursor > at)
    if o.current == area + 1:
        o.current = 0
