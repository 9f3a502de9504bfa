# actor: who acts in virtual time: programs, and kswapd. Each has its own clock; a heap says whose
# turn it is.
#
# An actor is where it stands in its work (stage), when it goes on (t), and where its time went.
# Classes of time add up to all that passed since it started, to the nanosecond.
#
# - actor_arrays(w), psi_arrays(w): what grows with the actors, and with the memcgs
# - before(x, y): is x due before y? The number breaks ties, so that the order is total
# - heap_push(w, t, a), heap_sift(w), heap_pop(w): actors by the time at which they go on
# - ready_push(w, v, a), ready_pop(w) -> actor: those that wait for a processor, by virtual runtime
# - heap_child(w, at) -> the first below a place; second_time(w) -> up to when the first is alone
# - spend(a, what, ns): its clock goes on
# - note_latency(w, a, major): a fault is over

from libc.stdint cimport uint32_t, uint64_t, uint8_t
from swapfast.mm.arrays cimport array_t, arrays_t
from swapfast.mm.high cimport high_t
from swapfast.mm.histogram cimport histogram_add, histogram_t
from swapfast.mm.queue cimport device_t
from swapfast.mm.scan cimport charge_t
from swapfast.mm.words cimport HZ

cdef extern from *:
    """
    static const uint64_t FOREVER = ~0ull;
    static const uint32_t NOBODY = ~0u;
    """
    const uint64_t FOREVER
    const uint32_t NOBODY

cdef enum:
    # stages
    AT_START = 0         # its barrier, if it has one
    AT_RUN = 1           # references that hit
    AT_FAULT = 2         # a reference that does not
    AT_CHARGE = 3        # it needs a page, and maybe one has to be freed
    AT_READ = 4          # its reads are due
    AT_MAP = 5           # it has what it needed
    AT_HIGH = 6          # it owes for memory.high
    AT_KSWAPD = 7
    AT_END = 8
    AT_BARRIER = 9
    AT_MOVE = 10         # moves pages between swap areas

    # classes of time
    IN_USER = 0
    IN_FAULT = 1
    IN_RECLAIM = 2
    IN_READ = 3          # waits for a page
    IN_WORKINGSET = 4    # the same, and it had been active: thrashing
    IN_HIGH = 5          # held up by memory.high
    IN_STALL = 6         # held up since reclaim gets nowhere
    IN_TAGS = 7          # waits to submit a request
    IN_CPU = 8           # waits for a processor
    IN_BARRIER = 9
    IN_IDLE = 10         # between two of its phases
    CLASSES = 11

    JIFFY = 1000000000 // HZ
    LOOK_EVERY = 1 << 22 # references at most, before somebody may look for signals
    FEW = 64             # actors whose next references stay in the cache

    # what a step ends with
    STEP_ON = 0          # goes on at its time
    STEP_SLEEP = 1       # the same, and needs no processor until then
    STEP_END = 2
    STEP_OUT = 3         # is not in the heap until somebody wakes it
    STEP_OOM = 4
    STEP_AGAIN = 5       # goes on at once
    STEP_QUEUE = 6       # waits for a tag, and nobody knows until when

cdef struct event_t:
    uint64_t t
    uint32_t a

