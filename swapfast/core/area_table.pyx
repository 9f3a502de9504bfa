"""Swap areas: their slots, their file, and what is wiped."""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t, uint8_t
from libc.string cimport memset

from swapfast._core cimport Core
from swapfast.mm.area cimport area_give_up, area_of
from swapfast.mm.arrays cimport arrays_reserve_slots
from swapfast.mm.choice cimport scope_t
from swapfast.mm.movers cimport movers_forget
from swapfast.mm.order cimport hooks_set
from swapfast.mm.picks cimport picks_forget, picks_reserve
from swapfast.mm.rmap cimport next_mapper
from swapfast.mm.slots cimport (
    LIST_PARTLY, NO_CLUSTER, slot_map_bytes, slots_free, slots_init,
)
from swapfast.mm.state cimport area_keep_sums
from swapfast.mm.table cimport table_give, table_take
from swapfast.mm.types cimport area_t, core_t, lazy_map, lazy_unmap
from swapfast.mm.wipe cimport wipe_area
from swapfast.mm.words cimport (
    BLOCK_SHIFT, CLUSTER, NIL, NO_TIER, PAGE_SIZE, PTE_SHARED, SCOPE_NOWHERE, SLOTS_CLUSTER,
    SLOTS_NEXTFIT, TURN_CPU_AREA,
)

import numpy as np


cdef void reclaimable_again(Core core) noexcept:
    # 2.6.25: an area that is turned on, or put back, gives pages of its own back, and a freed
    # page ends all_unreclaimable (free_pages_bulk).
    core.c.kswapd.scanned = 0
    core.c.kswapd.all_unreclaimable = False


cdef uint32_t take_number(core_t *c) except? 0xffffffff:
    cdef int64_t number = table_take(&c.area_numbers, <void **>&c.areas, &c.areas_max,
                                     sizeof(area_t))
    if number >= 0:
        if c.rules.turn != TURN_CPU_AREA or picks_reserve(c, c.cpus, c.areas_max):
            return <uint32_t>number
        table_give(&c.area_numbers, <uint32_t>number)
    raise MemoryError("no room for one area more")


