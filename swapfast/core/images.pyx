"""A machine's state as arrays and dicts, out of one and into another; what slots keep."""

from libc.stdint cimport uint32_t, uint64_t, uint8_t
from libc.string cimport memset

from swapfast._core cimport Core
from swapfast.mm.arrays cimport arrays_reserve_mms
from swapfast.mm.gens cimport gens_t
from swapfast.mm.picks cimport picks_reserve
from swapfast.mm.rmap cimport mapping_of, rmap_join
from swapfast.mm.scan cimport token_t
from swapfast.mm.slots cimport LIST_PARTLY, LIST_UNUSED, NO_CLUSTER, slot_bit
from swapfast.mm.state cimport (
    dump_pages, free_limbo, image_home, load_clusters, load_pages, survey_area, survey_page,
    survey_t, take_slot,
)
from swapfast.mm.types cimport area_t, core_t, mapping_t, memcg_t
from swapfast.mm.words cimport (
    BLOCK_SHIFT, CLUSTER, EVENTS, GENS, LEAST_GENS, MAP_OBJECT, MOST_TIERS, NIL, NO_LIMIT,
    SLOTS_CLUSTER, TURN_CPU_AREA, TURN_OWNER,
)

import numpy as np


cdef uint8_t[::1] chosen(Core core, numbers):
    mine = np.zeros(core.c.mappings_max, dtype=np.uint8)
    for number in numbers:
        core.mapping(number)
        mine[number] = 1
    return mine


def survey(Core core, numbers, uint32_t area):
    """What it would take to push these mappings out to an area.

    Returns
    -------
    dict
        needed: slots the area has to give; resident, homes: pages; outside: mapping number of
        a page that somebody else maps, owns, or keeps in the area, 0 if there is none.
    """
    cdef area_t *a = core.area(area)
    cdef uint8_t[::1] mine = chosen(core, numbers)
    cdef survey_t s
    cdef mapping_t *m
    cdef uint32_t number, page
    core.idle()
    memset(&s, 0, sizeof(s))
    for number in numbers:
        m = core.mapping(number)
        with nogil:
            for page in range(m.base, m.base + m.pages):
                survey_page(&core.c, page, &mine[0], a, &s)
    if mine.shape[0]:
        survey_area(&core.c, &mine[0], a, &s)
    outside = 0 if s.outside == NIL else core.c.block_mapping[s.outside >> BLOCK_SHIFT]
    return {"needed": s.needed, "resident": s.resident, "homes": s.homes, "outside": outside}


def dump(Core core, numbers, uint32_t area):
    """Pages of these mappings, all of them out of memory.

    Returns
    -------
    pte : uint8 array
        A byte a page, mapping after mapping.
    slot, shadow : uint32 arrays, zero : uint8 array
        One value for each page that is out and nobody's copy.
    ring, ring_length : uint32 arrays
        Pages that share data, first the one that has the slot; and how many each time.
    """
    cdef core_t *c = &core.c
    cdef area_t *a = core.area(area)
    cdef mapping_t *m
    cdef uint64_t total = 0, at = 0, homes = 0, i, k
    cdef uint32_t page, p
    core.idle()
    first = np.zeros(c.mappings_max, dtype=np.int64)
    for number in numbers:
        first[number] = total
        total += core.mapping(number).pages
    pte = np.empty(total + 1, dtype=np.uint8)
    slot = np.empty(total + 1, dtype=np.uint32)
    shadow = np.empty(total + 1, dtype=np.uint32)
    zero = np.empty(total + 1, dtype=np.uint8)
    ring = []
    lengths = []
    cdef uint8_t[::1] v = pte
    cdef uint32_t[::1] s = slot
    cdef uint32_t[::1] w = shadow
    cdef uint8_t[::1] z = zero
    for number in numbers:
        m = core.mapping(number)
        with nogil:
            homes += dump_pages(c, m.base, m.pages, a, &v[at], &s[homes], &w[homes], &z[homes])
        for i in range(m.pages):
            page = <uint32_t>(m.base + i)
            if c.next[page] == NIL or not image_home(v[at + i]):
                continue
            ring.append(at + i)
            p = c.next[page]
            k = 1
            while p != page:
                ring.append(first[c.block_mapping[p >> BLOCK_SHIFT]]
                            + p - mapping_of(c, p).base)
                p = c.next[p]
                k += 1
            lengths.append(k)
        at += m.pages
    return (pte[:total], slot[:homes], shadow[:homes], zero[:homes],
            np.array(ring, dtype=np.uint32), np.array(lengths, dtype=np.uint32))


