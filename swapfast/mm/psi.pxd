# psi: pressure stall information (kernel/sched/psi.c), of a memcg and of all above it.
#
# Each processor keeps, for each memcg, how many of its tasks run, stall on memory, or wait for the
# disk, and how long every state lasted:
#
#   io      some   a task waits for the disk              full   and none runs
#   memory  some   a task stalls on memory                full   and each that runs stalls, or the
#                                                                one on the processor does
#   cpu     some   more tasks would run than do           full   none of them does
#
# The time of a processor counts by how long it was not idle. Averages are taken every 2 s and a
# jiffy, in the kernel's fixed point.
#
# - psi_set(core, w, a, bits, t): an actor's state is another from now on
# - psi_collect(w, memcg, t): the totals of a memcg up to now
# - psi_average(g, period): one step of the averages

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.actor cimport actor_t, psi_cpu_t, psi_t, world_t
from swapfast.mm.types cimport core_t
from swapfast.mm.words cimport NO_MEMCG

cdef enum:
    # of a task
    PSI_RUNNING = 1
    PSI_ON_CPU = 2
    PSI_MEMSTALL = 4
    PSI_IOWAIT = 8

    # states
    PSI_IO_SOME = 0
    PSI_IO_FULL = 1
    PSI_MEM_SOME = 2
    PSI_MEM_FULL = 3
    PSI_CPU_SOME = 4
    PSI_CPU_FULL = 5
    PSI_NONIDLE = 6
    PSI_STATES = 6

    FIXED_1 = 2048           # of the averages

cdef inline void psi_note(psi_cpu_t *p, uint64_t t) noexcept nogil:
    # record_times: what has lasted until now. A clock that is behind another's counts nothing.
    cdef uint64_t ns
    if t <= p.since:
        return
    ns = t - p.since
    p.since = t
    if p.running | p.memstall | p.iowait:
        p.time[PSI_NONIDLE] += ns
    if p.iowait > 0:
        p.time[PSI_IO_SOME] += ns
        if p.running == 0:
            p.time[PSI_IO_FULL] += ns
    if p.memstall > 0:
        p.time[PSI_MEM_SOME] += ns
        if p.running == p.memstall_running or p.memstall_on_cpu > 0:
            p.time[PSI_MEM_FULL] += ns
    if p.running > p.on_cpu:
        p.time[PSI_CPU_SOME] += ns
    if p.running > 0 and p.on_cpu == 0:
        p.time[PSI_CPU_FULL] += ns

cdef inline void psi_count(psi_cpu_t *p, uint32_t bits, uint32_t one) noexcept nogil:
    # one: 1, or -1 as the counters wrap.
    if bits & PSI_RUNNING:
        p.running += one
    if bits & PSI_ON_CPU:
        p.on_cpu += one
    if bits & PSI_IOWAIT:
        p.iowait += one
    if bits & PSI_MEMSTALL:
        p.memstall += one
        if bits & PSI_RUNNING:
            p.memstall_running += one
        if bits & PSI_ON_CPU:
            p.memstall_on_cpu += one

cdef inline void psi_set(core_t *core, world_t *w, actor_t *a, uint32_t bits,
                         uint64_t t) noexcept nogil:
    cdef uint32_t g = a.memcg
    cdef psi_cpu_t *p
    if w.n_cpus == 0 or a.psi == bits:
        return
    while g != NO_MEMCG:
        p = &w.psi_cpus[<uint64_t>g * w.n_cpus + a.cpu]
        psi_note(p, t)
        psi_count(p, a.psi, 0xffffffff)
        psi_count(p, bits, 1)
        g = core.memcgs[g].parent
    a.psi = bits

cdef inline void psi_collect(world_t *w, uint32_t memcg, uint64_t t) noexcept nogil:
    # collect_percpu_times
    cdef uint64_t weight, all_weights = 0, passed
    cdef double sums[6]
    cdef uint32_t cpu, s
    cdef psi_cpu_t *p
    for s in range(PSI_STATES):
        sums[s] = 0
    for cpu in range(w.n_cpus):
        p = &w.psi_cpus[<uint64_t>memcg * w.n_cpus + cpu]
        psi_note(p, t)
        weight = p.time[PSI_NONIDLE] - p.taken[PSI_NONIDLE]
        all_weights += weight
        for s in range(PSI_STATES):
            passed = p.time[s] - p.taken[s]
            sums[s] += <double>passed * weight
        for s in range(PSI_STATES + 1):
            p.taken[s] = p.time[s]
    if all_weights == 0:
        return
    for s in range(PSI_STATES):
        w.psi[memcg].total[s] += <uint64_t>(sums[s] / all_weights)

cdef inline uint64_t calc_load(uint64_t load, uint64_t factor, uint64_t active) noexcept nogil:
    cdef uint64_t new_load = load * factor + active * (FIXED_1 - factor)
    if active >= load:
        new_load += FIXED_1 - 1
    return new_load // FIXED_1

cdef inline void psi_average(psi_t *g, uint64_t period) noexcept nogil:
    # update_averages, calc_avgs
    cdef uint32_t s
    cdef uint64_t sample, share
    for s in range(PSI_STATES):
        sample = min(g.total[s] - g.averaged[s], period)
        g.averaged[s] += sample
        share = sample * 100 // period * FIXED_1
        g.avg[3 * s] = calc_load(g.avg[3 * s], 1677, share)
        g.avg[3 * s + 1] = calc_load(g.avg[3 * s + 1], 1981, share)
        g.avg[3 * s + 2] = calc_load(g.avg[3 * s + 2], 2034, share)
