"""Programs side by side in virtual time.

An extension of its own, so that it takes nothing from what GCC may inline into `touch`. What
happens between two calls of `World.run`, kills above all, is decided in Python.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset

from swapfast._core cimport Core
from swapfast.core.guard cimport guard_arm
from swapfast.mm.actor cimport (
    AT_END, AT_RUN, CLASSES, FOREVER, IN_IDLE, NOBODY, actor_arrays, actor_t, barrier_t, heap_push,
    psi_arrays, spend, world_t,
)
from swapfast.mm.arrays cimport grow, release
from swapfast.mm.histogram cimport HISTOGRAM_BUCKETS, histogram_t
from swapfast.mm.moving cimport MOVE_RATE, demote_t
from swapfast.mm.picks cimport picks_reserve
from swapfast.mm.psi cimport PSI_STATES, psi_average, psi_collect
from swapfast.mm.together cimport (
    WORLD_END, WORLD_OOM, WORLD_UNTIL, run_world, world_begins, world_kill,
)
from swapfast.mm.types cimport core_t, mapping_t
from swapfast.mm.words cimport REF_PAGE, WANT_MOVES

import numpy as np

ENDINGS = ("over", "until", "pause", "oom", "end")
TIME_CLASSES = ("user", "fault", "reclaim", "read", "workingset", "high", "stall", "tags", "cpu",
                "barrier", "idle")
PSI_NAMES = ("io_some", "io_full", "memory_some", "memory_full", "cpu_some", "cpu_full")
PROGRAM_COLUMNS = ("t", "start", "end", "references", "majors", "minors", "rounds", "alive",
                   "waits", *TIME_CLASSES)

cdef enum:
    PAUSE_EVENTS = 1 << 16   # between two looks for signals
    COLUMNS = 9 + CLASSES    # PROGRAM_COLUMNS


cdef class World:
    """Actors of one machine in virtual time.

    Parameters
    ----------
    core : Core
    quantum : int
        How far hits may run ahead of other actors, ns.
    cpus : int
        Processors; 0: as many as there are actors.
    slice : int
        ns that one runs before another that is ready.
    by_area : bool
        Latencies of major faults by swap area, too.
    """

    cdef Core core
    cdef world_t w
    cdef bint by_area
    cdef dict kept              # arrays that actors read, and their highest page

    def __cinit__(self, Core core, uint64_t quantum, uint32_t cpus, uint64_t slice,
                  bint by_area=False):
        cdef world_t *w = &self.w
        core.idle()
        memset(w, 0, sizeof(world_t))
        self.core = core
        self.kept = {}
        w.quantum = quantum
        w.n_cpus = cpus
        w.slice = slice
        self.by_area = w.by_steps = by_area
        w.row = (1 << core.c.rules.page_cluster) + 1
        w.major = <histogram_t *>calloc(1, sizeof(histogram_t))
        w.minor = <histogram_t *>calloc(1, sizeof(histogram_t))
        w.running = <uint32_t *>malloc((cpus + 1) * 4)
        if w.major == NULL or w.minor == NULL or w.running == NULL:
            raise MemoryError("no room for actors")
        memset(w.running, 0xff, (cpus + 1) * 4)
        w.kswapd = self.room()
        w.actors[w.kswapd].stage = AT_END
        w.actors[w.kswapd].barrier = NOBODY
        w.now = core.c.clock.now
        if not picks_reserve(&core.c, max(cpus, 1), 1):
            raise MemoryError("no room for the clusters of processors")
        world_begins(&core.c, w)

    def __dealloc__(self):
        cdef world_t *w = &self.w
        cdef uint32_t i
        for i in range(w.n_actors):
            free(w.actors[i].major)
            free(w.actors[i].minor)
        for i in range(w.n_areas):
            free(w.areas[i])
        free(w.areas)
        free(w.major)
        free(w.minor)
        free(w.running)
        free(w.barriers)
        release(actor_arrays(w))
        release(psi_arrays(w))

    cdef uint32_t room(self) except? 0xffffffff:
        # The number of one actor more.
        cdef world_t *w = &self.w
        if w.n_actors == w.room and not grow(actor_arrays(w), <uint64_t>w.n_actors + 1):
            raise MemoryError("no room for one actor more")
        memset(&w.actors[w.n_actors], 0, sizeof(actor_t))
        w.actors[w.n_actors].id = w.n_actors
        w.n_actors += 1
        return w.n_actors - 1

    cdef int psi_ready(self) except -1:
        # Pressure of every memcg that there is.
        cdef world_t *w = &self.w
        if self.core.c.memcgs_max > w.psi_room and not grow(psi_arrays(w), self.core.c.memcgs_max):
            raise MemoryError("no room for pressure")
        return 0

    cdef actor_t *actor(self, uint32_t number) except NULL:
        if not 0 < number < self.w.n_actors:
            raise ValueError(f"no program {number}")
        return &self.w.actors[number]

    def barrier(self):
        """A barrier for programs to come; returns its number."""
        cdef world_t *w = &self.w
        cdef void *moved = realloc(w.barriers, (w.n_barriers + 1) * sizeof(barrier_t))
        if moved == NULL:
            raise MemoryError("no room for a barrier")
        w.barriers = <barrier_t *>moved
        memset(&w.barriers[w.n_barriers], 0, sizeof(barrier_t))
        w.n_barriers += 1
        return w.n_barriers - 1

    def add(self, uint32_t mapping, const uint32_t[::1] refs not None, *, uint32_t memcg,
            uint32_t think, uint64_t start, uint64_t stop, uint64_t loops, int64_t barrier=-1,
            uint64_t first=0, bint watch=True):
        """A program: references of one mapping, ``think`` ns each; returns its number.

        ``refs`` belong to this call alone and are checked here; ``loops`` of 2**64 - 1 never end.
        """
        cdef mapping_t *m = self.core.mapping(mapping)
        cdef actor_t *a
        cdef uint32_t number
        self.core.idle()
        self.check_refs(m, refs, think, loops, first)
        if barrier >= self.w.n_barriers:
            raise ValueError(f"no barrier {barrier}")
        if self.core.c.tlb.entry != NULL:
            raise ValueError("programs side by side have no TLB; boot with tlb='off'")
        if self.core.c.memcgs[m.memcg].policy.touch != NULL:
            raise ValueError("a policy that sees every reference plays one program at a time")
        number = self.room()
        a = &self.w.actors[number]
        a.refs = &refs[0]
        a.n = refs.shape[0]
        a.pos = first
        a.base = m.base
        a.mapping = mapping
        a.mm = m.mm
        a.memcg = memcg
        a.think = think
        a.start = a.t = max(start, self.core.c.clock.now)
        a.stop = stop
        a.loops = loops
        a.barrier = NOBODY if barrier < 0 else <uint32_t>barrier
        if barrier >= 0:
            self.w.barriers[barrier].expected += 1
        if watch:
            a.major = <histogram_t *>calloc(1, sizeof(histogram_t))
            a.minor = <histogram_t *>calloc(1, sizeof(histogram_t))
        heap_push(&self.w, a.t, number)
        return number

    cdef int check_refs(self, mapping_t *m, const uint32_t[::1] refs, uint32_t think,
                        uint64_t loops, uint64_t first) except -1:
        cdef uint32_t worst
        if refs.shape[0] == 0 or think == 0 or loops == 0 or first >= <uint64_t>refs.shape[0]:
            raise ValueError("a program has references, time for each, and a loop at least")
        worst = self.worst_of(refs)
        if worst >= m.pages:
            raise ValueError(f"page {worst} of a mapping of {m.pages} pages")
        return 0

    def again(self, uint32_t number, const uint32_t[::1] refs not None, *, uint32_t think,
              uint64_t start, uint64_t loops):
        """A program that is through has other references from ``start`` on; idle until then."""
        cdef actor_t *a = self.actor(number)
        self.core.idle()
        self.goes_on()
        if a.stage != AT_END:
            raise ValueError(f"program {number} is not through")
        self.check_refs(self.core.mapping(a.mapping), refs, think, loops, 0)
        a.refs = &refs[0]
        a.n = refs.shape[0]
        a.pos = a.ahead = 0
        a.think = think
        a.loops = loops
        a.barrier = NOBODY
        a.stage = AT_RUN
        a.waits = IN_IDLE
        a.asleep = True
        start = max(min(start, a.stop), a.t)
        spend(a, IN_IDLE, start - a.t)
        heap_push(&self.w, a.t, number)

    cdef uint32_t worst_of(self, const uint32_t[::1] refs) except? 0xffffffff:
        # The highest page, looked for once in each array.
        cdef uint32_t worst = 0, page
        cdef uint64_t i, key = <uint64_t>&refs[0]
        known = self.kept.get((key, refs.shape[0]))
        if known is not None:
            return known[1]
        for i in range(<uint64_t>refs.shape[0]):
            page = refs[i] & REF_PAGE
            if page > worst:
                worst = page
        self.kept[key, refs.shape[0]] = refs, worst
        return worst

    def run(self, uint64_t until=FOREVER):
        """Go on until there is something to decide.

        Returns
        -------
        ending : str
            "over": no program is left; "until"; "pause": time to look for signals; "oom": an actor
            found no page; "end": one is through.
        actor, status : int
            Whom it is about, and why its charge failed.
        """
        cdef core_t *c = &self.core.c
        cdef world_t *w = &self.w
        cdef int what
        self.core.idle()
        self.goes_on()
        self.movers()
        self.areas_ready()
        self.psi_ready()
        w.until = until
        w.budget = PAUSE_EVENTS
        guard_arm()
        self.core.busy = True
        c.actors = c.timed = True
        with nogil:
            what = run_world(c, w)
        c.actors = c.others = False
        c.timed = c.n_devices > 1
        self.core.busy = False
        if what == WORLD_UNTIL:
            w.now = max(w.now, until)
        elif what == WORLD_OOM or what == WORLD_END:
            w.now = max(w.now, w.actors[w.who].t)
        c.clock.now = w.now
        self.core.wipe()
        return ENDINGS[what], w.who, w.status

    cdef int areas_ready(self) except -1:
        # A histogram for every area that there is, where they are asked for.
        cdef world_t *w = &self.w
        cdef uint32_t n = self.core.c.area_numbers.top
        cdef void *moved
        if not self.by_area or w.n_areas >= n:
            return 0
        moved = realloc(w.areas, n * sizeof(void *))
        if moved == NULL:
            raise MemoryError("no room for latencies by area")
        w.areas = <histogram_t **>moved
        while w.n_areas < n:
            w.areas[w.n_areas] = <histogram_t *>calloc(1, sizeof(histogram_t))
            if w.areas[w.n_areas] == NULL:
                raise MemoryError("no room for latencies by area")
            w.n_areas += 1
        return 0

    cdef int movers(self) except -1:
        # An actor for each plug that moves pages at a rate.
        cdef core_t *c = &self.core.c
        cdef demote_t *d
        cdef uint32_t k
        for k in range(c.moves.n):
            d = c.moves.all[k]
            if d.when == MOVE_RATE and not d.off and d.world != self.w.serial:
                d.actor = self.room()
                d.world = self.w.serial
                self.w.actors[d.actor].stage = AT_END
                self.w.actors[d.actor].barrier = NOBODY
                self.w.actors[d.actor].mapping = k
                self.w.by_steps = True
                c.wanted |= WANT_MOVES
        return 0

    cdef int goes_on(self) except -1:
        if self.w.serial != self.core.c.worlds:
            raise ValueError("another run of this machine has begun: this one cannot go on")
        return 0

    def is_endless(self, uint32_t number):
        """Whether a program repeats its references for ever, and has no time to stop at."""
        cdef actor_t *a = self.actor(number)
        return a.loops == FOREVER and a.stop == FOREVER and a.stage != AT_END

    def kill(self, uint32_t number):
        """A program is gone; its memory is somebody else's business."""
        self.goes_on()
        world_kill(&self.core.c, &self.w, self.actor(number), self.w.now)

    @property
    def now(self):
        """ns of the last event."""
        return self.w.now

    @property
    def events(self):
        """Steps so far."""
        return self.w.events

    def row(self, uint32_t number):
        """What one of them has done: a row of `programs`."""
        row = np.empty(COLUMNS, dtype=np.uint64)
        cdef uint64_t[::1] v = row
        fill_row(self.actor(number), &v[0])
        return row

    def programs(self):
        """What each program has done: a row of ``PROGRAM_COLUMNS`` each, kswapd first."""
        cdef uint32_t i
        rows = np.empty((self.w.n_actors, COLUMNS), dtype=np.uint64)
        cdef uint64_t[:, ::1] v = rows
        for i in range(self.w.n_actors):
            fill_row(&self.w.actors[i], &v[i, 0])
        return rows

    def histogram(self, number, bint major=True):
        """``(counts, sum, max)`` of a program's fault latencies, ns; None: of all of them."""
        cdef actor_t *a
        cdef uint32_t i
        if number is None:
            counts, total, most = counts_of(self.w.major if major else self.w.minor)
            for i in range(1, self.w.n_actors):
                if self.w.actors[i].major != NULL:
                    one = self.histogram(i, major)
                    counts = counts + one[0]
                    total += one[1]
                    most = max(most, one[2])
            return counts, total, most
        a = self.actor(number)
        if a.major == NULL:
            raise ValueError(f"program {number} is not watched")
        return counts_of(a.major if major else a.minor)

    def area_histogram(self, uint32_t area):
        """``(counts, sum, max)`` of the latencies of major faults whose page was in a swap area."""
        if not self.by_area:
            raise ValueError("latencies are not kept by area: ask with together(area_latency=True)")
        if area >= self.w.n_areas:   # nothing has run since it is on
            return np.zeros(HISTOGRAM_BUCKETS, dtype=np.uint32), 0, 0
        return counts_of(self.w.areas[area])

    def pressure(self, uint32_t memcg):
        """``(totals, averages)`` by ``PSI_NAMES``: ns, and three fixed-point numbers each."""
        cdef world_t *w = &self.w
        cdef uint32_t s
        self.core.memcg(memcg)
        self.psi_ready()
        psi_collect(w, memcg, w.now)
        return ([w.psi[memcg].total[s] for s in range(6)], [w.psi[memcg].avg[s] for s in range(18)])

    def add_pressure(self, uint32_t memcg, const uint64_t[::1] ns not None):
        """Add to the totals, by ``PSI_NAMES``, where no processor keeps them."""
        cdef uint32_t s
        self.core.memcg(memcg)
        self.psi_ready()
        for s in range(PSI_STATES):
            self.w.psi[memcg].total[s] += ns[s]

    def average_pressure(self, uint64_t period):
        """One step of the running averages of every memcg."""
        cdef uint32_t i
        cdef core_t *c = &self.core.c
        self.psi_ready()
        for i in range(c.memcg_numbers.top):
            if c.memcgs[i].used:
                psi_collect(&self.w, i, self.w.now)
                psi_average(&self.w.psi[i], period)


cdef void fill_row(actor_t *a, uint64_t *to) noexcept:
    # By PROGRAM_COLUMNS.
    to[0], to[1], to[2], to[3] = a.t, a.start, a.end, a.references
    to[4], to[5], to[6], to[7], to[8] = a.majors, a.minors, a.rounds, a.stage != AT_END, a.waits
    memcpy(&to[COLUMNS - CLASSES], a.time, CLASSES * sizeof(uint64_t))


cdef tuple counts_of(histogram_t *h):
    return np.array(<uint32_t[:HISTOGRAM_BUCKETS]>h.count), h.sum, h.max
