# reclaim: tries to free pages, and who makes them: a charge at a limit, kswapd, a task that finds
# no page (mm/vmscan.c, mm/page_alloc.c).
#
#   try     priority 12 down to 0 until enough is freed (do_try_to_free_pages); one that freed
#           nothing is repeated over the whole tree, then with deactivation forced, then from what
#           memory.low protects
#   pass    one walk over the target and all below it at one priority (shrink_node). A partial walk
#           ends when enough is freed, and the next one goes on behind it, so that pressure does not
#           always begin with the oldest memcg; kswapd's are full
#
# - free_pages(core)
# - try_begin(core, sc, target, kind, want): a try, before its first pass
# - try_pass(core, sc) -> True: another pass is due, or this one has stopped (sc.batch)
# - try_to_free(core, target, kind) -> pages freed, all passes at once
# - kswapd(core): works until the high watermark
# - direct_reclaim(core) -> ST_OK, or ST_OOM: below the low watermark, before a page is given
# - nothing_reclaimable(core): no page could go anywhere (zone_reclaimable_pages)

from libc.stdint cimport int32_t, uint32_t, uint64_t
from swapfast.mm.area cimport swap_left
from swapfast.mm.gens cimport gens_t
from swapfast.mm.plug cimport wait_all
from swapfast.mm.protect cimport may_scan, protect_above
from swapfast.mm.scan cimport scan_control_t
from swapfast.mm.tree cimport tree_next
from swapfast.mm.types cimport LIKELY, UNLIKELY, core_t, memcg_t
from swapfast.mm.words cimport (
    DEF_PRIORITY, NO_MEMCG, POLICY_25, POLICY_PLAIN, RECLAIM_DIRECT, RECLAIM_KSWAPD, RECLAIM_LIMIT,
    SCAN_BATCH, ST_OK, ST_OOM,
)

cdef inline uint64_t free_pages(core_t *core) noexcept nogil:
    cdef uint64_t used = core.ram.used + core.ram.others
    return core.ram.pages - used if core.ram.pages > used else 0

cdef inline uint64_t own_pages(memcg_t *g) noexcept nogil:
    cdef gens_t *gens = g.gens
    cdef uint64_t pages = g.inactive.live + g.active.live
    if gens != NULL:
        pages += gens.pages[0] + gens.pages[1] + gens.pages[2] + gens.pages[3]
    return pages

cdef inline uint64_t shrink_memcg(core_t *core, memcg_t *target, memcg_t *g,
                                  scan_control_t *sc) noexcept nogil:
    if UNLIKELY(sc.batch != NULL):
        return g.policy.shrink(core, g, sc)
    if core.rules.protection and not may_scan(core, target, g, sc):
        return 0
    if g.inactive.live == 0 and g.active.live == 0 and g.gens == NULL:
        return 0
    if g.policy.kind != target.policy.kind and g.policy.prepare != NULL:
        g.policy.prepare(core, target, sc)
    return g.policy.shrink(core, g, sc)

cdef inline uint64_t walk(core_t *core, memcg_t *target, scan_control_t *sc) noexcept nogil:
    # shrink_node_memcgs
    cdef bint full = sc.kind == RECLAIM_KSWAPD or sc.full
    cdef uint32_t at = sc.target
    cdef uint64_t freed = 0
    if UNLIKELY(sc.batch != NULL):
        at = sc.at
    elif not full and target.walk_at != NO_MEMCG:
        at = target.walk_at
    if core.rules.protection:
        protect_above(core, target, &core.memcgs[at])
    while at != NO_MEMCG:
        freed += shrink_memcg(core, target, &core.memcgs[at], sc)
        if UNLIKELY(sc.batch != NULL):
            sc.at = at
            return freed
        at = tree_next(core, sc.target, at)
        if not full and sc.freed + freed >= sc.want:
            break
    if not full:
        target.walk_at = at
    return freed

cdef inline uint64_t shrink_node(core_t *core, scan_control_t *sc) noexcept nogil:
    cdef memcg_t *target = &core.memcgs[sc.target]
    cdef uint64_t freed
    if LIKELY(sc.batch == NULL):
        if target.policy.prepare != NULL:
            target.policy.prepare(core, target, sc)
        sc.writeback = 0
        sc.protected_pages = 0
        sc.before = sc.freed
        sc.at = sc.target
    core.target = target
    if target.child == NO_MEMCG and sc.at == sc.target:
        freed = target.policy.shrink(core, target, sc)
    else:
        freed = walk(core, target, sc)
    core.target = NULL
    sc.freed += freed
    return freed

cdef inline void try_begin(core_t *core, scan_control_t *sc, memcg_t *target, uint32_t kind,
                           uint64_t want) noexcept nogil:
    # One by one: for so few, memset costs more than the pass of a simple policy.
    sc.target = target.id
    sc.priority = DEF_PRIORITY
    sc.kind = kind
    sc.want = want
    sc.freed = sc.scanned = sc.before = 0
    sc.full = sc.force = sc.skipped = sc.low_reclaim = sc.low_skipped = False
    sc.batch = NULL
    sc.inactive = sc.active = sc.shrunk = 0
    sc.may_deactivate = sc.file_is_tiny = False
    sc.cost = 0
    core.count.reclaims += 1
    if target.policy.kind != POLICY_PLAIN:
        core.clock.now += core.times.reclaim
        core.clock.in_reclaim += core.times.reclaim
    elif kind == RECLAIM_LIMIT and target.child == NO_MEMCG:
        sc.want = 1
        sc.priority = 0