def load(Core core, numbers, uint32_t area, const uint8_t[::1] pte not None,
         const uint32_t[::1] slot not None, const uint32_t[::1] shadow not None,
         const uint8_t[::1] zero not None, ring, ring_length):
    """The reverse of `dump`, into untouched mappings and an empty area.

    The values were checked by `swapfast.checkpoint.check`.
    """
    cdef core_t *c = &core.c
    cdef area_t *a = core.area(area)
    cdef mapping_t *m
    cdef uint64_t at = 0, homes = 0
    cdef uint32_t home, page
    core.idle()
    runs = []
    for number in numbers:
        m = core.mapping(number)
        runs.append(m.base)
        if m.pages == 0:
            continue
        with nogil:
            homes += load_pages(
                c, m.base, m.pages, a, &pte[at],
                &slot[homes] if homes < <uint64_t>slot.shape[0] else NULL,
                &shadow[homes] if homes < <uint64_t>shadow.shape[0] else NULL,
                &zero[homes] if homes < <uint64_t>zero.shape[0] else NULL,
                slot.shape[0] - homes)
        if m.kind == MAP_OBJECT and c.watch_writers:
            for page in range(m.base, m.base + m.pages):   # nobody outside wrote in them
                if c.page[page].pte != 0:
                    c.writer[page] = c.scopes[a.scope].serial
        at += m.pages
    if len(ring) == 0:
        return
    # Page numbers of the image to those of this machine.
    bases = np.array(runs, dtype=np.int64)
    sizes = [core.mapping(n).pages for n in numbers]
    starts = np.cumsum(sizes) - sizes
    which = np.searchsorted(starts, ring, side="right") - 1
    here = (bases[which] + (ring.astype(np.int64) - starts[which])).tolist()
    k = 0
    for length in ring_length.tolist():
        home = here[k]
        for page in here[k + 1:k + length]:
            rmap_join(c, home, page)
        k += length


cdef enum:
    MOST_CPUS = 4096   # that programs run on side by side


