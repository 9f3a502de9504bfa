# steps: what a program does next, and how long it takes.
#
#   AT_RUN ──► AT_FAULT ──► AT_CHARGE ──► AT_READ ──► AT_MAP ──► AT_RUN
#   hits       a second     a pass of     to the      it has     and may
#              look         reclaim each  device      its page   owe (AT_HIGH)
#
# The state changes of a pass take effect at its beginning, its processor time passes after. A pass
# that has to wait for a tag stops where it is.
#
# - step_of(core, w, a, second) -> STEP_*: up to the time at which it is somebody else's turn
# - spend_reclaim(core, a, ns): time of a pass; pay_tags(a): what of it was a wait
# - may_stop(core): what begins now may stop where it has to wait for a tag

from libc.stdint cimport uint32_t, uint64_t, uint8_t
from swapfast.mm.actor cimport (
    AT_CHARGE, AT_FAULT, AT_HIGH, AT_MAP, AT_READ, AT_RUN, FEW, FOREVER, IN_FAULT, IN_HIGH, IN_READ,
    IN_RECLAIM, IN_STALL, IN_TAGS, IN_USER, IN_WORKINGSET, JIFFY, STEP_AGAIN, STEP_END,
    STEP_ON, STEP_OOM, STEP_SLEEP, actor_t, note_latency, spend, world_t,
)
from swapfast.mm.alone cimport (
    afford, allowed, alone, book_faults, book_time, fault_begins, fault_t, is_plain,
)
from swapfast.mm.batch cimport batch_spare
from swapfast.mm.charge cimport charge_begin, charge_pass, charge_step
from swapfast.mm.cpus cimport cpu_yields, stalls
from swapfast.mm.fault cimport fault_needs, fault_once
from swapfast.mm.frames cimport frame_at
from swapfast.mm.high cimport high_begin, high_round
from swapfast.mm.histogram cimport histogram_add
from swapfast.mm.lru cimport prefetch_page
from swapfast.mm.psi cimport PSI_MEMSTALL, PSI_ON_CPU, PSI_RUNNING, psi_set
from swapfast.mm.reads cimport submit_reads
from swapfast.mm.reclaim cimport free_pages
from swapfast.mm.rmap cimport home_of, mapping_of
from swapfast.mm.scan cimport scan_control_t
from swapfast.mm.touch cimport look_ahead
from swapfast.mm.tree cimport over_max
from swapfast.mm.types cimport LIKELY, UNLIKELY, core_t, memcg_t, page_t
from swapfast.mm.waiters cimport queue_up
from swapfast.mm.words cimport (
    CLUSTER, F_WORKINGSET, HIGH_BATCH, MAP_SHM, NIL, PTE_ACCESSED, PTE_DIRTY, PTE_PRESENT, PTE_SWAP,
    PTE_WRITABLE, RECLAIM_DIRECT, REF_PAGE, ST_AGAIN, ST_OK, ST_OOM, ST_OOM_GROUP,
)

cdef extern from "hits.h" nogil:
    uint64_t hit_run(page_t *page, const uint32_t *refs, uint64_t i, uint64_t n)

cdef inline bint late(world_t *w, actor_t *a, uint64_t second) noexcept nogil:
    # Is it somebody else's turn?
    return a.t > second or a.t >= w.until or w.budget == 0 or cpu_yields(w, a)

cdef inline bint run_hits(world_t *w, core_t *core, actor_t *a, uint64_t second) noexcept nogil:
    # References that hit. True: the next one does not, and its time has passed.
    cdef uint64_t end = second + w.quantum if second < FOREVER - w.quantum else FOREVER, most, i
    if w.until < end:
        end = w.until
    if a.stop < end:
        end = a.stop
    if w.n_ready > 0 and a.slice_end < end:
        end = a.slice_end
    most = allowed(a, a.t, end)
    i = hit_run(&core.page[a.base], a.refs, a.pos, most)
    spend(a, IN_USER, (i - a.pos) * a.think)
    core.clock.in_references += (i - a.pos) * a.think
    a.references += i - a.pos
    afford(w, i - a.pos)
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
    charge_begin(&a.charge)
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

cdef inline void may_stop(core_t *core) noexcept nogil:
    core.may_stop = core.tagged and core.others and batch_spare(core)
    core.got_tag = False

cdef inline void leave_mark(core_t *core, actor_t *a, uint32_t page) noexcept nogil:
    # What is written is not zero, else it would never go to a swapfile: the page and the reference.
    cdef uint64_t *words = <uint64_t *>frame_at(core, home_of(core, page))
    words[0] = page - a.base + <uint64_t>1
    words[1] = a.references + 1

