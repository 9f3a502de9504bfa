# reclaim: pages for everybody: kswapd, and a task that finds none (mm/vmscan.c, mm/page_alloc.c).
#
# - free_pages(core)
# - reclaim_all(core, want, full) -> pages freed: a walk over the memcgs
# - kswapd(core): works until the high watermark
# - direct_reclaim(core) -> ST_OK, or ST_OOM: below the low watermark, before a page is given

from libc.stdint cimport int64_t, uint32_t, uint64_t
from swapfast.mm.types cimport SCAN_BATCH, SHARE_SHIFT, ST_OK, ST_OOM, core_t, memcg_t

cdef inline uint64_t free_pages(core_t *core) noexcept nogil:
    cdef uint64_t used = core.ram.used + core.ram.file_cache
    return core.ram.pages - used if core.ram.pages > used else 0

cdef inline uint64_t give_share(core_t *core, memcg_t *g, uint64_t want,
                                bint all_of_them) noexcept nogil:
    # One memcg's part of `want` pages, in proportion to what it has. It is asked for whole batches:
    # what is less is remembered, and so is what it gave too much.
    cdef uint64_t freed
    cdef int64_t part
    if g.usage >= core.ram.used:
        return g.policy.reclaim(core, g, want)
    g.share += <int64_t>((want * g.usage << SHARE_SHIFT) // core.ram.used)
    part = g.share >> SHARE_SHIFT
    if part < SCAN_BATCH and part < <int64_t>g.usage:
        if not all_of_them:
            return 0
        part = 1
    freed = g.policy.reclaim(core, g, <uint64_t>part)
    g.share -= <int64_t>(freed << SHARE_SHIFT)
    if g.share >= SCAN_BATCH << SHARE_SHIFT:
        g.share = 0   # it had no more to give
    return freed

cdef inline uint64_t reclaim_all(core_t *core, uint64_t want, bint full) noexcept nogil:
    # Walks over the memcgs until something is freed. Full: every one gives its share
    # (kswapd). Partial: until `want` pages are free, and the next walk goes on where this one
    # stopped, so that pressure does not always begin with the oldest one (mem_cgroup_iter,
    # shrink_node_memcgs).
    cdef uint64_t freed = 0
    cdef uint32_t _i, at = core.kswapd.next_memcg, walk
    cdef memcg_t *g
    for walk in range(core.memcgs_used + 1):
        for _i in range(core.memcgs_max):
            if at >= core.memcgs_max:
                at = 0
            g = &core.memcgs[at]
            at += 1
            if g.used and g.usage > 0:
                freed += give_share(core, g, want, walk == core.memcgs_used)
                if freed >= want and not full:
                    break
        if freed > 0 or core.memcgs_used == 1:
            break
    if not full:
        core.kswapd.next_memcg = at
    return freed

cdef inline void kswapd(core_t *core) noexcept nogil:
    # balance_pgdat: works until the high mark; clean page cache goes first.
    cdef uint64_t missing, freed, idle = 0
    core.count.pageoutrun += 1
    core.kswapd.running = True
    missing = core.ram.wmark_high - free_pages(core)
    if core.ram.file_cache > 0:
        if missing > core.ram.file_cache:
            missing = core.ram.file_cache
        core.ram.file_cache -= missing
        core.count.file_dropped += missing
        core.kswapd.scanned = 0
        core.kswapd.all_unreclaimable = False
    while free_pages(core) < core.ram.wmark_high and idle < 2:
        if core.rules.kswapd_gives_up and core.kswapd.failures >= core.rules.oom_retries:
            break
        freed = reclaim_all(core, SCAN_BATCH, True)
        # A page may be written in one pass and freed in the next, so one idle pass means nothing.
        if freed == 0:
            idle += 1
            core.kswapd.failures += 1
        else:
            idle = 0
            core.kswapd.failures = 0
        if freed == 0 and core.kswapd.all_unreclaimable:
            break
    core.kswapd.running = False

cdef inline int direct_reclaim(core_t *core) noexcept nogil:
    cdef uint32_t idle = 0
    cdef uint64_t freed
    kswapd(core)
    if free_pages(core) > core.ram.wmark_min:
        return ST_OK
    core.count.allocstall += 1
    while idle < core.rules.oom_retries:
        # should_reclaim_retry: tries that free something do not count.
        freed = reclaim_all(core, SCAN_BATCH, False)
        idle += 1
        if freed > 0:
            core.kswapd.failures = 0
            idle = 0
        if free_pages(core) > core.ram.wmark_min:
            return ST_OK
        if core.rules.polls_unreclaimable and freed == 0 and core.kswapd.all_unreclaimable:
            break
    return ST_OOM
