# device: what swap areas lie on. A request's completion is known when it is submitted, so that no
# event is needed for it.
#
#     start = max(now, first free unit)      waits for a unit
#     s1    = start + service                holds it: drawn, or by the way of the arm
#     s2    = max(s1, pipe) + request + page * pages
#     done  = s2 + latency                   unit and pipe are free again at s2
#
# Requests are served in the order in which they come: a read behind a burst of writes waits its
# turn, where mq-deadline would let it overtake. Writes are done in order, since the completion
# queue is one. Tags bound the requests that are made and not done (tags.pxd).
#
# - device_new(number, units, most) -> NULL: no memory; as many writes may be on their way
# - device_free(d)
# - device_default(core, d): the one whose times the machine has
# - add_device(core, units, most) -> False: no memory, or too many
# - devices_free(core)
# - area_device(core, a): the device of an area
# - submit(core, d, write, slot, pages) -> when it is done; it has its tag
# - flight_add(core, page, done): it is being read
# - flight_find(core, page) -> when it is read; 0: it is not on its way

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.draw cimport draw, is_random, seek
from swapfast.mm.histogram cimport histogram_add
from swapfast.mm.queue cimport device_t, flight_t, way_t
from swapfast.mm.random cimport splitmix
from swapfast.mm.tags cimport tag_put
from swapfast.mm.types cimport SELDOM, area_t, core_t, lazy_map, lazy_unmap
from swapfast.mm.words cimport NIL, QUEUE_FIRST

cdef enum:
    FLIGHT_FIRST = 256
    MOST_DEVICES = 4096
    CPU_READ = 16000         # ns of the processor for a swap-in, beside the device

cdef inline device_t *device_new(uint32_t number, uint32_t units, uint32_t most) noexcept nogil:
    cdef device_t *d = <device_t *>lazy_map(sizeof(device_t))
    cdef uint32_t k
    cdef bint whole
    if d == NULL:
        return NULL
    d.number = number
    d.units = units if units > 0 else 1
    d.most = most
    d.cap = most if most < QUEUE_FIRST else QUEUE_FIRST
    d.queue = <uint32_t *>lazy_map(<size_t>most * 4)
    d.done = <uint64_t *>lazy_map(<size_t>most * 8)
    whole = d.queue != NULL and d.done != NULL
    for k in range(2):
        d.way[k].unit_free = <uint64_t *>lazy_map(<size_t>d.units * 8)
        whole = whole and d.way[k].unit_free != NULL
    if whole:
        return d
    device_free(d)
    return NULL

cdef inline void device_free(device_t *d) noexcept nogil:
    cdef uint32_t k
    if d == NULL:
        return
    lazy_unmap(d.queue, <size_t>d.most * 4)
    lazy_unmap(d.done, <size_t>d.most * 8)
    lazy_unmap(d.tag, <size_t>d.tags * 8)
    for k in range(2):
        lazy_unmap(d.way[k].unit_free, <size_t>d.units * 8)
        lazy_unmap(<void *>d.way[k].service.time, <size_t>d.way[k].service.n * 8)
        lazy_unmap(<void *>d.way[k].service.upto, <size_t>d.way[k].service.n * 8)
    lazy_unmap(d, sizeof(device_t))

cdef inline void device_default(core_t *core, device_t *d) noexcept nogil:
    # The disk whose times the machine has: a swap-in is 16 us of the processor, and the read.
    cdef uint64_t cpu = min(core.times.swap_in, <uint64_t>CPU_READ)
    d.duplex = True
    d.way[0].instant = d.way[1].instant = True
    d.cpu_read = cpu
    d.way[0].latency = core.times.swap_in - cpu
    d.way[1].request = core.times.write_request
    d.way[1].page = core.times.write_page
    d.way[1].latency = core.times.write_latency

cdef inline bint add_device(core_t *core, uint32_t units, uint32_t most) noexcept nogil:
    cdef device_t *d
    if core.n_devices == MOST_DEVICES:
        return False
    if core.devices == NULL:
        core.devices = <device_t **>lazy_map(MOST_DEVICES * sizeof(void *))
        if core.devices == NULL:
            return False
    d = device_new(core.n_devices, units, most)
    if d == NULL:
        return False
    core.devices[core.n_devices] = d
    core.n_devices += 1
    return True

cdef inline void devices_free(core_t *core) noexcept nogil:
    cdef uint32_t k
    for k in range(core.n_devices):
        device_free(core.devices[k])
    lazy_unmap(core.devices, MOST_DEVICES * sizeof(void *))
    lazy_unmap(core.flight.page, <size_t>core.flight.cap * 4)
    lazy_unmap(core.flight.done, <size_t>core.flight.cap * 8)

cdef inline device_t *area_device(core_t *core, area_t *a) noexcept nogil:
    return a.device if a.device != NULL else core.devices[0]

