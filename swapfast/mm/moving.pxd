# moving: what a plug is made of that moves pages between swap areas. Structures only; the rules are
# in order.pxd and demote.pxd.

from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    MOVE_FULL = 0            # when no slot is left where it takes from
    MOVE_RATE = 1            # above a mark, so many bytes a second
    MOVE_REFAULT = 2         # a page that was read comes to the quicker area
    MOVE_MOST = 512          # pages of a batch

cdef struct demote_t:
    uint32_t when            # MOVE_*
    uint32_t *source         # areas
    uint32_t n_source
    uint32_t *target         # in order: the first with room is taken
    uint32_t n_target
    uint32_t room            # of either table
    uint32_t batch           # pages moved at once
    double high              # used share of the source at which it begins
    double low               # and ends
    uint64_t ns_page         # time for a page
    bint off                 # nobody wants it any more
    bint busy                # it does not run within itself
    uint64_t again           # after a batch of nothing it is not woken before
    uint32_t actor           # in the run
    uint32_t world           # with this number
    uint32_t old[512]        # MOVE_MOST; entries of a batch that are to be read
    uint32_t new[512]        # and written
    uint32_t n
    # counted
    uint64_t demoted         # pages from source to target, or out of the way of a promoted one
    uint64_t promoted
    uint64_t pages_read
    uint64_t pages_written
    uint64_t failed          # that stayed: no room, or their bytes are not to be had
    uint64_t ns              # that somebody waited or worked for it

cdef struct area_moves_t:
    # Of an area; all NULL where nobody asked.
    uint32_t *order          # slots by age: the next newer of each, then the next older of each
    demote_t *on_full
    demote_t *proactive
    demote_t *promoter       # of pages that are read from here

cdef struct moves_t:
    demote_t **all
    uint32_t n
    uint32_t promoters       # plugs of this kind that are on
    uint64_t *marked         # bit set: the page was read from where such a plug takes from
