# together: programs side by side in virtual time, kswapd among them.
#
# What more than one can see changes only in a step whose time is the least of all, so faults happen
# in exact order of (time, number). Only hits run ahead, by a quantum at most: they change accessed
# and dirty bits, which a scan may see that much too early. An actor that is alone goes from step to
# step without the heap.
#
# A pass of reclaim takes effect at its beginning, or up to where it stops: the only other place
# where others see something early.
#
# - run_world(core, w) -> WORLD_*: until something is for somebody else to decide
# - world_kill(core, w, a, t): an actor is gone
# - world_begins(core, w): it is the one of this machine from now on

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.abandon cimport abandon, abandon_all
from swapfast.mm.actor cimport (
    AT_BARRIER, AT_CHARGE, AT_END, AT_FAULT, AT_HIGH, AT_KSWAPD, AT_MAP, AT_MOVE, AT_READ, AT_RUN,
    AT_START,
    FEW, IN_BARRIER, IN_CPU, IN_FAULT, IN_READ, IN_RECLAIM, IN_TAGS, IN_USER, IN_WORKINGSET, NOBODY,
    STEP_ON, STEP_OOM, STEP_OUT, STEP_QUEUE, STEP_SLEEP, actor_t, barrier_t, heap_child, heap_pop,
    heap_push, heap_sift, second_time, sift_up, spend, world_t,
)
from swapfast.mm.batch cimport batch_drop
from swapfast.mm.cpus cimport cpu_fill, cpu_leave, cpu_preempt, cpu_wake, cpu_yields
from swapfast.mm.kdemote cimport move_step, wake_movers
from swapfast.mm.kswapd cimport kswapd_step
from swapfast.mm.lru cimport prefetch_page
from swapfast.mm.psi cimport PSI_IOWAIT, PSI_MEMSTALL, psi_set
from swapfast.mm.steps cimport step_of
from swapfast.mm.types cimport UNLIKELY, core_t, memcg_t, prefetch_write
from swapfast.mm.waiters cimport waiter_gone, waiter_woken, wake_waiters
from swapfast.mm.words cimport REF_PAGE, WANT_KSWAPD, WANT_MOVES

cdef enum:
    WORLD_OVER = 0       # nobody is left
    WORLD_UNTIL = 1      # the time has come
    WORLD_PAUSE = 2      # somebody may look for signals
    WORLD_OOM = 3        # an actor found no page: world.who, world.status
    WORLD_END = 4        # a program is through: world.who

cdef inline void wake_kswapd(core_t *core, world_t *w) noexcept nogil:
    cdef actor_t *a = &w.actors[w.kswapd]
    if a.stage != AT_END or core.kswapd.failures >= core.rules.oom_retries:
        return
    a.stage = AT_KSWAPD
    if a.t < core.clock.now:
        a.t = core.clock.now
    heap_push(w, a.t, a.id)

cdef inline void wake_wanted(core_t *core, world_t *w) noexcept nogil:
    cdef uint32_t wanted = core.wanted
    core.wanted = 0
    if wanted & WANT_KSWAPD:
        wake_kswapd(core, w)
    if wanted & WANT_MOVES:
        wake_movers(core, w)

cdef inline void open_barrier(world_t *w, uint32_t barrier, uint64_t t) noexcept nogil:
    # If all are there that are still to come.
    cdef barrier_t *b = &w.barriers[barrier]
    cdef actor_t *a
    cdef uint32_t i
    if b.arrived < b.expected:
        return
    for i in range(w.n_actors):
        a = &w.actors[i]
        if a.barrier == barrier and a.stage == AT_BARRIER:
            spend(a, IN_BARRIER, t - a.ready_since)
            a.stage = AT_RUN
            heap_push(w, a.t, a.id)