cdef struct actor_t:
    # What each step looks at comes first: with many programs every line of it is far away.
    uint64_t t
    const uint32_t *refs
    uint64_t pos
    uint64_t n
    uint64_t stop        # ends at the first reference then or later
    uint32_t think       # ns a reference
    uint32_t base        # page index of its page 0
    uint8_t stage
    uint8_t waits        # class of the time until t, while it sleeps
    bint timed           # the minor fault's time has passed
    uint8_t failed       # ST_*: what its charge ended with, which others learn of at t
    bint asleep          # until t
    device_t *wants      # it waits for a tag of this one
    uint32_t memcg
    uint32_t mm
    uint32_t cpu
    uint32_t id
    uint64_t left        # when it gave its processor up
    uint64_t debt        # pages above memory.high
    uint32_t n_reads
    uint32_t target_read
    uint32_t sent        # of its reads
    bint was_major       # the fault that is under way
    bint thrashes        # the page that it reads had been active
    bint woken           # it has tried again since
    uint64_t began       # the present fault
    uint64_t read_done   # the one that it waits for
    uint64_t owes_tags   # ns that it waited for a device, within a pass
    uint64_t references
    uint64_t majors
    uint64_t minors
    histogram_t *major   # latencies, or NULL
    histogram_t *minor
    uint64_t time[11]    # CLASSES
    charge_t charge
    high_t high          # of pages above memory.high those that are being paid
    uint64_t ahead       # up to where its references are fetched
    uint64_t loops       # how often still; FOREVER
    uint64_t rounds      # through its references
    uint64_t start
    uint64_t end
    uint32_t mapping
    uint32_t barrier     # NOBODY: none
    # processors
    bint on_cpu
    bint resched         # another one has a better claim
    uint32_t psi         # PSI_*
    uint64_t dispatched
    uint64_t slice_end
    uint64_t vruntime
    uint64_t ready_since
    # tags
    uint32_t next_waiter # behind it, if nobody knows until when
    bint lost            # another one had been quicker

cdef struct psi_cpu_t:
    uint32_t running
    uint32_t on_cpu
    uint32_t memstall
    uint32_t iowait
    uint32_t memstall_running
    uint32_t memstall_on_cpu
    uint64_t since
    uint64_t time[7]     # PSI states, and not idle
    uint64_t taken[7]    # of them, by the last look

cdef struct psi_t:
    # Pressure of one memcg.
    uint64_t total[6]    # ns
    uint64_t averaged[6] # total at the last average
    uint64_t avg[18]     # of 10, 60 and 300 s, times 2048 (FIXED_1)

cdef struct barrier_t:
    uint32_t expected
    uint32_t arrived

cdef struct world_t:
    actor_t *actors
    uint32_t n_actors
    uint32_t room
    event_t *heap
    uint32_t n
    uint64_t quantum
    uint64_t until
    uint64_t budget      # events before somebody looks for signals
    uint64_t events
    uint32_t serial
    uint64_t now         # of the last event
    uint32_t *reads      # a row for each actor
    uint32_t row
    uint32_t kswapd      # the actor
    bint by_steps        # a program that is alone has no loop of its own: something needs steps
    uint32_t who         # the event is about
    int status           # why its charge failed
    barrier_t *barriers
    uint32_t n_barriers
    uint32_t n_queued    # actors that wait for a tag, and do not know until when
    # processors; none: as many as there are actors
    uint32_t n_cpus
    uint32_t *running    # actor by processor, NOBODY: idle
    event_t *ready
    uint32_t n_ready
    uint64_t slice
    uint64_t least_v
    psi_cpu_t *psi_cpus  # memcg by processor
    psi_t *psi
    uint32_t psi_room    # memcgs
    uint64_t psi_at      # of the last average
    histogram_t *major   # of programs that nobody watches
    histogram_t *minor
    histogram_t **areas  # of major faults, by swap area; NULL: nobody asked
    uint32_t n_areas

cdef inline arrays_t actor_arrays(world_t *w) noexcept nogil:
    cdef arrays_t all
    all.count, all.length, all.unit = 4, &w.room, 16
    all.most = <uint32_t>0xFFFFFFF0
    all.one[0] = array_t(<void **>&w.actors, sizeof(actor_t), 0)
    all.one[1] = array_t(<void **>&w.heap, sizeof(event_t), 0)
    all.one[2] = array_t(<void **>&w.ready, sizeof(event_t), 0)
    all.one[3] = array_t(<void **>&w.reads, <size_t>w.row * 4, 0)
    return all

