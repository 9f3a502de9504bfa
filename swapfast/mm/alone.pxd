# alone: a program that nobody else disturbs goes from fault to fault in one loop, as `touch_hits`
# has it; what it does and when is what the steps would do.
#
# - is_plain(core, w, second): it is alone, and nothing about that needs steps
# - afford(w, references) -> False: it is time that somebody looks for signals
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
    return (second == FOREVER and w.n_cpus == 0 and not core.rules.highs
            and free_pages(core) > core.ram.wmark_low)

cdef inline uint64_t allowed(actor_t *a, uint64_t now, uint64_t end) noexcept nogil:
    # Up to which of its references it may go until a time.
    cdef uint64_t k
    if end == FOREVER:
        return a.n
    k = (end - now + a.think - 1) // a.think
    return a.pos + k if k < a.n - a.pos else a.n

cdef inline bint afford(world_t *w, uint64_t references) noexcept nogil:
    # False: it is time that somebody looks for signals.
    cdef uint64_t cost = 1 + (references >> 10)
    if w.budget <= cost:
        w.budget = 0
        return False
    w.budget -= cost
    return True

cdef inline int fault_alone(core_t *core, world_t *w, actor_t *a, uint32_t page,
                            bint write) noexcept nogil:
    # A fault at once, and where its time went.
    cdef uint64_t majors = core.count.pgmajfault, faults = core.count.pgfault
    cdef uint64_t reclaimed = core.clock.in_reclaim, tags, later, rest
    cdef int status
    a.began = core.clock.now
    core.in_tags = core.waited = core.waited_tags = 0
    status = fault(core, page, write)
    reclaimed = core.clock.in_reclaim - reclaimed
    rest = core.clock.now - a.began - reclaimed - core.waited - core.waited_tags
    later = core.in_tags - core.waited_tags
    tags = min(later, reclaimed)
    a.time[IN_TAGS] += core.in_tags
    a.time[IN_RECLAIM] += reclaimed - tags
    a.time[IN_FAULT] += rest - (later - tags)
    core.in_tags = 0
    if status != ST_OK:
        a.timed = core.page[page].pte & (PTE_PRESENT | PTE_SWAP) == 0
        a.stage = AT_CHARGE
        return status
    majors = core.count.pgmajfault - majors
    a.majors += majors
    a.minors += core.count.pgfault - faults - majors
    if majors:
        a.time[IN_WORKINGSET if core.page[home_of(core, page)].folio & F_WORKINGSET
               else IN_READ] += core.waited
    a.t = core.clock.now
    note_latency(w, a, majors)
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
    core.clock.now = a.t
    while a.pos < a.n and core.clock.now < end:
        most = min(allowed(a, core.clock.now, end), a.pos + LOOK_EVERY)
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
