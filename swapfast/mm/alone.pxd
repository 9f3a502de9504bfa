# alone: a program that nobody else disturbs goes from fault to fault in one loop, as `touch_hits`
# has it; what it does and when is what the steps would do.
#
# - is_plain(core, w, second): it is alone, and nothing about that needs steps
# - allowed(a, now, end): up to which of its references it may go
# - afford(w, references) -> False: it is time that somebody looks for signals
# - fault_begins(core); book_time(core, a, before); book_faults(core, a, before): what a fault took
# - alone(core, w, a) -> STEP_*

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.actor cimport (
    AT_CHARGE, AT_FAULT, FOREVER, IN_FAULT, IN_READ, IN_RECLAIM, IN_TAGS, IN_USER, IN_WORKINGSET,
    LOOK_EVERY, STEP_AGAIN, STEP_OOM, actor_t, note_latency, world_t,
)
from swapfast.mm.fault cimport fault
from swapfast.mm.reclaim cimport free_pages
from swapfast.mm.rmap cimport home_of
from swapfast.mm.touch cimport look_ahead
from swapfast.mm.types cimport UNLIKELY, core_t, page_t
from swapfast.mm.words cimport F_WORKINGSET, PTE_PRESENT, PTE_SWAP, REF_PAGE, ST_OK

cdef extern from "hits.h" nogil:
    uint64_t hit_run(page_t *page, const uint32_t *refs, uint64_t i, uint64_t n)

cdef inline bint is_plain(core_t *core, world_t *w, uint64_t second) noexcept nogil:
    # Alone, and nothing about that needs steps: `alone` may take over.
    return (second == FOREVER and w.n_cpus == 0 and w.n_queued == 0 and not w.by_steps
            and not core.rules.highs and free_pages(core) > core.ram.wmark_low
            and core.ram.frames == NULL)

cdef inline uint64_t allowed(actor_t *a, uint64_t now, uint64_t end) noexcept nogil:
    # Up to which of its references it may go until a time; one at least.
    cdef uint64_t most = a.n - a.pos, k
    if most > LOOK_EVERY:
        most = LOOK_EVERY
    if end != FOREVER:
        k = (end - now + a.think - 1) // a.think if end > now else 1
        if k < most:
            most = k
    return a.pos + most

cdef inline bint afford(world_t *w, uint64_t references) noexcept nogil:
    # False: it is time that somebody looks for signals.
    cdef uint64_t cost = 1 + (references >> 10)
    if w.budget <= cost:
        w.budget = 0
        return False
    w.budget -= cost
    return True

cdef struct fault_t:     # what was counted before it
    uint64_t now
    uint64_t in_reclaim
    uint64_t majors
    uint64_t faults

cdef inline fault_t fault_begins(core_t *core) noexcept nogil:
    core.in_tags = core.waited = core.waited_tags = 0
    return fault_t(core.clock.now, core.clock.in_reclaim, core.count.pgmajfault,
                   core.count.pgfault)

cdef inline uint64_t book_time(core_t *core, actor_t *a, const fault_t *before) noexcept nogil:
    # Processor time, by class. Returns what was waited for room in a device to write; read-ahead
    # sends what its reclaim wrote when that is over, so not all of it lies within reclaim.
    cdef uint64_t reclaimed = core.clock.in_reclaim - before.in_reclaim
    cdef uint64_t rest = (core.clock.now - before.now - reclaimed - core.waited
                          - core.waited_tags)
    cdef uint64_t waited = core.in_tags - core.waited_tags, within = min(waited, reclaimed)
    a.time[IN_RECLAIM] += reclaimed - within
    a.time[IN_FAULT] += rest - (waited - within)
    core.in_tags = 0
    return waited

cdef inline bint book_faults(core_t *core, actor_t *a, const fault_t *before) noexcept nogil:
    # True: it was a major one.
    cdef uint64_t majors = core.count.pgmajfault - before.majors
    a.majors += majors
    a.minors += core.count.pgfault - before.faults - majors
    return majors > 0

cdef inline int fault_alone(core_t *core, world_t *w, actor_t *a, uint32_t page,
                            bint write) noexcept nogil:
    # A fault at once, and where its time went.
    cdef fault_t before = fault_begins(core)
    cdef int status
    cdef bint major
    a.began = core.clock.now
    status = fault(core, page, write)
    a.time[IN_TAGS] += book_time(core, a, &before) + core.waited_tags
    if status != ST_OK:
        a.timed = core.page[page].pte & (PTE_PRESENT | PTE_SWAP) == 0
        a.stage = AT_CHARGE
        return status
    major = book_faults(core, a, &before)
    if major:
        a.time[IN_WORKINGSET if core.page[home_of(core, page)].folio & F_WORKINGSET
               else IN_READ] += core.waited
    a.t = core.clock.now
    note_latency(w, a, major)
    a.pos += 1
    a.references += 1
    return ST_OK

cdef inline int alone(core_t *core, world_t *w, actor_t *a) noexcept nogil:
    # What the steps do for a program that is alone, in one loop as `touch_hits` has it.
    cdef uint64_t end = w.until if w.until < a.stop else a.stop, most, i, n
    cdef uint32_t ref
    cdef int status = ST_OK
    core.waits_inline = True
    core.current_mm = a.mm
    core.cpu = a.cpu
    core.clock.now = a.t
    while a.pos < a.n and core.clock.now < end:
        most = allowed(a, core.clock.now, end)
        i = hit_run(&core.page[a.base], a.refs, a.pos, most)
        n = i - a.pos
        a.pos = i
        a.references += n
        n += i < most   # the one that faults has its time, too
        core.clock.now += n * a.think
        core.clock.in_references += n * a.think
        a.time[IN_USER] += n * a.think
        if not afford(w, n):
            if i < most:
                a.stage = AT_FAULT
                a.began = core.clock.now
            break
        if i == most:
            continue
        if core.clock.now >= w.until or free_pages(core) <= core.ram.wmark_low:
            a.stage = AT_FAULT
            a.began = core.clock.now
            break
        look_ahead(core, a.base, a.refs, &a.ahead, i, a.n)
        ref = a.refs[i]
        status = fault_alone(core, w, a, a.base + (ref & REF_PAGE), ref >> 31)
        if UNLIKELY(status != ST_OK):
            break
    core.waits_inline = False
    a.t = core.clock.now
    w.status = status
    return STEP_OOM if status != ST_OK else STEP_AGAIN
