# cpus: processors, fewer than there are actors. Without a number everybody has one of its own, and
# none of this is entered.
#
# The one with the least virtual runtime runs, for a slice or until it sleeps. Who wakes up takes
# the place of the one that has had the most, if that is half a slice ahead, at its next step.
#
# On an idle processor nobody is owed anything (place_entity drops the lag), and the scheduler sees
# all that wake up at an instant before it picks one. First comes who was woken for a tag before and
# lost it, then whose request is done, then who waits for the tag that this one gives back. So two
# that share a device with one tag take turns of two requests, as was measured on Linux 6.18.
#
# - stalls(a): the bit of a task that reclaims
# - cpu_wake(core, w, a, rank): it is ready; rank: of those that wake up at this instant
# - cpu_fill(core, w, t): those that are ready get the processors that are idle
# - cpu_leave(core, w, a, t, bits): its processor goes to the next that is ready; bits: what it does
# - cpu_yields(w, a): is another one to run now?
# - cpu_preempt(core, w, a): it does; the actor is ready, and out of the heap

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.actor cimport (
    AT_CHARGE, AT_HIGH, AT_KSWAPD, FOREVER, IN_CPU, NOBODY, actor_t, heap_push, ready_pop,
    ready_push, world_t,
)
from swapfast.mm.psi cimport PSI_MEMSTALL, PSI_ON_CPU, PSI_RUNNING, psi_set
from swapfast.mm.types cimport core_t

cdef inline uint32_t stalls(actor_t *a) noexcept nogil:
    # psi_memstall_enter: whoever reclaims stalls, on a processor or not.
    if a.stage == AT_HIGH or a.stage == AT_KSWAPD or (a.stage == AT_CHARGE and a.charge.busy):
        return PSI_MEMSTALL
    return 0

cdef inline uint64_t vruntime_at(actor_t *a, uint64_t t) noexcept nogil:
    return a.vruntime + (t - a.dispatched if t > a.dispatched else 0)

cdef inline void cpu_run(core_t *core, world_t *w, actor_t *a, uint32_t cpu,
                         uint64_t t) noexcept nogil:
    psi_set(core, w, a, 0, t)   # another processor's from now on
    a.cpu = cpu
    a.on_cpu = True
    a.resched = False
    a.dispatched = t
    a.slice_end = t + w.slice
    w.running[cpu] = a.id
    psi_set(core, w, a, PSI_RUNNING | PSI_ON_CPU | stalls(a), t)

cdef inline void claim(world_t *w, actor_t *a) noexcept nogil:
    # Whoever slept has not saved up more than a slice.
    cdef uint64_t least = w.ready[0].t if w.n_ready > 0 else FOREVER, v, most = 0
    cdef uint32_t cpu, ahead = NOBODY
    for cpu in range(w.n_cpus):
        v = vruntime_at(&w.actors[w.running[cpu]], a.t)
        if v < least:
            least = v
        if ahead == NOBODY or v > most:
            most = v
            ahead = w.running[cpu]
    if least > w.least_v:
        w.least_v = least
    if a.vruntime + w.slice < w.least_v:
        a.vruntime = w.least_v - w.slice
    if most > a.vruntime + w.slice // 2:
        w.actors[ahead].resched = True

cdef inline bint is_idle(world_t *w) noexcept nogil:
    cdef uint32_t cpu
    for cpu in range(w.n_cpus):
        if w.running[cpu] == NOBODY:
            return True
    return False

cdef inline void cpu_wake(core_t *core, world_t *w, actor_t *a, uint32_t rank) noexcept nogil:
    if is_idle(w):
        a.vruntime = w.least_v + rank
    else:
        claim(w, a)
    a.ready_since = a.t
    psi_set(core, w, a, PSI_RUNNING | stalls(a), a.t)
    ready_push(w, a.vruntime, a.id)

cdef inline void cpu_next(core_t *core, world_t *w, uint32_t cpu, uint64_t t) noexcept nogil:
    cdef actor_t *b = &w.actors[ready_pop(w)]
    b.t = t if t > b.ready_since else b.ready_since
    b.time[IN_CPU] += b.t - b.ready_since
    cpu_run(core, w, b, cpu, b.t)
    heap_push(w, b.t, b.id)

cdef inline void cpu_fill(core_t *core, world_t *w, uint64_t t) noexcept nogil:
    # The processor that an actor had is its first choice.
    cdef uint32_t cpu
    while w.n_ready > 0:
        cpu = w.actors[w.ready[0].a].cpu
        if w.running[cpu] != NOBODY:
            for cpu in range(w.n_cpus):
                if w.running[cpu] == NOBODY:
                    break
            else:
                return
        cpu_next(core, w, cpu, t)

cdef inline void cpu_leave(core_t *core, world_t *w, actor_t *a, uint64_t t,
                           uint32_t bits) noexcept nogil:
    cdef uint32_t cpu = a.cpu
    a.vruntime = vruntime_at(a, t)
    if a.vruntime > w.least_v and not bits & PSI_RUNNING:
        w.least_v = a.vruntime
    a.on_cpu = False
    psi_set(core, w, a, bits, t)
    w.running[cpu] = NOBODY
    if w.n_ready > 0:
        cpu_next(core, w, cpu, t)

cdef inline bint cpu_yields(world_t *w, actor_t *a) noexcept nogil:
    if w.n_ready == 0:
        return False
    return a.resched or (a.t >= a.slice_end and w.ready[0].t < vruntime_at(a, a.t))

cdef inline void cpu_preempt(core_t *core, world_t *w, actor_t *a) noexcept nogil:
    # The next one runs first, so that the actor does not take its own place.
    cdef uint64_t t = a.t
    cpu_leave(core, w, a, t, PSI_RUNNING | stalls(a))
    a.ready_since = t
    ready_push(w, a.vruntime, a.id)
