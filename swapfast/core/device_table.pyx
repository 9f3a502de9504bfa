"""Devices: what areas lie on, and what they counted."""

from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t

from swapfast._core cimport Core
from swapfast.mm.device cimport add_device
from swapfast.mm.draw cimport CONSTANT, EMPIRICAL, EXPONENTIAL, LOGNORMAL, draw_t
from swapfast.mm.histogram cimport HISTOGRAM_BUCKETS, histogram_t
from swapfast.mm.pool cimport pool_pages, pool_put
from swapfast.mm.queue cimport device_t
from swapfast.mm.slots cimport slot_bit
from swapfast.mm.types cimport area_t, core_t, lazy_map
from swapfast.mm.words cimport MAX_PLUG, NIL, PAGE_SIZE

import numpy as np

KINDS = {"constant": CONSTANT, "lognormal": LOGNORMAL, "exponential": EXPONENTIAL,
         "empirical": EMPIRICAL}
WAYS = ("read", "write")


cdef device_t *device_of(Core core, uint32_t number) except NULL:
    core.check()
    if number >= core.c.n_devices:
        raise ValueError(f"no device {number}")
    return core.c.devices[number]


cdef int set_service(draw_t *d, service) except -1:
    cdef double[::1] times
    cdef double[::1] upto
    cdef uint32_t i
    d.kind = KINDS[service.kind]
    d.at = service.at
    d.sigma = service.sigma
    if d.kind != EMPIRICAL:
        return 0
    times = np.ascontiguousarray(service.times, dtype=np.float64)
    upto = np.ascontiguousarray(service.upto, dtype=np.float64)
    d.time = <double *>lazy_map(times.shape[0] * 8)
    d.upto = <double *>lazy_map(times.shape[0] * 8)
    d.n = <uint32_t>times.shape[0]
    if d.time == NULL or d.upto == NULL:
        raise MemoryError("no room for a table of times")
    for i in range(d.n):
        (<double *>d.time)[i] = times[i]
        (<double *>d.upto)[i] = upto[i]
    return 0


def add(Core core, config, *, uint64_t seed=0):
    """A device with the settings of a `swapfast.devices.DeviceConfig`; returns its number.

    From now on reads are submitted to devices, those of the first one too.
    """
    cdef core_t *c = &core.c
    cdef device_t *d
    cdef uint32_t k
    core.idle()
    if not add_device(c, config.units, <uint32_t>(2 * c.ram.pages + MAX_PLUG)):
        raise MemoryError("no room for one device more")
    d = c.devices[c.n_devices - 1]
    d.seed = seed
    d.duplex = config.duplex
    d.rotational = config.rotational
    if not config.synchronous:
        d.cpu_read = c.devices[0].cpu_read if config.cpu is None else config.cpu
    d.synchronous = config.synchronous
    d.load = config.load
    d.store = config.store
    d.whole = config.incompressible
    d.least, d.span = config.compressed
    d.limit = (config.limit + PAGE_SIZE - 1) // PAGE_SIZE
    for k in range(2):
        service = getattr(config, WAYS[k])
        if service.kind == "position":
            d.by_position = True
            d.seek_a, d.seek_b, d.turn = service.a, service.b, service.turn
        else:
            set_service(&d.way[k].service, service)
            d.way[k].instant = service.kind == "constant" and service.at == 0
        d.way[k].request = getattr(config, f"{WAYS[k]}_request")
        d.way[k].page = getattr(config, f"{WAYS[k]}_page")
        d.way[k].latency = getattr(config, f"{WAYS[k]}_latency")
    if config.tags:
        d.tag = <uint64_t *>lazy_map(<size_t>config.tags * 8)
        if d.tag == NULL:
            raise MemoryError("no room for the tags of a device")
        d.tags = config.tags
        core.c.tagged = True
    c.timed = True
    return d.number


cdef int fill_pool(Core core, area_t *a) except -1:
    # What lies in the area already is in the memory of the device from now on.
    cdef core_t *c = &core.c
    cdef uint32_t slot
    a.stored = <uint16_t *>lazy_map(<size_t>a.slots * 2)
    if a.stored == NULL:
        a.device = NULL
        raise MemoryError("no room for the bytes of compressed slots")
    a.watched = True
    for slot in range(1, a.slots):
        if c.slot_page[a.base + slot] != NIL and not slot_bit(a.zeromap, slot):
            pool_put(c, a, slot, c.slot_page[a.base + slot])
    return 0


def place(Core core, uint32_t area, uint32_t number, uint64_t slot=0):
    """Say which device an area lies on, and where it begins there, in slots."""
    cdef area_t *a = core.area(area)
    core.idle()
    if a.device != NULL:
        raise ValueError(f"area {area} lies on device {a.device.number} already")
    a.device = device_of(core, number)
    if a.device.synchronous:
        fill_pool(core, a)
    a.device_slot = slot
    a.rotational = a.device.rotational
    a.device.slots = max(a.device.slots, slot + a.slots)


def info(Core core, uint32_t number):
    """What a device counted: requests, pages, ns; ``read`` and ``write`` apart.

    ``pool``, of one that compresses: what its memory holds.
    """
    cdef device_t *d = device_of(core, number)
    cdef uint32_t k
    told = {"busy": d.busy, "depth": d.len}
    for k in range(2):
        told[WAYS[k]] = {"requests": d.way[k].requests, "pages": d.way[k].pages,
                         "waited": d.way[k].waited, "in_system": d.way[k].in_system}
    if d.synchronous:
        told["pool"] = {"stored_pages": d.stored, "compressed_bytes": d.compressed,
                        "pool_bytes": pool_pages(d) * PAGE_SIZE, "limit_hits": d.limit_hits,
                        "no_memory": d.no_memory,
                        "saved_pages": <int64_t>(d.stored - pool_pages(d))}
    return told


cdef tuple counts_of(histogram_t *h):
    return np.array(<uint32_t[:HISTOGRAM_BUCKETS]>h.count), h.sum, h.max


def histogram(Core core, uint32_t number, way, what="total"):
    """``(counts, sum, max)`` of the times of requests; ``way`` is read or write.

    ``what``: "total", or "wait" for a unit and the pipe alone.
    """
    cdef device_t *d = device_of(core, number)
    cdef uint32_t k = WAYS.index(way)
    if what != "wait":
        return counts_of(&d.way[k].total)
    counts, total, most = counts_of(&d.way[k].wait)
    counts[0] += d.way[k].requests - d.way[k].wait.total
    return counts, total, most
