# together: programs side by side in virtual time, kswapd among them.
#
#   AT_RUN ──► AT_FAULT ──► AT_CHARGE ──► AT_READ ──► AT_MAP ──► AT_RUN
#   hits       a second     a pass of     to the      it has     and may
#              look         reclaim each  device      its page   owe (AT_HIGH)
#
# What more than one can see changes only in a step whose time is the least of all, so faults happen
# in exact order of (time, number). Only hits run ahead, by a quantum at most: they change accessed
# and dirty bits, which a scan may see that much too early. An actor that is alone goes from step to
# step without the heap.
#
# The state changes of a pass take effect at its beginning, its processor time passes after. That is
# the only other place where others see something early, by the length of one pass.
#
# - run_world(core, w) -> WORLD_*: until something is for somebody else to decide
# - world_kill(core, w, a, t): an actor is gone
# - kswapd_step(core, w, a) -> STEP_*: balance_pgdat, a pass at a time

from libc.stdint cimport uint32_t, uint64_t, uint8_t
from libc.string cimport memset
from swapfast.mm.actor cimport (
    AT_BARRIER, AT_CHARGE, AT_END, AT_FAULT, AT_HIGH, AT_KSWAPD, AT_MAP, AT_READ, AT_RUN, AT_START,
    FOREVER, IN_BARRIER, IN_FAULT, IN_HIGH, IN_READ, IN_RECLAIM, IN_STALL, IN_TAGS, IN_USER,
    IN_WORKINGSET, NOBODY, actor_t, barrier_t, heap_pop, heap_push, heap_sift, note_latency,
    second_time, sift_up, spend, world_t,
)
from swapfast.mm.charge cimport charge_step
from swapfast.mm.cpus cimport cpu_leave, cpu_preempt, cpu_take, cpu_yields, stalls
from swapfast.mm.fault cimport fault_needs, fault_once
from swapfast.mm.high cimport high_delay, high_reclaim
from swapfast.mm.lru cimport prefetch_page
from swapfast.mm.policy_linux618 cimport inactive_is_low, scan_active_618
from swapfast.mm.psi cimport PSI_IOWAIT, PSI_MEMSTALL, PSI_ON_CPU, PSI_RUNNING, psi_set
from swapfast.mm.reads cimport submit_reads
from swapfast.mm.reclaim cimport drop_cache, free_pages, shrink_node, try_begin
from swapfast.mm.rmap cimport mapping_of
from swapfast.mm.touch cimport look_ahead
from swapfast.mm.tree cimport tree_next
from swapfast.mm.types cimport (
    LIKELY, UNLIKELY, core_t, memcg_t, page_t, prefetch_write, scan_control_t,
)
from swapfast.mm.words cimport (
    DEF_PRIORITY, F_WORKINGSET, HIGH_BATCH, HZ, MAP_SHM, NIL, NO_MEMCG, POLICY_618, PTE_ACCESSED,
    PTE_DIRTY, PTE_PRESENT, PTE_SWAP, PTE_WRITABLE, RECLAIM_DIRECT, RECLAIM_KSWAPD, REF_PAGE,
    SCAN_BATCH, ST_AGAIN, ST_OK, ST_OOM,
)

cdef extern from "hits.h" nogil:
    uint64_t hit_run(page_t *page, const uint32_t *refs, uint64_t i, uint64_t n)

cdef enum:
    WORLD_OVER = 0       # nobody is left
    WORLD_UNTIL = 1      # the time has come
    WORLD_PAUSE = 2      # somebody may look for signals
    WORLD_OOM = 3        # an actor found no page: world.who, world.status
    WORLD_END = 4        # a program is through: world.who

    STEP_ON = 0          # goes on at its time
    STEP_SLEEP = 1       # the same, and needs no processor until then
    STEP_END = 2
    STEP_OUT = 3         # is not in the heap until somebody wakes it
    STEP_OOM = 4

    JIFFY = 1000000000 // HZ
    FEW = 64             # actors whose next references stay in the cache

cdef inline bint late(world_t *w, actor_t *a, uint64_t second) noexcept nogil:
    # Is it somebody else's turn?
    return a.t > second or a.t >= w.until or cpu_yields(w, a)