cdef inline void unit_until(uint64_t *unit, uint32_t units, uint64_t until) noexcept nogil:
    # The first unit to be free is busy until then: down the heap.
    cdef uint32_t at = 0, down
    while True:
        down = 2 * at + 1
        if down >= units:
            break
        if down + 1 < units and unit[down + 1] < unit[down]:
            down += 1
        if unit[down] >= until:
            break
        unit[at] = unit[down]
        at = down
    unit[at] = until

cdef inline uint64_t service_of(device_t *d, way_t *way, uint64_t slot,
                                uint32_t pages) noexcept nogil:
    cdef uint64_t distance
    if d.by_position:
        distance = slot - d.arm if slot > d.arm else d.arm - slot
        d.arm = slot + pages
        d.draws += 1
        return seek(d.seek_a, d.seek_b, d.turn, distance, max(d.slots, distance),
                    splitmix(d.seed, d.number, d.draws))
    if not is_random(&way.service):
        return draw(&way.service, 0)
    d.draws += 1
    return draw(&way.service, splitmix(d.seed, d.number, d.draws))

cdef inline void note_request(device_t *d, way_t *way, uint32_t pages, uint64_t now, uint64_t wait,
                              uint64_t done) noexcept nogil:
    # What somebody may ask for, once there are devices or programs side by side.
    way.requests += 1
    way.pages += pages
    way.in_system += done - now
    if wait > 0:   # those that did not wait are the others
        way.waited += wait
        histogram_add(&way.wait, wait)
    histogram_add(&way.total, done - now)
    if done > d.busy_until:
        d.busy += done - (d.busy_until if d.busy_until > now else now)
        d.busy_until = done

cdef inline uint64_t submit(core_t *core, device_t *d, bint write, uint64_t slot,
                            uint32_t pages) noexcept nogil:
    cdef way_t *way = &d.way[write]
    cdef way_t *shared = way if d.duplex else &d.way[0]   # units and pipe
    cdef uint64_t now, at, done, wait = 0
    now = at = core.clock.now
    if not way.instant:
        if shared.unit_free[0] > at:
            wait = shared.unit_free[0] - at
            at = shared.unit_free[0]
        at += service_of(d, way, slot, pages)
    if way.request > 0 or way.page > 0:
        if shared.pipe_free > at:
            wait += shared.pipe_free - at
            at = shared.pipe_free
        at += way.request + way.page * pages
        shared.pipe_free = at
    if not way.instant:
        unit_until(shared.unit_free, d.units, at)
    done = at + way.latency
    if write:
        if done < d.last_done:
            done = d.last_done
        d.last_done = done
    tag_put(d, done)
    if SELDOM(core.timed):
        note_request(d, way, pages, now, wait, done)
    return done

# ---------------------------------------------------------------- reads in flight

cdef inline uint32_t flight_place(flight_t *f, uint32_t page) noexcept nogil:
    # Where it is, or would be.
    cdef uint32_t at = (page * <uint32_t>2654435769) & (f.cap - 1)
    while f.page[at] != NIL and f.page[at] != page:
        at = (at + 1) & (f.cap - 1)
    return at

cdef inline bint flight_renew(core_t *core) noexcept nogil:
    # Without the dead, and twice as large where too many live. False: no memory.
    cdef flight_t old = core.flight
    cdef flight_t *f = &core.flight
    cdef uint32_t i, at, live = 0
    for i in range(old.cap):
        live += old.page[i] != NIL and old.done[i] > core.clock.now
    f.cap = old.cap if old.cap > 0 else FLIGHT_FIRST
    while 4 * live > f.cap:
        f.cap *= 2
    f.page = <uint32_t *>lazy_map(<size_t>f.cap * 4)
    f.done = <uint64_t *>lazy_map(<size_t>f.cap * 8)
    if f.page == NULL or f.done == NULL:
        lazy_unmap(f.page, <size_t>f.cap * 4)
        lazy_unmap(f.done, <size_t>f.cap * 8)
        core.flight = old
        return False
    f.used = live
    for i in range(old.cap):
        if old.page[i] != NIL and old.done[i] > core.clock.now:
            at = flight_place(f, old.page[i])
            f.page[at] = old.page[i]
            f.done[at] = old.done[i]
    lazy_unmap(old.page, <size_t>old.cap * 4)
    lazy_unmap(old.done, <size_t>old.cap * 8)
    return True

cdef inline void flight_add(core_t *core, uint32_t page, uint64_t done) noexcept nogil:
    # Without memory the page is not protected, and nothing else is lost.
    cdef flight_t *f = &core.flight
    cdef uint32_t at
    if 2 * (f.used + 1) > f.cap and not flight_renew(core):
        return
    at = flight_place(f, page)
    f.used += f.page[at] == NIL
    f.page[at] = page
    f.done[at] = done

cdef inline uint64_t flight_find(core_t *core, uint32_t page) noexcept nogil:
    cdef uint32_t at
    if core.flight.used == 0:
        return 0
    at = flight_place(&core.flight, page)
    if core.flight.page[at] == NIL or core.flight.done[at] <= core.clock.now:
        return 0
    return core.flight.done[at]