def add(Core core, uint64_t base, uint64_t slots, int32_t prio, uint32_t scope, *,
        bad=None, file=None, bint clustered=False, bint sums=False):
    """Enter an area: entries ``base`` to ``base + slots - 1``; slot 0 is its header.

    Parameters
    ----------
    base : int
        Multiple of 512.
    slots : int
        Slots including the header, at least 2.
    scope : int
        Of its swap namespace; ``NOWHERE``: private, used by scopes with it in their table alone.
    bad : uint32 array, optional
        Slots never given.
    file : writable buffer, optional
        The mapped swapfile, at least ``slots * 4096`` bytes; kept until `remove`.
    clustered : bool
        6.18 slot clusters, else next-fit.
    sums : bool
        A checksum of each page that is written, compared when it is read.
    """
    cdef core_t *c = &core.c
    cdef area_t *a
    cdef uint32_t number
    cdef uint64_t k
    cdef uint8_t[::1] view
    core.idle()
    if base % CLUSTER or slots < 2 or slots > <uint64_t>1 << 31:
        raise ValueError("an area begins on a cluster and has 2 to 2**31 slots")
    cdef const uint32_t[::1] listed
    cdef uint32_t bad_slots = 0
    cdef const uint32_t *first_bad = NULL
    if bad is not None and len(bad):
        numbers = np.ascontiguousarray(bad, dtype=np.uint32)
        if int(numbers.max()) >= slots:
            raise ValueError("a bad slot lies in its area")
        listed = numbers
        first_bad = &listed[0]
        bad_slots = <uint32_t>listed.shape[0]
    if file is not None:
        view = file
        if <uint64_t>view.shape[0] < slots * PAGE_SIZE:
            raise ValueError("the mapped file is shorter than its slots")
    if not arrays_reserve_slots(c, base + slots):
        raise MemoryError(f"no room for swap entries below {base + slots}")
    number = take_number(c)
    a = &c.areas[number]
    a.base = <uint32_t>base
    a.prio = prio
    a.scope = scope
    a.private = scope == SCOPE_NOWHERE
    a.tier = NO_TIER
    a.strategy = SLOTS_CLUSTER if clustered else SLOTS_NEXTFIT
    if not slots_init(a, <uint32_t>slots, first_bad, bad_slots):
        table_give(&core.c.area_numbers, number)
        raise MemoryError("no room for the maps of a swap area")
    if c.rules.zeromap:
        a.zeromap_bytes = ((slots + 63) >> 6) * 8
        a.zeromap = <uint64_t *>lazy_map(a.zeromap_bytes)
        if a.zeromap == NULL:
            slots_free(a)
            table_give(&core.c.area_numbers, number)
            raise MemoryError("no room for the zero map of a swap area")
    if sums and not area_keep_sums(a):
        slots_free(a)
        table_give(&core.c.area_numbers, number)
        raise MemoryError("no room for the checksums of a swap area")
    if file is not None:
        a.file = &view[0]
        core.buffers[number] = view
    for k in range(base // CLUSTER, (base + slots + CLUSTER - 1) // CLUSTER):
        c.cluster_area[k] = number
    hooks_set(c)
    a.used = True
    if a.private:
        c.rules.private_areas = c.rules.swap_limits = True
    set_writeok(core, number, True)
    return number


def info(Core core, uint32_t number):
    """base, slots, pages (usable), inuse, prio, scope, writeok, failed, pswpin, pswpout."""
    cdef area_t *a = core.area(number)
    return {"base": a.base, "slots": a.slots, "pages": a.pages, "inuse": a.inuse,
            "prio": a.prio, "scope": a.scope, "writeok": bool(a.writeok),
            "failed": bool(a.failed), "pswpin": a.pswpin, "pswpout": a.pswpout}


def owners(Core core, uint32_t number):
    """Whose data the slots of an area hold: their number by mapping, a uint32 array.

    Data that several private mappings share are counted for each; those of a shared object for the
    object.
    """
    cdef core_t *c = &core.c
    cdef area_t *a = core.area(number)
    cdef uint32_t slot, home, p
    core.idle()
    slots = np.zeros(c.mappings_max, dtype=np.uint32)
    cdef uint32_t[::1] v = slots
    for slot in range(1, a.slots):
        home = c.slot_page[a.base + slot]
        if home == NIL:
            continue
        v[c.block_mapping[home >> BLOCK_SHIFT]] += 1
        p = NIL if c.page[home].pte & PTE_SHARED else next_mapper(c, home)
        while p != NIL and p != home:
            v[c.block_mapping[p >> BLOCK_SHIFT]] += 1
            p = c.next[p]
    return slots


def renumber(Core core, numbers, prios):
    """Give areas other default priorities; their order stays as it is."""
    cdef core_t *c = &core.c
    cdef scope_t *o
    cdef uint32_t i, k
    for number, prio in zip(numbers, prios, strict=True):
        core.area(number).prio = prio
    for i in range(c.scope_numbers.top):
        o = &c.scopes[i]
        if o.serial == 0:   # a table of cgroups has ranks of its own
            continue
        for k in range(o.count):
            o.ranks[k] = c.areas[o.areas[k]].prio


def set_writeok(Core core, uint32_t number, bint writeok):
    """SWP_WRITEOK: whether new slots may be given. Off while it is being swapped off."""
    cdef area_t *a = core.area(number)
    core.idle()
    if a.failed:
        return   # it was given up and stays off
    if not writeok:
        picks_forget(&core.c, number)
    if a.writeok and not writeok:
        core.c.swap.total -= a.pages
        core.c.swap.free -= a.pages - a.inuse
    elif writeok and not a.writeok:
        core.c.swap.total += a.pages
        core.c.swap.free += a.pages - a.inuse
        core.c.turns += 1
        a.turn = core.c.turns   # behind its equals
        reclaimable_again(core)
    a.writeok = writeok


def slot_counts(Core core):
    """fast_hits, missed_mask, missed_use, turns, and now: partly_used clusters, slots free in them.

    All but the last two stay 0 unless processors have current clusters.
    """
    cdef core_t *c = &core.c
    cdef area_t *a
    cdef uint32_t i, at
    cdef uint64_t clusters = 0, slots = 0, outside
    for i in range(c.area_numbers.top):
        a = &c.areas[i]
        if not a.used or a.strategy != SLOTS_CLUSTER:
            continue
        at = a.first[LIST_PARTLY]
        while at != NO_CLUSTER:
            # Slots that an area does not have count as used.
            outside = at == 0
            if (<uint64_t>at + 1) * CLUSTER > a.slots:
                outside += (<uint64_t>at + 1) * CLUSTER - a.slots
            if a.cl_used[at] > outside:
                clusters += 1
                slots += CLUSTER - a.cl_used[at]
            at = a.cl_next[at]
    return {**dict(c.slot_count), "partly_used": clusters, "free_in_partly": slots}


def release_file(Core core, uint32_t number):
    """Let go of an area's file; from now on it holds no bytes."""
    cdef area_t *a = core.area(number)
    core.idle()
    a.file = NULL
    lazy_unmap(a.held, slot_map_bytes(a))
    a.held = NULL
    core.buffers.pop(number, None)


def remove(Core core, uint32_t number):
    """Forget an area without slots in use and let go of its file."""
    cdef area_t *a = core.area(number)
    core.idle()
    if a.inuse:
        raise ValueError(f"area {number} still has {a.inuse} slots in use")
    if a.writeok:
        set_writeok(core, number, False)
    picks_forget(&core.c, number)
    slots_free(a)
    movers_forget(&core.c, number)
    a.used = False
    core.buffers.pop(number, None)
    table_give(&core.c.area_numbers, number)


def wipe_freed(Core core, uint32_t number, int fd):
    """From now on slots that are freed are overwritten with zeroes (-1: not any more).

    Free slots are taken to hold bytes until `wipe`, if some slot is in use now.
    """
    cdef area_t *a = core.area(number)
    cdef size_t n = slot_map_bytes(a)
    core.idle()
    lazy_unmap(a.held, n)
    a.held = NULL
    a.fd = fd
    if fd < 0 or a.file == NULL:
        return
    a.held = <uint64_t *>lazy_map(n)
    a.watched = True
    if a.held == NULL:
        raise MemoryError("no room for a map of slots")
    if a.inuse:
        memset(a.held, 0xff, n)


def wipe(Core core, uint32_t number, int fd, bint everything):
    """Overwrite what lies in slots that nobody uses and no checkpoint names.

    Parameters
    ----------
    number : int
    fd : int
        Of the area's file.
    everything : bool
        Every such slot, or those that were freed and could not be wiped then.

    Returns
    -------
    int
        0, or an errno.
    """
    cdef area_t *a = core.area(number)
    core.idle()
    a.fd = fd
    a.wipe_error = 0
    if everything or (a.held != NULL and a.wipe_end != 0):
        with nogil:
            a.wipe_error = wipe_area(a, everything)
    return a.wipe_error


def wipe_failures(Core core):
    """``(area, errno)`` of each area with freed slots that could not be wiped."""
    cdef uint32_t i
    if not core.c.error.wipe_failed:   # asked after every batch
        return []
    failed = [(i, core.c.areas[i].wipe_error) for i in range(core.c.area_numbers.top)
              if core.c.areas[i].used and core.c.areas[i].wipe_error]
    core.c.error.wipe_failed = bool(failed)
    return failed


def bad_slot(Core core):
    """``(area, slot, cause)`` of the last page that could not be read or written back.

    The cause is ``BAD_FILE``, ``BAD_SUM`` or ``BAD_AREA``.
    """
    cdef core_t *c = &core.c
    cdef area_t *a = area_of(c, c.error.entry)
    return a - c.areas, c.error.entry - a.base, c.error.cause


def lost(Core core, uint32_t number):
    """The file is not what it was: nothing is read from it or written to it any more."""
    cdef area_t *a = core.area(number)
    core.idle()
    if not a.failed:
        area_give_up(&core.c, a)
    a.lost = True