cdef inline bint run_hits(world_t *w, core_t *core, actor_t *a, uint64_t second) noexcept nogil:
    # References that hit. True: the next one does not, and its time has passed.
    cdef uint64_t end = second + w.quantum if second < FOREVER - w.quantum else FOREVER
    cdef uint64_t most = a.n - a.pos, k, i
    if w.until < end:
        end = w.until
    if a.stop < end:
        end = a.stop
    if w.n_ready > 0 and a.slice_end < end:
        end = a.slice_end
    if end != FOREVER:
        k = (end - a.t + a.think - 1) // a.think if end > a.t else 1
        if k < most:
            most = k if k > 0 else 1
    i = hit_run(&core.page[a.base], a.refs, a.pos, a.pos + most)
    spend(a, IN_USER, (i - a.pos) * a.think)
    core.clock.in_references += (i - a.pos) * a.think
    a.references += i - a.pos
    most += a.pos
    a.pos = i
    if i == most:
        return False
    spend(a, IN_USER, a.think)
    core.clock.in_references += a.think
    if w.n <= FEW:
        look_ahead(core, a.base, a.refs, &a.ahead, i, a.n)
    return True

cdef inline bint second_look(core_t *core, actor_t *a, uint32_t page, bint write) noexcept nogil:
    # Between finding a fault and its turn somebody else may have brought the page in.
    cdef uint32_t bits = core.page[page].pte, need = PTE_PRESENT | (write * PTE_WRITABLE)
    if bits & need != need:
        return False
    core.page[page].pte = <uint8_t>(bits | PTE_ACCESSED | (write * PTE_DIRTY))
    a.pos += 1
    a.references += 1
    a.stage = AT_RUN
    return True

cdef inline void at_fault(core_t *core, actor_t *a, uint32_t page) noexcept nogil:
    # A first touch has its time before the charge, as do_anonymous_page has.
    cdef uint32_t bits = core.page[page].pte
    a.timed = (bits & (PTE_PRESENT | PTE_SWAP) == 0 and mapping_of(core, page).kind != MAP_SHM)
    if a.timed:
        core.clock.in_faults += core.times.minor_fault
        spend(a, IN_FAULT, core.times.minor_fault)
    memset(&a.charge, 0, sizeof(a.charge))
    a.stage = AT_CHARGE

cdef inline bint throttled(core_t *core, actor_t *a) noexcept nogil:
    # consider_reclaim_throttle: a direct reclaim that frees nothing lets a jiffy pass, if most of
    # what could be reclaimed waits to be written.
    cdef uint64_t pending = 0
    cdef uint32_t k
    cdef scan_control_t *sc = &a.charge.sc
    if not a.charge.busy or sc.kind != RECLAIM_DIRECT or sc.priority != 0 or sc.freed > 0:
        return False
    if core.kswapd.failures >= core.rules.oom_retries:
        return False
    for k in range(core.n_devices):
        pending += core.devices[k].len
    return 2 * pending > core.ram.used

cdef inline void spend_reclaim(core_t *core, actor_t *a, uint64_t ns) noexcept nogil:
    # What a pass waited for a device is no processor time; `pay_tags` puts that at its end.
    spend(a, IN_RECLAIM, ns - core.in_tags)
    a.owes_tags += core.in_tags
    core.in_tags = 0

cdef inline bint pay_tags(actor_t *a) noexcept nogil:
    # True: it sleeps.
    if LIKELY(a.owes_tags == 0):
        return False
    a.left = a.t
    a.waits = IN_TAGS
    spend(a, IN_TAGS, a.owes_tags)
    a.owes_tags = 0
    return True