cdef inline arrays_t psi_arrays(world_t *w) noexcept nogil:
    cdef arrays_t all
    all.count, all.length, all.unit = 2, &w.psi_room, 16
    all.most = <uint32_t>0xFFFFFFF0
    all.one[0] = array_t(<void **>&w.psi, sizeof(psi_t), 0)
    all.one[1] = array_t(<void **>&w.psi_cpus, <size_t>w.n_cpus * sizeof(psi_cpu_t), 0)
    return all

cdef inline bint before(event_t x, event_t y) noexcept nogil:
    return x.t < y.t or (x.t == y.t and x.a < y.a)

cdef inline void sift_up(event_t *h, uint32_t at, event_t x) noexcept nogil:
    cdef uint32_t up
    while at > 0:
        up = (at - 1) >> 2
        if not before(x, h[up]):
            break
        h[at] = h[up]
        at = up
    h[at] = x

cdef inline uint32_t first_of_four(const event_t *h) noexcept nogil:
    # What the loop over fewer finds; nobody can predict which it is.
    cdef uint32_t i = before(h[1], h[0]), k = 2 + before(h[3], h[2])
    return k if before(h[k], h[i]) else i

cdef inline void sift_down(event_t *h, uint32_t n, event_t x) noexcept nogil:
    # x takes the place of the first, or one further down.
    cdef uint32_t at = 0, down, k
    while True:
        k = 4 * at + 1
        if k >= n:
            break
        if k + 4 <= n:
            down = k + first_of_four(&h[k])
        else:
            down = k
            for k in range(down + 1, n):
                if before(h[k], h[down]):
                    down = k
        if not before(h[down], x):
            break
        h[at] = h[down]
        at = down
    h[at] = x

cdef inline void heap_push(world_t *w, uint64_t t, uint32_t a) noexcept nogil:
    w.n += 1
    sift_up(w.heap, w.n - 1, event_t(t, a))

cdef inline void heap_sift(world_t *w) noexcept nogil:
    # The first one's time has changed.
    cdef uint32_t a = w.heap[0].a
    sift_down(w.heap, w.n, event_t(w.actors[a].t, a))

cdef inline void heap_pop(world_t *w) noexcept nogil:
    w.n -= 1
    if w.n > 0:
        sift_down(w.heap, w.n, w.heap[w.n])

cdef inline uint32_t heap_child(world_t *w, uint32_t at) noexcept nogil:
    # The first below this place, if there are four.
    cdef uint32_t k = 4 * at + 1
    return k + first_of_four(&w.heap[k]) if k + 4 <= w.n else 0

cdef inline uint64_t second_time(world_t *w) noexcept nogil:
    # Events at the same time are in order of their numbers.
    cdef event_t best
    cdef uint32_t k
    if w.n < 2:
        return FOREVER
    if w.n >= 5:
        best = w.heap[1 + first_of_four(&w.heap[1])]
    else:
        best = w.heap[1]
        for k in range(2, w.n):
            if before(w.heap[k], best):
                best = w.heap[k]
    return best.t - 1 if best.a < w.heap[0].a and best.t > 0 else best.t

cdef inline void ready_push(world_t *w, uint64_t v, uint32_t a) noexcept nogil:
    w.n_ready += 1
    sift_up(w.ready, w.n_ready - 1, event_t(v, a))

cdef inline uint32_t ready_pop(world_t *w) noexcept nogil:
    cdef uint32_t a = w.ready[0].a
    w.n_ready -= 1
    if w.n_ready > 0:
        sift_down(w.ready, w.n_ready, w.ready[w.n_ready])
    return a

cdef inline void spend(actor_t *a, uint32_t what, uint64_t ns) noexcept nogil:
    a.t += ns
    a.time[what] += ns

cdef inline void note_latency(world_t *w, actor_t *a, bint major) noexcept nogil:
    cdef uint64_t ns = a.t - a.began
    if a.major != NULL:
        histogram_add(a.major if major else a.minor, ns)
    else:
        histogram_add(w.major if major else w.minor, ns)
