"""Memcgs: a tree of limits, a replacement policy and two lists each."""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free

from swapfast._core cimport Core
from swapfast.mm.abandon cimport abandon_all
from swapfast.mm.batch cimport batches_forget
from swapfast.mm.gens cimport gens_t
from swapfast.mm.mglru_lists cimport (
    active_pages, gens_free, gens_new, inactive_pages, lru_drain,
)
from swapfast.mm.mglru_switch cimport switch_off, switch_on
from swapfast.mm.policy cimport policy_find
from swapfast.mm.policy_linux618 cimport refresh_due
from swapfast.mm.ring cimport ring_free, ring_init
from swapfast.mm.table cimport table_give, table_take
from swapfast.mm.tiers cimport tiers_of
from swapfast.mm.tree cimport note_event, tree_link, tree_unlink, usage_of
from swapfast.mm.types cimport core_t, memcg_t, policy_t
from swapfast.mm.words cimport (
    DEF_PRIORITY, EVENTS, GENS, LRU_GEN_CORE, MOST_DEPTH, NO_LIMIT, NO_MEMCG, POLICY_MGLRU,
    SCOPE_UNSET,
)

from swapfast._core import policy_names

ROOT = 0
EVENT_NAMES = ("low", "high", "max", "oom", "oom_kill", "oom_group_kill", "swap_high", "swap_max",
               "swap_fail")

cdef enum:
    FIRST_PAGES = 32   # the lists have room for, to begin with


def add(Core core, policy, uint64_t limit=0, uint32_t parent=ROOT):
    """A memcg below another, under a replacement policy; ``limit`` in pages, 0 = none.

    The first one is the root, and has neither.
    """
    cdef core_t *c = &core.c
    cdef bytes name = policy.encode()
    cdef const policy_t *p = policy_find(core.policies, name)
    cdef int64_t number
    cdef memcg_t *g
    cdef bint first = c.memcg_numbers.top == 0
    core.idle()
    if p == NULL:
        raise ValueError(f"no policy {policy!r}; there are {', '.join(policy_names())}")
    if not first and core.memcg(parent).depth == MOST_DEPTH:
        raise ValueError(f"a memory group has at most {MOST_DEPTH} above it")
    number = table_take(&c.memcg_numbers, <void **>&c.memcgs, &c.memcgs_max, sizeof(memcg_t))
    if number < 0:
        raise MemoryError("no room for one memory group more")
    g = &c.memcgs[number]
    g.policy = p
    g.id = number
    g.parent = g.child = g.last_child = g.next = g.prev = g.walk_at = NO_MEMCG
    g.max = limit if limit else NO_LIMIT
    g.high = g.swap_max = g.swap_high = NO_LIMIT
    g.namespace = g.scope = SCOPE_UNSET
    g.prev_priority = DEF_PRIORITY
    if c.rules.stat_period:
        g.seen.due = refresh_due(c, c.clock.now)
    if (not ring_init(&g.inactive, FIRST_PAGES) or not ring_init(&g.active, FIRST_PAGES)
            or (c.n_tiers > 0 and not tiers_of(g))
            or (p.kind == POLICY_MGLRU and not gens_new(c, g))):
        ring_free(&g.inactive)
        ring_free(&g.active)
        free(g.tiers)
        table_give(&c.memcg_numbers, <uint32_t>number)
        raise MemoryError("no room for the lists of a memory group")
    c.mglru.groups += g.gens != NULL
    g.used = True
    if not first:
        tree_link(c, &c.memcgs[parent], g)
    return number


def remove(Core core, uint32_t number):
    """Forget a memcg that nothing is charged to; the one above keeps what it counted."""
    cdef memcg_t *g = core.memcg(number)
    cdef memcg_t *parent
    core.idle()
    if g.parent == NO_MEMCG:
        raise ValueError("the root of memory groups stays")
    if g.child != NO_MEMCG:
        raise ValueError(f"group {g.child} is still below group {number}")
    if g.mappings:
        raise ValueError(f"{g.mappings} mappings are still charged to group {number}")
    parent = &core.c.memcgs[g.parent]
    parent.stat = sum_of(dict(parent.stat), dict(g.stat))
    batches_forget(&core.c, number)
    tree_unlink(&core.c, g)
    ring_free(&g.inactive)
    ring_free(&g.active)
    core.c.mglru.groups -= g.gens != NULL
    gens_free(g)
    free(g.tiers)
    g.tiers = NULL
    g.used = False
    table_give(&core.c.memcg_numbers, number)


cdef dict sum_of(dict a, dict b):
    return {name: value + b[name] for name, value in a.items()}


def configure(Core core, uint32_t number, **pages):
    """Set ``max``, ``high``, ``low``, ``min``, ``swap_max``, ``swap_high`` in pages; None: none.

    Nothing is reclaimed by that.
    """
    cdef memcg_t *g = core.memcg(number)
    core.idle()
    if g.parent == NO_MEMCG:
        raise ValueError("the root of memory groups has no limits")
    for name, value in pages.items():
        limit_named(g, name)[0] = NO_LIMIT if value is None else value
        core.c.rules.highs |= name in ("high", "swap_high")
        core.c.rules.protection |= name in ("low", "min")
        core.c.rules.swap_limits |= name in ("swap_max", "swap_high")


