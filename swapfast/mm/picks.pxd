# picks: the current clusters of the processors, and whose turn it is among equal areas (6.18,
# mm/swapfile.c: percpu_swap_cluster, swap_alloc_fast, swap_alloc_slow).
#
#   processor   row of clusters, core.picks: one for all areas, one for each, or one for each tier
#   turn        an area that goes behind its equals gets the next number; of equal ones the least is
#               next. The turns are the machine's: whoever takes one moves the area for everybody
#
# A disk that turns has no cluster of a processor: it has a position of its own.
#
# - picks_reserve(core, cpus, row): rows and places at least; False: there is no memory
# - picks_forget(core, number): no processor stays in this area
# - pick_of(core, place): a cluster of the processor that runs
# - turn_goes(core, a): it goes behind its equals
# - take_at(core, p) -> entry: out of this cluster, or NO_SLOT: it is used up, or there is none
# - take_new(core, a, p) -> entry: out of another cluster of the area, which is this one from now
#   on; or NO_SLOT

from libc.stdint cimport uint32_t
from swapfast.mm.area cimport take_from
from swapfast.mm.choice cimport pick_t
from swapfast.mm.slots cimport cluster_find
from swapfast.mm.types cimport area_t, core_t
from swapfast.mm.words cimport CLUSTER, NO_SLOT
from libc.stdlib cimport calloc, free

cdef inline bint picks_reserve(core_t *core, uint32_t cpus, uint32_t row) noexcept nogil:
    cdef uint32_t c, k
    cdef pick_t *moved
    if cpus <= core.cpus and row <= core.pick_row:
        return True
    if cpus < core.cpus:
        cpus = core.cpus
    if row < core.pick_row:
        row = core.pick_row
    moved = <pick_t *>calloc(<size_t>cpus * row, sizeof(pick_t))
    if moved == NULL:
        return False
    for c in range(core.cpus):
        for k in range(core.pick_row):
            moved[c * row + k] = core.picks[c * core.pick_row + k]
    free(core.picks)
    core.picks = moved
    core.cpus = cpus
    core.pick_row = row
    return True

cdef inline void picks_forget(core_t *core, uint32_t number) noexcept nogil:
    cdef uint32_t k
    for k in range(core.cpus * core.pick_row):
        if core.picks[k].area == number + 1:
            core.picks[k].area = core.picks[k].position = 0

cdef inline pick_t *pick_of(core_t *core, uint32_t place) noexcept nogil:
    return &core.picks[core.cpu * core.pick_row + place]

cdef inline void turn_goes(core_t *core, area_t *a) noexcept nogil:
    core.turns += 1
    a.turn = core.turns

cdef inline uint32_t take_from_place(core_t *core, area_t *a, uint32_t *position) noexcept nogil:
    # The area's own position stays as it is.
    cdef uint32_t own = a.position, entry
    a.position = position[0]
    entry = take_from(core, a)
    position[0] = a.position
    a.position = own
    return entry

cdef inline uint32_t take_at(core_t *core, pick_t *p) noexcept nogil:
    cdef area_t *a
    if p.position == 0 or not core.areas[p.area - 1].writeok:
        return NO_SLOT
    a = &core.areas[p.area - 1]
    if cluster_find(a, p.position // CLUSTER, p.position) != NO_SLOT:
        return take_from_place(core, a, &p.position)
    # A full cluster is not looked at, and the place in it stays (cluster_is_usable).
    if a.cl_used[p.position // CLUSTER] < CLUSTER:
        p.position = 0
    return NO_SLOT

cdef inline uint32_t take_new(core_t *core, area_t *a, pick_t *p) noexcept nogil:
    cdef uint32_t position = 0, entry
    if a.rotational:
        return take_from(core, a)
    entry = take_from_place(core, a, &position)
    if entry != NO_SLOT:
        p.area = <uint32_t>(a - core.areas) + 1
        p.position = position
    return entry