cdef inline bint next_round(core_t *core, scan_control_t *sc) noexcept nogil:
    # The priorities are through. With nothing freed there is one way after the other to try again.
    cdef memcg_t *target = &core.memcgs[sc.target]
    if target.policy.finish != NULL:
        target.policy.finish(core, target)
    if sc.freed > 0 or target.policy.kind == POLICY_PLAIN:
        return False
    if not sc.full:
        sc.full = True
    elif sc.skipped and not sc.force:
        sc.force = True
        sc.skipped = False
    elif sc.low_skipped and not sc.low_reclaim:
        sc.force = False
        sc.skipped = False
        sc.low_reclaim = True
        sc.low_skipped = False
    else:
        return False
    sc.priority = DEF_PRIORITY
    return True

cdef inline bint pass_25(core_t *core, scan_control_t *sc) noexcept nogil:
    # try_to_free_pages, balance_pgdat, try_to_free_mem_cgroup_pages.
    cdef bint limited = sc.kind == RECLAIM_LIMIT
    cdef int32_t lowest = 0
    cdef uint32_t at
    if core.kswapd.all_unreclaimable and not limited:
        lowest = DEF_PRIORITY   # only a poll, until a page is freed
    if sc.priority == 0:
        core.token.holder = 0   # disable_swap_token
    sc.full = True
    shrink_node(core, sc)
    if sc.freed < sc.want:
        if sc.priority < DEF_PRIORITY - 2:
            # congestion_wait: writes get their time.
            wait_all(core)
        sc.priority -= 1
        if sc.priority >= lowest:
            return True
    at = sc.target
    while at != NO_MEMCG:
        core.memcgs[at].prev_priority = sc.priority if sc.priority > 0 else 0
        at = tree_next(core, sc.target, at)
    # Scanned are the pages of all memcgs, core.ram.used of them. A zone with empty lists has not
    # been scanned in vain.
    if not limited and core.kswapd.scanned > 0 and core.kswapd.scanned >= 6 * core.ram.used:
        core.kswapd.all_unreclaimable = True
    return False

cdef inline bint try_pass(core_t *core, scan_control_t *sc) noexcept nogil:
    cdef uint64_t begin = core.clock.now
    cdef bint more = True
    if core.memcgs[sc.target].policy.kind == POLICY_25:
        more = pass_25(core, sc)
    else:
        shrink_node(core, sc)
        if UNLIKELY(sc.batch != NULL):
            pass
        elif sc.freed < sc.want and sc.priority > 0:
            sc.priority -= 1
        else:
            more = next_round(core, sc)
    core.clock.in_reclaim += core.clock.now - begin
    return more

cdef inline uint64_t try_to_free(core_t *core, memcg_t *target, uint32_t kind) noexcept nogil:
    cdef scan_control_t sc
    try_begin(core, &sc, target, kind, SCAN_BATCH)
    while try_pass(core, &sc):
        pass
    return sc.freed

cdef inline void drop_cache(core_t *core) noexcept nogil:
    # Clean page cache goes first.
    cdef uint64_t missing = core.ram.wmark_high - free_pages(core)
    if core.ram.file_cache == 0:
        return
    if missing > core.ram.file_cache:
        missing = core.ram.file_cache
    core.ram.file_cache -= missing
    core.ram.others -= missing
    core.count.file_dropped += missing
    core.kswapd.scanned = 0
    core.kswapd.all_unreclaimable = False

cdef inline void kswapd(core_t *core) noexcept nogil:
    # balance_pgdat, as part of the call that woke it.
    cdef uint64_t freed, idle = 0
    core.count.pageoutrun += 1
    drop_cache(core)
    while free_pages(core) < core.ram.wmark_high and idle < 2:
        if core.rules.kswapd_gives_up and core.kswapd.failures >= core.rules.oom_retries:
            break
        freed = try_to_free(core, &core.memcgs[0], RECLAIM_KSWAPD)
        # A page may be written in one pass and freed in the next, so one idle try means nothing.
        if freed == 0:
            idle += 1
            core.kswapd.failures += 1
        else:
            idle = 0
            core.kswapd.failures = 0
        if freed == 0 and core.kswapd.all_unreclaimable:
            break

cdef inline bint nothing_reclaimable(core_t *core) noexcept nogil:
    # If it counts what is allowed: all that could be freed would not reach the watermark.
    cdef uint64_t pages
    cdef uint32_t at = 0
    cdef memcg_t *g
    if LIKELY(not core.rules.allowed_aware):
        return core.swap.free == 0
    pages = free_pages(core)
    while at != NO_MEMCG and pages <= core.ram.wmark_min:
        g = &core.memcgs[at]
        pages += min(own_pages(g), swap_left(core, g))
        at = tree_next(core, 0, at)
    return pages <= core.ram.wmark_min

cdef inline int direct_reclaim(core_t *core) noexcept nogil:
    cdef uint32_t idle = 0
    cdef uint64_t freed
    kswapd(core)
    if free_pages(core) > core.ram.wmark_min:
        return ST_OK
    core.count.allocstall += 1
    while idle < core.rules.oom_retries:
        # should_reclaim_retry: tries that free something do not count.
        freed = try_to_free(core, &core.memcgs[0], RECLAIM_DIRECT)
        idle += 1
        if freed > 0:
            core.kswapd.failures = 0
            idle = 0
        if free_pages(core) > core.ram.wmark_min:
            return ST_OK
        if core.rules.polls_unreclaimable and freed == 0 and core.kswapd.all_unreclaimable:
            break
        if UNLIKELY(core.rules.allowed_aware) and freed == 0 and nothing_reclaimable(core):
            break
    return ST_OOM