cdef list picks_state(core_t *c, uint32_t number):
    # Processors that have their cluster in an area: [processor, place in its row, position]. Where
    # the place is the area's number, that may be another one later.
    cdef uint32_t i
    cdef bint own = c.rules.turn == TURN_CPU_AREA
    return [[i // c.pick_row, 0 if own else i % c.pick_row, c.picks[i].position]
            for i in range(c.cpus * c.pick_row) if c.picks[i].area == number + 1]


cdef int picks_load(core_t *c, uint32_t number, picks) except -1:
    cdef uint32_t cpu, place, position
    for cpu, place, position in picks:
        if cpu >= MOST_CPUS or place > MOST_TIERS or position >= c.areas[number].slots:
            raise ValueError("picks: no processor, no place, or a slot outside the area")
        if c.rules.turn == TURN_CPU_AREA:
            place = number
        if not picks_reserve(c, cpu + 1, place + 1):
            raise MemoryError("no room for the clusters of processors")
        c.picks[cpu * c.pick_row + place].area = number + 1
        c.picks[cpu * c.pick_row + place].position = position
    return 0


def area_state(Core core, uint32_t number):
    """Where its next slots come from, its counters; arrays: order of its clusters, limbo."""
    cdef area_t *a = core.area(number)
    cdef core_t *c = &core.c
    cdef uint32_t i, at
    core.idle()
    lists = []
    for i in (LIST_UNUSED, LIST_PARTLY):
        order = []
        if a.strategy == SLOTS_CLUSTER:
            at = a.first[i]
            while at != NO_CLUSTER:
                order.append(at)
                at = a.cl_next[at]
        lists.append(np.array(order, dtype=np.uint32))
    limbo = []
    if a.pinned != NULL:
        for i in range(1, a.slots):
            if slot_bit(a.pinned, i) and c.slot_page[a.base + i] == NIL:
                limbo.append(i)
    state = {"cluster_next": a.cluster_next, "cluster_nr": a.cluster_nr, "position": a.position,
             "pswpin": a.pswpin, "pswpout": a.pswpout,
             "current": a.scope < core.c.scope_numbers.top
             and c.scopes[a.scope].current == number + 1}
    if c.rules.turn != TURN_OWNER:
        state["picks"] = picks_state(c, number)
    return state, lists[0], lists[1], np.array(limbo, dtype=np.uint32)


def area_load(Core core, uint32_t number, state, const uint32_t[::1] unused not None,
              const uint32_t[::1] partly not None, const uint32_t[::1] limbo not None):
    """The reverse of `area_state`, after `load`.

    Raises
    ------
    ValueError
        The lists do not hold the clusters that they should.
    """
    cdef area_t *a = core.area(number)
    cdef core_t *c = &core.c
    cdef uint64_t i
    cdef uint32_t k
    core.idle()
    for i in range(<uint64_t>limbo.shape[0]):
        take_slot(c, a, limbo[i])
    if a.strategy == SLOTS_CLUSTER:
        used = np.array([a.cl_used[k] for k in range(a.clusters)], dtype=np.int64)
        for what, given, right in (("unused", unused, used == 0),
                                   ("partly", partly, (used > 0) & (used < CLUSTER))):
            if not np.array_equal(np.sort(np.asarray(given)), np.flatnonzero(right)):
                raise ValueError(f"{what}: not the clusters that the slots make so")
        load_clusters(a, &unused[0] if unused.shape[0] else NULL, unused.shape[0],
                      &partly[0] if partly.shape[0] else NULL, partly.shape[0])
    a.cluster_next = state["cluster_next"]
    a.cluster_nr = state["cluster_nr"]
    a.position = state["position"]
    a.pswpin = state["pswpin"]
    a.pswpout = state["pswpout"]
    if c.rules.turn != TURN_OWNER:
        picks_load(c, number, state.get("picks", ()))
    if state["current"]:
        c.scopes[a.scope].current = number + 1
    for i in range(<uint64_t>limbo.shape[0]):
        free_limbo(c, a, limbo[i])


cdef dict gens_state(gens_t *gens):
    cdef uint32_t i
    return {"max_seq": gens.max_seq, "min_seq": gens.min_seq, "file_seq": gens.file_seq,
            "aged": gens.aged, "born": [gens.born[i] for i in range(GENS)],
            "refaulted": [gens.refaulted[i] for i in range(2)],
            "evicted": [gens.evicted[i] for i in range(2)],
            "protected": [gens.protected[i] for i in range(2)],
            "avg_refaulted": [gens.avg_refaulted[i] for i in range(2)],
            "avg_total": [gens.avg_total[i] for i in range(2)]}


cdef int gens_load(gens_t *gens, state) except -1:
    cdef uint32_t i
    most, least = state["max_seq"], state["min_seq"]
    if not LEAST_GENS - 1 <= most - least < GENS or not most - GENS < state["file_seq"] <= most:
        raise ValueError(f"generations: {least} to {most} are not two to four of them")
    gens.max_seq, gens.min_seq, gens.file_seq = most, least, state["file_seq"]
    gens.aged = state["aged"]
    for i in range(GENS):
        gens.born[i] = state["born"][i]
    for i in range(2):
        gens.refaulted[i] = state["refaulted"][i]
        gens.evicted[i] = state["evicted"][i]
        gens.protected[i] = state["protected"][i]
        gens.avg_refaulted[i] = state["avg_refaulted"][i]
        gens.avg_total[i] = state["avg_total"][i]
    return 0


def memcg_state(Core core, uint32_t number):
    """What a memcg remembers beside its lists and its place in the tree."""
    cdef memcg_t *g = core.memcg(number)
    cdef uint32_t i
    return {**({} if g.gens == NULL else {"generations": gens_state(g.gens)}),
            "limit": 0 if g.max == NO_LIMIT else g.max,
            "policy": (<bytes>g.policy.name).decode(), "age": g.age,
            "cost": g.cost, "ws_act": g.ws_act, "ws_seen": g.ws_seen,
            "scan_active": g.scan_active, "scan_inactive": g.scan_inactive,
            "prev_priority": g.prev_priority, "seen": dict(g.seen), "peak": g.peak,
            "swap_peak": g.swap_peak, "events": [g.events[i] for i in range(EVENTS)],
            "stat": dict(g.stat)}


def memcg_load(Core core, uint32_t number, state):
    """The reverse of `memcg_state`, but for the limit and the policy."""
    cdef memcg_t *g = core.memcg(number)
    cdef uint32_t i
    g.age = state["age"]
    g.cost = state["cost"]
    g.ws_act = state["ws_act"]
    g.ws_seen = state["ws_seen"]
    g.scan_active = state["scan_active"]
    g.scan_inactive = state["scan_inactive"]
    g.prev_priority = state["prev_priority"]
    if g.gens != NULL and "generations" in state:
        gens_load(g.gens, state["generations"])
    if "seen" in state:   # not in images of older versions
        g.seen = state["seen"]
    if "peak" in state:
        g.peak = max(state["peak"], g.peak)
        g.swap_peak = max(state["swap_peak"], g.swap_peak)
        g.stat = state["stat"]
        for i in range(EVENTS):
            g.events[i] = state["events"][i]


def machine_state(Core core):
    """Settings, counters and the clock, between batches."""
    cdef core_t *c = &core.c
    return {
        "settings": {"memory": c.ram.pages, "page_cluster": c.rules.page_cluster,
                     "swappiness": c.rules.swappiness, "times": dict(c.times)},
        "counters": dict(c.count),
        "clock": {**dict(c.clock), "dev_free": c.devices[0].way[1].pipe_free,
                  "last_done": c.devices[0].last_done},
        "memory": {"file_cache": c.ram.file_cache, "ra_hits": c.readahead.hits,
                   "ra_prev": c.readahead.prev, "ra_last": c.readahead.window,
                   "pages_scanned": c.kswapd.scanned,
                   "all_unreclaimable": bool(c.kswapd.all_unreclaimable),
                   "kswapd_failures": c.kswapd.failures, "token_faults": c.token.faults,
                   "tlb_due": c.tlb.due},
    }


def machine_load(Core core, state):
    """The reverse of `machine_state`, but for the settings."""
    cdef core_t *c = &core.c
    core.idle()
    memory = state["memory"]
    c.count = state["counters"]
    clock = dict(state["clock"])
    c.devices[0].way[1].pipe_free = clock.pop("dev_free")
    c.devices[0].last_done = clock.pop("last_done")
    c.clock = clock
    c.ram.file_cache = memory["file_cache"]
    c.ram.others = c.ram.file_cache + c.ram.pool
    c.readahead.hits = memory["ra_hits"]
    c.readahead.prev = memory["ra_prev"]
    c.readahead.window = memory["ra_last"]
    c.kswapd.scanned = memory["pages_scanned"]
    c.kswapd.all_unreclaimable = memory["all_unreclaimable"]
    c.kswapd.failures = memory["kswapd_failures"]
    c.token.faults = memory["token_faults"]
    if "tlb_due" in memory:   # not in images of older versions
        c.tlb.due = memory["tlb_due"]


def mm_state(Core core, uint32_t mm):
    """What the swap token knows of an address space."""
    cdef token_t *t = &core.c.token
    if mm >= t.mms:
        return {"interval": 0, "priority": 0, "last": 0, "stalled_until": 0, "holder": False}
    return {"interval": t.interval[mm], "priority": t.priority[mm], "last": t.last[mm],
            "stalled_until": t.stalled_until[mm], "holder": t.holder == mm}


def mm_load(Core core, uint32_t mm, state):
    """The reverse of `mm_state`."""
    cdef token_t *t = &core.c.token
    if not arrays_reserve_mms(&core.c, <uint64_t>mm + 1):
        raise MemoryError("no room for one address space more")
    t.interval[mm] = state["interval"]
    t.priority[mm] = state["priority"]
    t.last[mm] = state["last"]
    t.stalled_until[mm] = state["stalled_until"]
    if state["holder"]:
        t.holder = mm


def readahead_state(Core core, uint32_t number):
    """What read-ahead by addresses remembers of a mapping: ``at``, ``window``, ``hits``."""
    cdef mapping_t *m = core.mapping(number)
    return {"at": m.ra_at, "window": m.ra_window, "hits": m.ra_hits}


def readahead_load(Core core, uint32_t number, state):
    """The reverse of `readahead_state`."""
    cdef mapping_t *m = core.mapping(number)
    m.ra_at = state["at"]
    m.ra_window = state["window"]
    m.ra_hits = state["hits"]
