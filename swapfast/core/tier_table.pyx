"""Tiers of swap: which areas are in one, and what each memcg has there."""

from libc.stdint cimport uint32_t

from swapfast._core cimport Core
from swapfast.mm.tiers cimport count_tiers, go_scoped, tiers_ready
from swapfast.mm.types cimport area_t, core_t, memcg_t
from swapfast.mm.words cimport MOST_TIERS, NO_LIMIT, NO_TIER

MOST = MOST_TIERS


def begin(Core core, uint32_t tier):
    """A tier of this number is made: what it counts begins at 0."""
    cdef core_t *c = &core.c
    core.idle()
    if tier >= MOST_TIERS:
        raise ValueError(f"tiers have numbers from 0 to {MOST_TIERS - 1}, not {tier}")
    if tier >= c.n_tiers and not tiers_ready(c):
        raise MemoryError("no room for the tiers of memory groups")
    c.n_tiers = max(c.n_tiers, tier + 1)
    go_scoped(c)
    c.tiers[tier].refused_mask = c.tiers[tier].refused_amount = c.tiers[tier].full = 0


def place(Core core, tiers):
    """Say of areas in which tier each is, and count anew what every memcg has there.

    Parameters
    ----------
    tiers : dict of int to int or None
        By number of the area; None: in no tier.
    """
    cdef core_t *c = &core.c
    cdef area_t *a
    cdef bint moved = False
    core.idle()
    for number, tier in tiers.items():
        if tier is not None and not 0 <= tier < c.n_tiers:
            raise ValueError(f"no tier {tier}")
        core.area(number)
    for number, tier in tiers.items():
        a = core.area(number)
        moved |= a.inuse > 0 and a.tier != (NO_TIER if tier is None else tier)
        a.tier = NO_TIER if tier is None else tier
    if moved:
        with nogil:
            count_tiers(c)


def limit(Core core, uint32_t memcg, amounts):
    """What a memcg and all below it may have: slots by tier; what is not named has no limit."""
    cdef memcg_t *g = core.memcg(memcg)
    cdef uint32_t i
    core.idle()
    if not amounts and g.tiers == NULL:
        return
    if g.tiers == NULL:
        raise ValueError("there are no tiers")
    for tier in amounts:
        if not 0 <= tier < core.c.n_tiers:
            raise ValueError(f"no tier {tier}")
    for i in range(MOST_TIERS):
        g.tiers[i].max = amounts.get(i, NO_LIMIT)
    core.c.rules.tier_amounts |= bool(amounts)


def used(Core core, uint32_t memcg):
    """Slots that a memcg and all below it have, by number of the tier."""
    cdef memcg_t *g = core.memcg(memcg)
    cdef uint32_t i
    return [g.tiers[i].used for i in range(core.c.n_tiers)]


def counts(Core core, uint32_t tier):
    """refused_mask, refused_amount, full: allocations that passed the tier over, and why."""
    if tier >= core.c.n_tiers:
        raise ValueError(f"no tier {tier}")
    return dict(core.c.tiers[tier])