cdef uint64_t *limit_named(memcg_t *g, name) except NULL:
    if name == "max":
        return &g.max
    if name == "high":
        return &g.high
    if name == "low":
        return &g.low
    if name == "min":
        return &g.min
    if name == "swap_max":
        return &g.swap_max
    if name == "swap_high":
        return &g.swap_high
    raise ValueError(f"a memory group has no {name!r}")


def use_v2(Core core, bint v2=True, bint recursiveprot=True):
    """Rules of cgroup v2: a scan does not wait for a page under writeback, it activates it."""
    core.idle()
    core.c.rules.waits_for_writeback = not v2
    core.c.rules.recursiveprot = recursiveprot


def is_v2(Core core):
    """Whether the rules are those of cgroup v2."""
    return not core.c.rules.waits_for_writeback


def note(Core core, uint32_t number, name):
    """One event more, for the memcg and all above it (memcg_memory_event)."""
    cdef memcg_t *g = core.memcg(number)
    note_event(&core.c, g, EVENT_NAMES.index(name))


cdef limit_of(uint64_t pages):
    return None if pages == NO_LIMIT else pages


def info(Core core, uint32_t number):
    """Limits and counts in pages; a limit of None is "max". ``limit`` is ``max``, 0 for none.

    ``usage``, ``swap_usage``, their peaks and ``events`` are of all below, too; ``inactive``,
    ``active`` and ``stat`` of the memcg alone.
    """
    cdef memcg_t *g = core.memcg(number)
    cdef uint32_t i
    return {"limit": 0 if g.max == NO_LIMIT else g.max, "usage": usage_of(&core.c, g),
            "inactive": inactive_pages(g), "active": active_pages(g),
            "policy": (<bytes>g.policy.name).decode(),
            "parent": None if g.parent == NO_MEMCG else g.parent, "depth": g.depth,
            "max": limit_of(g.max), "high": limit_of(g.high), "low": limit_of(g.low),
            "min": limit_of(g.min), "peak": g.peak, "swap_max": limit_of(g.swap_max),
            "swap_high": limit_of(g.swap_high), "swap_usage": g.swap_usage,
            "swap_peak": g.swap_peak, "mappings": g.mappings, "stat": dict(g.stat),
            "events": {EVENT_NAMES[i]: g.events[i] for i in range(EVENTS)}}


def usage(Core core, uint32_t number):
    """(usage, swap_usage) in pages, of all below too."""
    cdef memcg_t *g = core.memcg(number)
    return usage_of(&core.c, g), g.swap_usage


def children(Core core, uint32_t number):
    """Numbers of the memcgs right below, in order of creation."""
    cdef uint32_t at = core.memcg(number).child
    found = []
    while at != NO_MEMCG:
        found.append(at)
        at = core.c.memcgs[at].next
    return found


NO_GENERATIONS = {"max_seq": 3, "min_seq": 0, "file_seq": 0, "pages": [0] * 4, "born": [0] * 4,
                  "tiers": []}


def lru_gen(Core core):
    """The mask of /sys/kernel/mm/lru_gen/enabled."""
    return core.c.mglru.mask


def switch_lru(Core core, uint32_t mask):
    """Change that mask: memcgs go from the classic LRU to the other or back, with their pages.

    Those under policies that are no kernel's stay as they are.
    """
    cdef core_t *c = &core.c
    cdef const policy_t *classic = policy_find(core.policies, b"linux-6.18")
    cdef const policy_t *other = policy_find(core.policies, b"linux-6.18-mglru")
    cdef memcg_t *g
    cdef uint32_t i
    core.idle()
    if mask > 7:
        raise ValueError(f"lru_gen is a mask from 0 to 7, not {mask}")
    abandon_all(c)
    for i in range(c.memcg_numbers.top):
        g = &c.memcgs[i]
        if not g.used:
            continue
        if mask & LRU_GEN_CORE and g.policy == classic:
            if not switch_on(c, g, other):
                raise MemoryError("no room for the generations of a memory group")
        elif not mask & LRU_GEN_CORE and g.policy == other:
            switch_off(c, g, classic)
    c.mglru.mask = mask


def drain(Core core):
    """Empty the batches of pages that wait to be rotated or activated (lru_add_drain)."""
    core.idle()
    lru_drain(&core.c)


def generations(Core core, uint32_t number):
    """What the generations of a memcg are, and were while the classic LRU is on; None: never.

    Returns
    -------
    dict
        max_seq, min_seq; file_seq: the oldest of the file pages, of which there are none; pages:
        oldest first; born: simulated nanoseconds, by number modulo 4; tiers: for pages seen
        accessed once or never, and twice, the sums of the controller.
    """
    cdef memcg_t *g = core.memcg(number)
    cdef gens_t *gens = g.gens if g.gens != NULL else g.resting
    cdef uint32_t i
    cdef uint64_t seq
    if gens == NULL:
        return None
    here = range(gens.min_seq, gens.max_seq + 1)
    return {"max_seq": gens.max_seq, "min_seq": gens.min_seq, "file_seq": gens.file_seq,
            "pages": [gens.pages[seq % GENS] for seq in here],
            "born": [gens.born[i] for i in range(GENS)],
            "tiers": [{"refaulted": gens.refaulted[i], "evicted": gens.evicted[i],
                       "protected": gens.protected[i], "avg_refaulted": gens.avg_refaulted[i],
                       "avg_total": gens.avg_total[i]} for i in range(2)]}


def failed(Core core):
    """The memcg at whose limit the last charge failed (``OOM_GROUP``)."""
    return core.c.error.memcg
