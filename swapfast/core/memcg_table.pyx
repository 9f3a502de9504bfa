"""Memory groups: a limit, a replacement policy, two lists."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from swapfast._core cimport Core
from swapfast.mm.policy cimport policy_find
from swapfast.mm.policy_linux618 cimport refresh_due
from swapfast.mm.ring cimport ring_free, ring_init
from swapfast.mm.table cimport table_give, table_take
from swapfast.mm.types cimport (
    DEF_PRIORITY, MAP_FREE, SCAN_BATCH, SHARE_SHIFT, core_t, memcg_t, policy_t,
)

from swapfast._core import policy_names


def add(Core core, policy, uint64_t limit=0):
    """A memory group under a replacement policy; ``limit`` in pages, 0 = none."""
    cdef core_t *c = &core.c
    cdef bytes name = policy.encode()
    cdef const policy_t *p = policy_find(core.policies, name)
    cdef int64_t number
    cdef memcg_t *g
    cdef uint64_t most = c.ram.pages
    core.idle()
    if p == NULL:
        raise ValueError(f"no policy {policy!r}; there are {', '.join(policy_names())}")
    number = table_take(&c.memcg_numbers, <void **>&c.memcgs, &c.memcgs_max, sizeof(memcg_t))
    if number < 0:
        raise MemoryError("no room for one memory group more")
    g = &c.memcgs[number]
    g.policy = p
    g.limit = limit
    g.id = number
    g.prev_priority = DEF_PRIORITY
    # Groups of one size do not all come to a whole batch in the same walk.
    g.share = number * <uint64_t>0x9e3779b9 % (SCAN_BATCH << SHARE_SHIFT)
    if c.rules.stat_period:
        g.seen.due = refresh_due(c, c.clock.now)
    if 0 < limit < most:
        most = limit
    if not ring_init(&g.inactive, most) or not ring_init(&g.active, most):
        ring_free(&g.inactive)
        ring_free(&g.active)
        table_give(&c.memcg_numbers, <uint32_t>number)
        raise MemoryError("no room for the lists of a memory group")
    g.used = True
    c.memcgs_used += 1
    return number


def remove(Core core, uint32_t number):
    """Forget a group that no mapping is charged to."""
    cdef memcg_t *g = core.memcg(number)
    cdef uint32_t i
    core.idle()
    for i in range(core.c.mapping_numbers.top):
        if core.c.mappings != NULL and core.c.mappings[i].kind != MAP_FREE \
                and core.c.mappings[i].memcg == number:
            raise ValueError(f"mapping {i} is still charged to group {number}")
    ring_free(&g.inactive)
    ring_free(&g.active)
    g.used = False
    core.c.memcgs_used -= 1
    table_give(&core.c.memcg_numbers, number)


def info(Core core, uint32_t number):
    """limit, usage, inactive, active in pages, and the policy's name."""
    cdef memcg_t *g = core.memcg(number)
    return {"limit": g.limit, "usage": g.usage, "inactive": g.inactive.live,
            "active": g.active.live, "policy": (<bytes>g.policy.name).decode()}
