# high: memory.high and memory.swap.high: whoever charges above them reclaims, and then sleeps
# (__mem_cgroup_handle_over_high, mm/memcontrol.c).
#
# Pages charged above a limit are a debt of the task. When it is a whole batch the task frees as
# many from each level above its limit, and is held up for the square of the overage: 1 % above is
# 6 ms, 10 % is 640 ms, and 2 s are the most. Below 10 ms nobody sleeps.
#
# - high_reclaim(core, g, pages) -> pages freed: from each level that is too high, bottom up
# - high_delay(core, g, pages) -> ns to sleep
# - high_begin(core, h, debt); high_round(core, g, h) -> True: another one follows
# - high_pay(core, g): the debt of who runs, all at once

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.reclaim cimport try_begin, try_pass
from swapfast.mm.scan cimport scan_control_t
from swapfast.mm.tree cimport note_event
from swapfast.mm.types cimport core_t, memcg_t
from swapfast.mm.words cimport (
    EV_HIGH, EV_SWAP_HIGH, HIGH_BATCH, HZ, NO_MEMCG, RECLAIM_LIMIT, SCAN_BATCH,
)

cdef enum:
    OVERAGE_SHIFT = 20       # MEMCG_DELAY_PRECISION_SHIFT
    SCALING_SHIFT = 14       # MEMCG_DELAY_SCALING_SHIFT

cdef struct high_t:      # a debt that is being paid
    uint64_t owed        # pages
    uint64_t want        # pages, of the next reclaim
    uint64_t delay       # ns
    uint32_t tries       # that free nothing, left

cdef inline uint64_t high_reclaim(core_t *core, memcg_t *g, uint64_t pages) noexcept nogil:
    cdef scan_control_t sc
    cdef uint64_t freed = 0
    while g.parent != NO_MEMCG:
        if g.usage > g.high:
            note_event(core, g, EV_HIGH)
            try_begin(core, &sc, g, RECLAIM_LIMIT, max(pages, <uint64_t>SCAN_BATCH))
            while try_pass(core, &sc):
                pass
            freed += sc.freed
        g = &core.memcgs[g.parent]
    return freed

cdef inline uint64_t overage(uint64_t usage, uint64_t high) noexcept nogil:
    if usage <= high:
        return 0
    return ((usage - high) << OVERAGE_SHIFT) // max(high, <uint64_t>1)

cdef inline uint64_t penalty(uint64_t over, uint64_t pages) noexcept nogil:
    # Jiffies. An overage of 2^26 is 64 times the limit: far beyond the 2 s that are the most.
    over = min(over, <uint64_t>1 << 26)
    return (over * over * HZ >> (OVERAGE_SHIFT + SCALING_SHIFT)) * pages // HIGH_BATCH

cdef inline uint64_t high_delay(core_t *core, memcg_t *g, uint64_t pages) noexcept nogil:
    cdef uint64_t memory = 0, swap = 0, one, jiffies
    while g.parent != NO_MEMCG:
        memory = max(memory, overage(g.usage, g.high))
        one = overage(g.swap_usage, g.swap_high)
        if one > 0:
            note_event(core, g, EV_SWAP_HIGH)
        swap = max(swap, one)
        g = &core.memcgs[g.parent]
    jiffies = min(penalty(memory, pages) + penalty(swap, pages), <uint64_t>2 * HZ)
    if jiffies <= HZ // 100:
        return 0
    return jiffies * (1000000000 // HZ)

cdef inline void high_begin(core_t *core, high_t *h, uint64_t debt) noexcept nogil:
    h.owed = h.want = debt
    h.tries = core.rules.oom_retries

cdef inline bint high_round(core_t *core, memcg_t *g, high_t *h) noexcept nogil:
    # Reclaims once. True: again; else h.delay is to be slept.
    cdef uint64_t freed = high_reclaim(core, g, h.want)
    h.delay = high_delay(core, g, h.owed)
    h.want = SCAN_BATCH
    if h.delay == 0 or (freed == 0 and h.tries == 0):
        return False
    h.tries -= freed == 0
    return True

cdef inline void high_pay(core_t *core, memcg_t *g) noexcept nogil:
    cdef high_t h
    high_begin(core, &h, core.debt)
    core.debt = 0
    while high_round(core, g, &h):
        pass
    core.clock.now += h.delay