cdef inline int do_fault(core_t *core, world_t *w, actor_t *a, uint32_t page,
                         bint write) noexcept nogil:
    cdef fault_t before = fault_begins(core)
    cdef uint64_t waited
    cdef uint32_t _try, k
    cdef int status = ST_AGAIN
    core.n_reads = 0
    core.wait_until = 0
    for _try in range(core.rules.oom_retries):
        status = fault_once(core, page, write, a.timed)
        if status != ST_AGAIN:
            break
    waited = book_time(core, a, &before)
    a.owes_tags += waited
    a.t += core.clock.now - before.now - waited
    a.debt += core.debt
    core.debt = 0
    if status != ST_OK:
        return ST_OOM if status == ST_AGAIN else status
    if UNLIKELY(core.ram.frames != NULL) and write:
        leave_mark(core, a, page)
    a.was_major = book_faults(core, a, &before)
    a.stage = AT_MAP
    a.waits = IN_READ
    a.target_read = core.target_read
    if core.n_reads > 0:
        for k in range(core.n_reads):
            w.reads[<uint64_t>a.id * w.row + k] = core.reads[k]
        a.n_reads = core.n_reads
        a.sent = 0
        core.n_reads = 0
        a.stage = AT_READ
    return ST_OK

cdef inline int at_read(core_t *core, world_t *w, actor_t *a) noexcept nogil:
    cdef uint64_t begin = core.clock.now
    cdef uint32_t k, home = core.slot_page[a.target_read]
    cdef bint all_sent
    if a.sent == 0:
        a.thrashes = home != NIL and core.page[home].folio & F_WORKINGSET
        a.read_done = 0
    for k in range(a.n_reads):
        core.reads[k] = w.reads[<uint64_t>a.id * w.row + k]
    core.n_reads = a.n_reads
    core.target_read = a.target_read
    a.left = a.t
    may_stop(core)
    all_sent = submit_reads(core, &a.sent, &a.read_done)
    core.may_stop = False
    if UNLIKELY(not all_sent):
        core.n_reads = 0
        return queue_up(core, w, a)
    a.woken = False
    spend(a, IN_TAGS, core.clock.now - begin)
    core.in_tags = 0
    a.stage = AT_MAP
    a.waits = IN_WORKINGSET if a.thrashes else IN_READ
    if a.read_done > a.t:
        spend(a, a.waits, a.read_done - a.t)
    core.clock.in_swap_in += a.t - begin
    if a.mm < core.token.mms:
        core.token.stalled_until[a.mm] = a.t
    return STEP_SLEEP if a.t > a.left else STEP_AGAIN

