# kswapd: the actor that keeps pages free for others (balance_pgdat, mm/vmscan.c).
#
# It works from the low watermark to the high one: full walks at falling priority, a walk a step.
# Sixteen times in vain, and it stays asleep until somebody else frees something.
#
# - kswapd_step(core, w, a) -> STEP_*

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.actor cimport (
    IN_STALL, JIFFY, STEP_ON, STEP_OUT, STEP_SLEEP, actor_t, spend, world_t,
)
from swapfast.mm.policy_linux618 cimport inactive_is_low, scan_active_618
from swapfast.mm.reclaim cimport drop_cache, free_pages, shrink_node, try_begin
from swapfast.mm.scan cimport scan_control_t
from swapfast.mm.steps cimport may_stop, pay_tags, spend_reclaim
from swapfast.mm.tree cimport tree_next
from swapfast.mm.types cimport UNLIKELY, core_t, memcg_t
from swapfast.mm.waiters cimport queue_up
from swapfast.mm.words cimport NO_MEMCG, POLICY_618, RECLAIM_KSWAPD, SCAN_BATCH

cdef inline void age_all(core_t *core) noexcept nogil:
    # kswapd_age_node
    cdef uint32_t at = 0
    cdef memcg_t *root = &core.memcgs[0]
    if root.policy.kind != POLICY_618 or not inactive_is_low(core, root):
        return
    while at != NO_MEMCG:
        if core.memcgs[at].policy.kind == POLICY_618:
            scan_active_618(core, &core.memcgs[at], SCAN_BATCH)
        at = tree_next(core, 0, at)

cdef inline bint balanced(core_t *core) noexcept nogil:
    return free_pages(core) > core.ram.wmark_high

cdef inline int kswapd_step(core_t *core, world_t *w, actor_t *a) noexcept nogil:
    # balance_pgdat: one full walk at one priority.
    cdef scan_control_t *sc = &a.charge.sc
    cdef uint64_t begin = core.clock.now, freed
    if not a.charge.busy:
        core.count.pageoutrun += 1
        drop_cache(core)
        try_begin(core, sc, &core.memcgs[0], RECLAIM_KSWAPD,
                  max(core.ram.wmark_high, <uint64_t>SCAN_BATCH))
        a.charge.busy = True
    if sc.batch == NULL and (balanced(core) or sc.priority < 1):
        core.kswapd.failures += sc.priority < 1 and sc.freed == 0
        a.charge.busy = False
        spend_reclaim(core, a, core.clock.now - begin)
        return STEP_OUT
    if sc.batch == NULL:
        age_all(core)
        sc.scanned = 0
    may_stop(core)
    shrink_node(core, sc)
    core.may_stop = False
    freed = sc.freed - sc.before
    if freed > 0:
        core.kswapd.failures = 0
    if sc.batch == NULL and (sc.scanned < sc.want or freed == 0):
        sc.priority -= 1
    core.clock.in_reclaim += core.clock.now - begin
    spend_reclaim(core, a, core.clock.now - begin)
    a.left = a.t
    if UNLIKELY(sc.batch != NULL):
        return queue_up(core, w, a)
    a.woken = False
    # reclaim_throttle: it met only pages that are being written.
    if sc.writeback > 0 and sc.writeback >= sc.scanned:
        a.waits = IN_STALL
        spend(a, IN_STALL, JIFFY)
        return STEP_SLEEP
    return STEP_SLEEP if pay_tags(a) else STEP_ON