cdef inline int do_fault(core_t *core, world_t *w, actor_t *a, uint32_t page,
                         bint write) noexcept nogil:
    cdef uint64_t begin = core.clock.now, in_reclaim = core.clock.in_reclaim, reclaimed
    cdef uint64_t majors = core.count.pgmajfault, minors = core.count.pgfault
    cdef uint32_t _try, k
    cdef int status = ST_AGAIN
    core.n_reads = 0
    core.wait_until = 0
    for _try in range(core.rules.oom_retries):
        status = fault_once(core, page, write, a.timed)
        if status != ST_AGAIN:
            break
    reclaimed = core.clock.in_reclaim - in_reclaim
    spend_reclaim(core, a, reclaimed)
    spend(a, IN_FAULT, core.clock.now - begin - reclaimed)
    a.debt += core.debt
    core.debt = 0
    if status != ST_OK:
        return ST_OOM if status == ST_AGAIN else status
    majors = core.count.pgmajfault - majors
    a.majors += majors
    a.minors += core.count.pgfault - minors - majors
    a.stage = AT_MAP
    a.waits = IN_READ
    if core.n_reads > 0:
        for k in range(core.n_reads):
            w.reads[<uint64_t>a.id * w.row + k] = core.reads[k]
        a.n_reads = core.n_reads
        a.target_read = core.target_read
        core.n_reads = 0
        a.stage = AT_READ
    a.was_major = majors > 0
    return ST_OK

cdef inline bint at_read(core_t *core, world_t *w, actor_t *a) noexcept nogil:
    # False: there is nothing to wait for.
    cdef uint64_t done, begin = core.clock.now
    cdef uint32_t k, home = core.slot_page[a.target_read]
    a.waits = IN_READ
    if home != NIL and core.page[home].folio & F_WORKINGSET:
        a.waits = IN_WORKINGSET
    for k in range(a.n_reads):
        core.reads[k] = w.reads[<uint64_t>a.id * w.row + k]
    core.n_reads = a.n_reads
    core.target_read = a.target_read
    a.left = a.t
    done = submit_reads(core)
    spend(a, IN_TAGS, core.clock.now - begin)
    core.in_tags = 0
    a.stage = AT_MAP
    if done > a.t:
        spend(a, a.waits, done - a.t)
    core.clock.in_swap_in += a.t - begin
    if a.mm < core.token.mms:
        core.token.stalled_until[a.mm] = a.t
    return a.t > a.left

cdef inline void at_map(core_t *core, world_t *w, actor_t *a) noexcept nogil:
    note_latency(w, a, a.was_major)
    a.pos += 1
    a.references += 1
    a.stage = AT_RUN
    if UNLIKELY(a.debt >= HIGH_BATCH):
        a.owed = a.want = a.debt
        a.debt = 0
        a.tries = core.rules.oom_retries
        a.stage = AT_HIGH

cdef inline bint at_high(core_t *core, actor_t *a) noexcept nogil:
    # True: it sleeps.
    cdef memcg_t *g = &core.memcgs[a.memcg]
    cdef uint64_t begin = core.clock.now, freed = high_reclaim(core, g, a.want), delay
    spend_reclaim(core, a, core.clock.now - begin)
    a.left = a.t
    delay = high_delay(core, g, a.owed)
    a.want = SCAN_BATCH
    if delay > 0 and (freed > 0 or a.tries > 0):
        a.tries -= freed == 0
        return False
    a.stage = AT_RUN
    a.waits = IN_HIGH
    spend(a, IN_HIGH, delay)
    return delay > 0

cdef inline int at_charge(core_t *core, world_t *w, actor_t *a, uint32_t page,
                          bint write) noexcept nogil:
    # One pass, or the fault itself. ST_AGAIN: not yet.
    cdef memcg_t *g = fault_needs(core, page, write)
    cdef uint64_t begin = core.clock.now
    cdef int status = ST_OK
    if g != NULL:
        status = charge_step(core, g, &a.charge)
        spend_reclaim(core, a, core.clock.now - begin)
    if status == ST_OK:
        return do_fault(core, w, a, page, write)
    return status