cdef inline void note_area(core_t *core, world_t *w, actor_t *a) noexcept nogil:
    cdef uint32_t area = core.cluster_area[a.target_read // CLUSTER]
    if area < w.n_areas:
        histogram_add(w.areas[area], a.t - a.began)

cdef inline void at_map(core_t *core, world_t *w, actor_t *a) noexcept nogil:
    note_latency(w, a, a.was_major)
    if UNLIKELY(w.areas != NULL) and a.was_major:
        note_area(core, w, a)
    a.pos += 1
    a.references += 1
    a.stage = AT_RUN
    if UNLIKELY(a.debt >= HIGH_BATCH):
        high_begin(core, &a.high, a.debt)
        a.debt = 0
        a.stage = AT_HIGH

cdef inline bint pay_high(core_t *core, actor_t *a) noexcept nogil:
    # True: it sleeps.
    cdef uint64_t begin = core.clock.now
    cdef bint again = high_round(core, &core.memcgs[a.memcg], &a.high)
    spend_reclaim(core, a, core.clock.now - begin)
    if again:
        return False
    a.stage = AT_RUN
    a.left = a.t
    a.waits = IN_HIGH
    spend(a, IN_HIGH, a.high.delay)
    return a.high.delay > 0

cdef inline int at_charge(core_t *core, world_t *w, actor_t *a, uint32_t page,
                          bint write) noexcept nogil:
    # One pass, or the fault itself. ST_AGAIN: not yet.
    cdef memcg_t *g = fault_needs(core, page, write)
    cdef uint64_t begin = core.clock.now
    cdef int status = ST_OK
    if g != NULL:
        may_stop(core)
        status = charge_step(core, g, &a.charge)
        core.may_stop = False
        spend_reclaim(core, a, core.clock.now - begin)
    if status == ST_OK:
        return do_fault(core, w, a, page, write)
    return status

cdef inline int at_batch(core_t *core, world_t *w, actor_t *a, uint64_t second) noexcept nogil:
    # A pass goes on that had to wait for a tag.
    cdef uint64_t begin = core.clock.now
    psi_set(core, w, a, PSI_RUNNING | PSI_ON_CPU | PSI_MEMSTALL, a.t)
    may_stop(core)
    charge_pass(core, &a.charge)
    core.may_stop = False
    spend_reclaim(core, a, core.clock.now - begin)
    if a.charge.sc.batch != NULL:
        return queue_up(core, w, a)
    a.woken = False
    return STEP_ON if late(w, a, second) else STEP_AGAIN

cdef inline bint has_margin(core_t *core, actor_t *a) noexcept nogil:
    # mem_cgroup_out_of_memory, __alloc_pages_may_oom: a last look before somebody is killed.
    if a.failed == ST_OOM_GROUP:
        return over_max(core, &core.memcgs[a.charge.over]) == NULL
    return a.failed == ST_OOM and free_pages(core) > core.ram.wmark_high

cdef inline int fails(core_t *core, world_t *w, actor_t *a) noexcept nogil:
    # There was no page, and now it is the time at which that is known.
    core.error.memcg = a.charge.over
    w.status = a.failed
    a.failed = ST_OK
    return STEP_OOM

cdef inline int has_failed(core_t *core, world_t *w, actor_t *a, int status,
                           uint64_t second) noexcept nogil:
    # What it tried took its time; meanwhile others go on, and may free what it needs.
    a.owes_tags = 0
    a.failed = <uint8_t>status
    charge_begin(&a.charge)
    a.charge.over = core.error.memcg
    return STEP_ON if late(w, a, second) else fails(core, w, a)

cdef inline int at_page(core_t *core, world_t *w, actor_t *a, uint64_t second) noexcept nogil:
    # AT_FAULT and AT_CHARGE: one step towards the page; STEP_AGAIN: another may follow at once.
    cdef uint32_t ref = a.refs[a.pos], page = a.base + (ref & REF_PAGE)
    cdef int status
    if UNLIKELY(a.charge.sc.batch != NULL):
        return at_batch(core, w, a, second)
    if second_look(core, a, page, ref >> 31):
        a.failed = ST_OK
        return STEP_AGAIN
    if UNLIKELY(a.failed != ST_OK):
        if not has_margin(core, a):
            return fails(core, w, a)
        a.failed = ST_OK
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
        return has_failed(core, w, a, status, second)
    if UNLIKELY(a.charge.sc.batch != NULL):
        return queue_up(core, w, a)
    if status == ST_AGAIN and throttled(core, a):
        a.left = a.t
        a.waits = IN_STALL
        spend(a, IN_STALL, JIFFY)
        return STEP_SLEEP
    if pay_tags(a):
        return STEP_SLEEP
    return STEP_ON if late(w, a, second) else STEP_AGAIN

cdef inline int at_high(core_t *core, world_t *w, actor_t *a, uint64_t second) noexcept nogil:
    psi_set(core, w, a, PSI_RUNNING | PSI_ON_CPU | PSI_MEMSTALL, a.t)
    if pay_high(core, a) or pay_tags(a):
        return STEP_SLEEP
    if a.stage == AT_RUN:
        psi_set(core, w, a, PSI_RUNNING | PSI_ON_CPU, a.t)
    return STEP_ON if late(w, a, second) else STEP_AGAIN

cdef inline int at_run(core_t *core, world_t *w, actor_t *a, uint64_t second) noexcept nogil:
    cdef int step
    if a.pos == a.n:
        a.rounds += 1
        if a.loops <= 1:
            return STEP_END
        a.loops -= a.loops != FOREVER
        a.pos = a.ahead = 0
    if a.t >= a.stop:
        return STEP_END
    if is_plain(core, w, second):
        step = alone(core, w, a)
        return step if step == STEP_OOM or not late(w, a, second) else STEP_ON
    if run_hits(w, core, a, second):
        a.stage = AT_FAULT
        a.began = a.t
    return STEP_ON if late(w, a, second) else STEP_AGAIN

cdef inline int step_of(core_t *core, world_t *w, actor_t *a, uint64_t second) noexcept nogil:
    cdef int step = STEP_AGAIN
    while step == STEP_AGAIN:
        if a.stage == AT_RUN:
            step = at_run(core, w, a, second)
            continue
        core.clock.now = a.t
        core.current_mm = a.mm
        core.cpu = a.cpu
        if a.stage == AT_READ:
            step = at_read(core, w, a)
        elif a.stage == AT_MAP:
            at_map(core, w, a)
        elif a.stage == AT_HIGH:
            step = at_high(core, w, a, second)
        else:
            step = at_page(core, w, a, second)
    return step
