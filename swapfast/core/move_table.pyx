"""Plugs that move pages between swap areas: made, counted, and taken off."""

from libc.stdint cimport uint32_t, uint64_t

from swapfast._core cimport Core
from swapfast.mm.demote cimport demote_some, promote, slot_given
from swapfast.mm.movers cimport mover_new
from swapfast.mm.moving cimport MOVE_FULL, MOVE_MOST, MOVE_RATE, MOVE_REFAULT, demote_t
from swapfast.mm.order cimport order_new
from swapfast.mm.types cimport area_t, core_t

WHEN = {"on-full": MOVE_FULL, "proactive": MOVE_RATE, "on-refault": MOVE_REFAULT}
MOST_BATCH = MOVE_MOST


cdef demote_t *plug_of(Core core, uint32_t number) except NULL:
    core.check()
    if number >= core.c.moves.n:
        raise ValueError(f"no plug {number}")
    return core.c.moves.all[number]


cdef demote_t **plug_at(area_t *a, uint32_t when) noexcept:
    # Where an area names the plug of a kind.
    if when == MOVE_FULL:
        return &a.moves.on_full
    return &a.moves.proactive if when == MOVE_RATE else &a.moves.promoter


def add(Core core, when, source, target, *, uint32_t batch, double high, double low,
        uint64_t ns_page):
    """Pages of the areas ``source`` move to those of ``target``; returns the number of the plug.

    ``when``: a key of ``WHEN``; ``batch``: 1 to ``MOST_BATCH`` pages; ``ns_page``: time for a page.
    """
    cdef core_t *c = &core.c
    cdef uint32_t kind = WHEN[when]
    cdef demote_t *d
    core.idle()
    aged = target if kind == MOVE_REFAULT else source
    for number in [*source, *target]:
        core.area(number)
    for number in source:
        if plug_at(core.area(number), kind)[0] != NULL:
            raise ValueError(f"area {number} has a plug for {when} already")
    for number in aged:
        if not order_new(c, core.area(number)):
            raise MemoryError("no room for the ages of slots")
    d = mover_new(c, max(len(source), len(target)))
    if d == NULL:
        raise MemoryError("no room for a plug more")
    d.when, d.batch, d.high, d.low, d.ns_page = kind, batch, high, low, ns_page
    for number in source:
        d.source[d.n_source] = number
        d.n_source += 1
        plug_at(core.area(number), kind)[0] = d
    for number in target:
        d.target[d.n_target] = number
        d.n_target += 1
    c.hooks.slot_given = slot_given
    c.hooks.demote_some = demote_some
    c.hooks.promote = promote
    c.moves.promoters += kind == MOVE_REFAULT
    return c.moves.n - 1


def remove(Core core, uint32_t number):
    """It moves nothing any more, and what it counted stays; harmless when that is so already."""
    cdef demote_t *d = plug_of(core, number)
    cdef uint32_t k
    core.idle()
    if d.off:
        return
    d.off = True
    for k in range(d.n_source):
        plug_at(&core.c.areas[d.source[k]], d.when)[0] = NULL
    core.c.moves.promoters -= d.when == MOVE_REFAULT


def info(Core core, uint32_t number):
    """Pages demoted, promoted, read, written and failed, and ns."""
    cdef demote_t *d = plug_of(core, number)
    return {"demoted": d.demoted, "promoted": d.promoted, "pages_read": d.pages_read,
            "pages_written": d.pages_written, "failed": d.failed, "ns": d.ns}