cdef inline void at_start(world_t *w, actor_t *a) noexcept nogil:
    # It waits at its barrier; the last to arrive takes all with it.
    a.ready_since = a.t
    a.stage = AT_BARRIER
    if a.barrier == NOBODY:
        a.stage = AT_RUN
        heap_push(w, a.t, a.id)
        return
    w.barriers[a.barrier].arrived += 1
    open_barrier(w, a.barrier, a.t)

cdef inline uint32_t sleeping(actor_t *a) noexcept nogil:
    # What a task that sleeps is counted as.
    if a.stage == AT_MOVE:
        return 0
    if a.waits == IN_READ or (a.waits == IN_TAGS and a.stage == AT_READ and a.wants != NULL
                              and not a.thrashes):
        return PSI_IOWAIT
    if a.waits == IN_WORKINGSET or a.waits == IN_TAGS:
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

cdef inline void world_begins(core_t *core, world_t *w) noexcept nogil:
    # The one before it has ended, wherever it was.
    cdef uint32_t k
    abandon_all(core)
    while core.stopped != NULL:
        batch_drop(core, core.stopped)
    for k in range(core.n_devices):
        core.devices[k].woken = core.devices[k].waiting = 0
    core.worlds += 1
    w.serial = core.worlds

cdef inline void take_back(actor_t *a, uint64_t ns) noexcept nogil:
    # From what it did last: a sleep, its references, a fault or a pass.
    cdef uint32_t k, what = IN_FAULT
    cdef uint64_t part
    if a.asleep:
        what = a.waits
    elif a.stage == AT_RUN or a.stage == AT_FAULT:
        what = IN_USER
    elif a.stage == AT_CHARGE or a.stage == AT_HIGH:
        what = IN_RECLAIM
    for k in range(4):
        part = min(ns, a.time[what])
        a.time[what] -= part
        ns -= part
        what = k   # IN_USER, IN_FAULT, IN_RECLAIM

cdef inline void world_kill(core_t *core, world_t *w, actor_t *a, uint64_t t) noexcept nogil:
    cdef bint came, waits
    if a.stage == AT_END:
        return
    drop_actor(w, a.id)
    if a.t > t:   # time is booked when it begins
        if w.n_cpus > 0 and a.on_cpu and a.dispatched > t:   # it still waits for one that is busy
            a.time[IN_CPU] -= min(a.time[IN_CPU], a.dispatched - t)
            take_back(a, a.t - a.dispatched)
        else:
            take_back(a, a.t - t)
    elif a.wants != NULL:
        a.time[IN_TAGS] += t - a.t
    elif a.stage == AT_BARRIER:
        a.time[IN_BARRIER] += t - a.ready_since
    elif w.n_cpus > 0 and not a.on_cpu and t > a.ready_since:
        a.time[IN_CPU] += t - a.ready_since
    if w.n_cpus > 0:
        if a.on_cpu:
            cpu_leave(core, w, a, t if t > a.dispatched else a.dispatched, 0)
        else:
            psi_set(core, w, a, 0, t)
    came = a.stage == AT_BARRIER
    waits = a.barrier != NOBODY and (came or a.stage == AT_START)
    if a.wants != NULL:
        waiter_gone(w, a)
    if a.charge.sc.batch != NULL:
        abandon(core, a.charge.sc.batch)
        batch_drop(core, a.charge.sc.batch)
        a.charge.sc.batch = NULL
    a.stage = AT_END
    a.end = t
    if waits:
        w.barriers[a.barrier].expected -= 1
        w.barriers[a.barrier].arrived -= came
        open_barrier(w, a.barrier, t)

cdef inline void fetch_lines(const void *at, size_t bytes) noexcept nogil:
    cdef size_t k = 0
    while k < bytes:
        prefetch_write(<const char *>at + k)
        k += 64