cdef inline int step_of(core_t *core, world_t *w, actor_t *a, uint64_t second) noexcept nogil:
    cdef uint32_t page, ref
    cdef int status
    while True:
        if a.stage == AT_RUN:
            if a.pos == a.n:
                a.rounds += 1
                if a.loops <= 1:
                    return STEP_END
                a.loops -= a.loops != FOREVER
                a.pos = a.ahead = 0
            if a.t >= a.stop:
                return STEP_END
            if run_hits(w, core, a, second):
                a.stage = AT_FAULT
                a.began = a.t
            if late(w, a, second):
                return STEP_ON
            continue
        core.clock.now = a.t
        core.current_mm = a.mm
        if a.stage == AT_READ:
            if at_read(core, w, a):
                return STEP_SLEEP
            continue
        if a.stage == AT_MAP:
            at_map(core, w, a)
            continue
        if a.stage == AT_HIGH:
            psi_set(core, w, a, PSI_RUNNING | PSI_ON_CPU | PSI_MEMSTALL, a.t)
            if at_high(core, a):
                return STEP_SLEEP
            if pay_tags(a):
                return STEP_SLEEP
            if a.stage == AT_RUN:
                psi_set(core, w, a, PSI_RUNNING | PSI_ON_CPU, a.t)
            if late(w, a, second):
                return STEP_ON
            continue
        ref = a.refs[a.pos]
        page = a.base + (ref & REF_PAGE)
        if second_look(core, a, page, ref >> 31):
            continue
        if a.stage == AT_FAULT:
            at_fault(core, a, page)
            if late(w, a, second):
                return STEP_ON
            core.clock.now = a.t
        if second < FOREVER:
            prefetch_page(core, page)
        status = at_charge(core, w, a, page, ref >> 31)
        psi_set(core, w, a, PSI_RUNNING | PSI_ON_CPU | stalls(a), a.t)
        if status == ST_OK and a.stage == AT_MAP and core.wait_until > a.t:
            a.left = a.t   # somebody else reads the page
            spend(a, IN_READ, core.wait_until - a.t)
            return STEP_SLEEP
        if status != ST_OK and status != ST_AGAIN:
            a.owes_tags = 0
            w.status = status
            memset(&a.charge, 0, sizeof(a.charge))
            return STEP_OOM
        if status == ST_AGAIN and throttled(core, a):
            a.left = a.t
            a.waits = IN_STALL
            spend(a, IN_STALL, JIFFY)
            return STEP_SLEEP
        if pay_tags(a):
            return STEP_SLEEP
        if late(w, a, second):
            return STEP_ON

# ---------------------------------------------------------------- kswapd

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
    cdef uint64_t begin = core.clock.now, before, freed
    if not a.charge.busy:
        core.count.pageoutrun += 1
        drop_cache(core)
        try_begin(core, sc, &core.memcgs[0], RECLAIM_KSWAPD,
                  max(core.ram.wmark_high, <uint64_t>SCAN_BATCH))
        a.charge.busy = True
    if balanced(core) or sc.priority < 1:
        core.kswapd.failures += sc.priority < 1 and sc.freed == 0
        a.charge.busy = False
        spend_reclaim(core, a, core.clock.now - begin)
        return STEP_OUT
    age_all(core)
    before = sc.freed
    sc.scanned = 0
    shrink_node(core, sc)
    freed = sc.freed - before
    if freed > 0:
        core.kswapd.failures = 0
    if sc.scanned < sc.want or freed == 0:
        sc.priority -= 1
    core.clock.in_reclaim += core.clock.now - begin
    spend_reclaim(core, a, core.clock.now - begin)
    a.left = a.t
    # reclaim_throttle: it met only pages that are being written.
    if sc.writeback > 0 and sc.writeback >= sc.scanned:
        a.waits = IN_STALL
        spend(a, IN_STALL, JIFFY)
        return STEP_SLEEP
    return STEP_SLEEP if pay_tags(a) else STEP_ON

# ---------------------------------------------------------------- the loop

cdef inline void wake_kswapd(core_t *core, world_t *w) noexcept nogil:
    cdef actor_t *a = &w.actors[w.kswapd]
    core.kswapd_wanted = False
    if a.stage != AT_END or core.kswapd.failures >= core.rules.oom_retries:
        return
    a.stage = AT_KSWAPD
    if a.t < core.clock.now:
        a.t = core.clock.now
    heap_push(w, a.t, a.id)

cdef inline void at_start(world_t *w, actor_t *a) noexcept nogil:
    # It waits at its barrier; the last to arrive takes all with it.
    cdef barrier_t *b
    cdef uint32_t i
    cdef actor_t *other
    a.ready_since = a.t
    a.stage = AT_BARRIER
    if a.barrier == NOBODY:
        a.stage = AT_RUN
        heap_push(w, a.t, a.id)
        return
    b = &w.barriers[a.barrier]
    b.arrived += 1
    if b.arrived < b.expected:
        return
    for i in range(w.n_actors):
        other = &w.actors[i]
        if other.barrier == a.barrier and other.stage == AT_BARRIER:
            spend(other, IN_BARRIER, a.t - other.ready_since)
            other.stage = AT_RUN
            heap_push(w, other.t, other.id)

