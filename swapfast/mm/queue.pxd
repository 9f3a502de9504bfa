# queue: what a device is made of, and what is on its way there. The rules are in device.pxd,
# plug.pxd and writeback.pxd.

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.draw cimport draw_t
from swapfast.mm.histogram cimport histogram_t

cdef struct way_t:
    # One direction of a device.
    draw_t service           # while a request holds a unit
    bint instant             # that is always 0
    uint64_t request         # the pipe: per request
    uint64_t page            # and per page
    uint64_t latency         # after that; holds nothing
    uint64_t *unit_free      # when each unit has nothing to do: a heap, the least first
    uint64_t pipe_free
    # counted
    uint64_t requests
    uint64_t pages
    uint64_t waited          # for a unit and the pipe, ns
    uint64_t in_system       # from submission to completion, ns: depth times time
    histogram_t wait
    histogram_t total

cdef struct device_t:
    # What an area lies on: a queue, served in order of submission.
    uint32_t number
    way_t way[2]             # reads, writes
    uint32_t units
    bint duplex              # units and pipes of their own for reads and writes
    uint64_t *tag            # ring of completion times; NULL: no limit
    uint32_t tags
    uint32_t tag_at
    uint32_t unsent          # requests in the plug that have one
    bint plugged             # the plug has requests of it; the last one
    uint32_t plug_end        # ends before this slot
    uint32_t plug_len        # and has so many pages
    uint32_t woken           # that wait for one and know until when
    uint32_t waiting         # that do not: actors, from
    uint32_t first_waiter
    uint32_t last_waiter
    bint rotational          # the kernel takes it for one that turns
    bint by_position         # a disk with an arm
    double seek_a
    double seek_b
    double turn
    uint64_t arm             # slot after the last one served
    uint64_t slots           # end to end
    bint synchronous         # the processor does it all
    uint64_t load
    uint64_t store
    double whole             # share of pages that do not compress
    double least             # bytes of the others, from here
    double span              # so far
    uint64_t limit           # of its memory, pages; 0: none
    uint64_t stored          # slots with bytes in its memory
    uint64_t compressed      # those bytes
    uint64_t limit_hits      # pages refused: above the limit
    uint64_t no_memory       # or since the machine had no page
    uint64_t checked         # for core.verify(): bytes
    uint64_t checked_slots
    uint64_t cpu_read        # of the processor, for a swap-in
    uint64_t seed
    uint64_t draws
    uint64_t busy            # ns with a request in it
    uint64_t busy_until
    # writes on their way, done in order
    uint32_t *queue          # ring of pages
    uint64_t *done           # when each write is done
    uint32_t cap             # places in use, so that few lines of memory are; up to most
    uint32_t most
    uint32_t tail
    uint32_t len
    uint64_t last_done

cdef struct plug_t:
    # Writes, and reads ahead, that one context has not sent yet (struct blk_plug).
    uint32_t page[8160]      # MAX_PLUG; NIL where one is gone
    uint32_t slot[8160]
    uint32_t n
    uint32_t requests
    uint32_t last_len
    uint32_t last_slot
    uint32_t first_len       # pages of the first request
    bint last_read           # the last request is of reads: no write joins it
    device_t *last_device
    bint several             # it has requests of more than one device
    bint held                # read-ahead has the plug: the end of a shrink does not flush

cdef struct rotation_t:
    uint32_t page[32]        # written pages that wait for their rotation
    uint32_t n

cdef struct flight_t:
    # Pages that are being read, by open addressing; what is done by now is dead.
    uint32_t *page           # NIL: an empty place
    uint64_t *done
    uint32_t cap             # a power of 2
    uint32_t used            # places, dead ones too