cdef inline void fetch_pages(core_t *core, actor_t *a) noexcept nogil:
    # Its next references, and where its memcg notes a page that comes in.
    cdef memcg_t *g = &core.memcgs[a.memcg]
    cdef uint64_t k
    if a.stage == AT_MAP or a.stage == AT_RUN:
        for k in range(a.pos + 1, min(a.pos + 4, a.n)):
            prefetch_write(&core.page[a.base + (a.refs[k] & REF_PAGE)])
    elif a.stage == AT_FAULT or a.stage == AT_CHARGE:
        prefetch_page(core, a.base + (a.refs[a.pos] & REF_PAGE))
        prefetch_write(&g.inactive.buf[g.inactive.head])

cdef inline void fetch_next(core_t *core, world_t *w) noexcept nogil:
    # What the next actors need, while this one is busy: step by step, since each says where the
    # next lies.
    cdef uint32_t at = heap_child(w, 0)
    cdef actor_t *a
    if at == 0:
        return
    fetch_pages(core, &w.actors[w.heap[at].a])
    at = heap_child(w, at)
    if at == 0:
        return
    a = &w.actors[w.heap[at].a]
    prefetch_write(&a.refs[a.pos])
    if a.stage == AT_FAULT or a.stage == AT_CHARGE:
        fetch_lines(&core.memcgs[a.memcg], sizeof(memcg_t))
    at = heap_child(w, at)
    if at > 0:
        a = &w.actors[w.heap[at].a]
        fetch_lines(a, <char *>&a.high - <char *>a)   # its steps look at what comes before

cdef inline int act(core_t *core, world_t *w, actor_t *a) noexcept nogil:
    if UNLIKELY(a.stage >= AT_KSWAPD):
        core.clock.now = a.t
        core.cpu = a.cpu
        return kswapd_step(core, w, a) if a.stage == AT_KSWAPD else move_step(core, w, a)
    return step_of(core, w, a, second_time(w))

cdef inline int did(core_t *core, world_t *w, actor_t *a, int step) noexcept nogil:
    # The heap and the processors after a step. WORLD_*, or WORLD_UNTIL: nothing for others.
    a.asleep = step == STEP_SLEEP
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
    if step == STEP_QUEUE:
        if w.n_cpus > 0:
            cpu_leave(core, w, a, a.left, sleeping(a))
        return WORLD_UNTIL
    if w.n_cpus > 0:
        cpu_leave(core, w, a, a.t, 0)
    if step == STEP_OUT:
        a.stage = AT_END   # kswapd
        return WORLD_UNTIL
    a.stage = AT_END
    a.end = a.t
    return WORLD_END

cdef inline void wake_up(core_t *core, world_t *w, actor_t *a) noexcept nogil:
    # The processors are given away when all are awake that wake up at this instant.
    cdef uint32_t rank = 1
    heap_pop(w)
    if UNLIKELY(a.wants != NULL):
        rank = 0 if a.lost else 2
        waiter_woken(a)
    cpu_wake(core, w, a, rank)
    if w.n == 0 or w.heap[0].t > a.t or w.actors[w.heap[0].a].on_cpu:
        cpu_fill(core, w, a.t)

cdef inline int run_world(core_t *core, world_t *w) noexcept nogil:
    cdef actor_t *a
    cdef int what
    wake_waiters(core, w)   # one of them may have died since
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
            if w.n_ready > 0:
                cpu_fill(core, w, a.t)
            continue
        if w.n_cpus > 0 and not a.on_cpu:
            wake_up(core, w, a)
            continue
        if UNLIKELY(a.wants != NULL):
            waiter_woken(a)
        if w.n_cpus > 0 and cpu_yields(w, a):   # somebody woke up since
            heap_pop(w)
            cpu_preempt(core, w, a)
            continue
        core.others = w.n > 1 or w.n_ready > 0 or w.n_queued > 0
        if w.n > FEW:
            fetch_next(core, w)
        what = did(core, w, a, act(core, w, a))
        if UNLIKELY(core.wanted != 0):
            wake_wanted(core, w)
        if UNLIKELY(core.tagged):
            wake_waiters(core, w)
        if UNLIKELY(what != WORLD_UNTIL):
            w.who = a.id
            return what
    return WORLD_OVER