cdef inline uint32_t sleeping(actor_t *a) noexcept nogil:
    # What a task that sleeps is counted as.
    if a.waits == IN_READ:
        return PSI_IOWAIT
    if a.waits == IN_WORKINGSET or (a.waits == IN_TAGS and a.stage != AT_MAP):
        return PSI_IOWAIT | PSI_MEMSTALL
    return PSI_MEMSTALL

cdef inline void drop_actor(world_t *w, uint32_t a) noexcept nogil:
    # Out of the heap and of those that are ready, wherever it is.
    cdef uint32_t i, n = 0
    for i in range(w.n):
        if w.heap[i].a != a:
            sift_up(w.heap, n, w.heap[i])
            n += 1
    w.n = n
    n = 0
    for i in range(w.n_ready):
        if w.ready[i].a != a:
            sift_up(w.ready, n, w.ready[i])
            n += 1
    w.n_ready = n

cdef inline void world_kill(core_t *core, world_t *w, actor_t *a, uint64_t t) noexcept nogil:
    if a.stage == AT_END:
        return
    drop_actor(w, a.id)
    if w.n_cpus > 0:
        if a.on_cpu:
            cpu_leave(core, w, a, t if t > a.dispatched else a.dispatched, 0)
        else:
            psi_set(core, w, a, 0, t)
    if a.barrier != NOBODY and (a.stage == AT_START or a.stage == AT_BARRIER):
        w.barriers[a.barrier].expected -= 1
    a.stage = AT_END
    a.end = t

cdef inline void fetch_next(core_t *core, world_t *w) noexcept nogil:
    # What the next actor needs, while this one is busy.
    cdef uint32_t k, end = 5 if w.n > 5 else w.n
    cdef actor_t *a
    for k in range(1, end):
        a = &w.actors[w.heap[k].a]
        prefetch_write(a)
        prefetch_write(<char *>a + 64)

cdef inline int act(core_t *core, world_t *w, actor_t *a) noexcept nogil:
    if UNLIKELY(a.stage == AT_KSWAPD):
        core.clock.now = a.t
        return kswapd_step(core, w, a)
    return step_of(core, w, a, second_time(w))

cdef inline int did(core_t *core, world_t *w, actor_t *a, int step) noexcept nogil:
    # The heap and the processors after a step. WORLD_*, or WORLD_UNTIL: nothing for others.
    if step == STEP_ON and w.n_cpus > 0 and cpu_yields(w, a):
        heap_pop(w)
        cpu_preempt(core, w, a)
        return WORLD_UNTIL
    if step == STEP_ON or step == STEP_SLEEP or step == STEP_OOM:
        heap_sift(w)
        if step == STEP_SLEEP and w.n_cpus > 0:
            cpu_leave(core, w, a, a.left, sleeping(a))
        return WORLD_OOM if step == STEP_OOM else WORLD_UNTIL
    heap_pop(w)
    if w.n_cpus > 0:
        cpu_leave(core, w, a, a.t, 0)
    if step == STEP_OUT:
        a.stage = AT_END   # kswapd
        return WORLD_UNTIL
    a.stage = AT_END
    a.end = a.t
    return WORLD_END

cdef inline int run_world(core_t *core, world_t *w) noexcept nogil:
    cdef actor_t *a
    cdef int what
    while w.n > 0:
        if w.heap[0].t >= w.until:
            return WORLD_UNTIL
        if w.budget == 0:
            return WORLD_PAUSE
        w.budget -= 1
        w.events += 1
        w.now = w.heap[0].t
        a = &w.actors[w.heap[0].a]
        if UNLIKELY(a.stage == AT_START):
            heap_pop(w)
            at_start(w, a)
            continue
        if w.n_cpus > 0 and not a.on_cpu and not cpu_take(core, w, a):
            heap_pop(w)
            continue
        if w.n > FEW:
            fetch_next(core, w)
        what = did(core, w, a, act(core, w, a))
        if UNLIKELY(core.kswapd_wanted):
            wake_kswapd(core, w)
        if UNLIKELY(what != WORLD_UNTIL):
            w.who = a.id
            return what
    return WORLD_OVER
