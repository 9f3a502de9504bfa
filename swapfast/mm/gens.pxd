# gens: what generations of pages are made of (Linux 6.18, struct lru_gen_folio). Their rules are in
# mglru_lists.pxd, mglru_age.pxd and mglru_evict.pxd.

from libc.stdint cimport uint32_t, uint64_t, uint8_t

cdef struct ring_t:
    uint32_t *buf
    uint32_t cap
    uint32_t head        # where the next page goes, 0 <= head < cap
    uint32_t tail        # oldest entry, 0 <= tail < cap
    uint32_t span        # entries from tail to head, tombstones included
    uint32_t live        # entries that are pages

cdef struct gens_t:
    # The generations of one memcg. The list of a generation is its number modulo 4.
    uint64_t max_seq     # the youngest
    uint64_t min_seq     # the oldest
    uint64_t file_seq    # the oldest of the file pages, of which there are none
    ring_t list[4]
    uint64_t pages[4]    # by label: a page may still lie on an older list
    uint64_t born[4]     # ns, when the generation was made
    uint64_t aged        # ns, when the last one was
    # of the controller, [1]: pages seen accessed twice (PG_workingset), [0]: the others
    uint64_t refaulted[2]
    uint64_t evicted[2]
    uint64_t protected[2]
    uint64_t avg_refaulted[2]
    uint64_t avg_total[2]
    bint filter[2]       # by parity of the generation: is there one? Its bits: mglru_t.table

cdef struct mglru_t:
    # What the generations of all memcgs share.
    uint32_t groups      # memcgs that have generations
    uint32_t mask        # /sys/kernel/mm/lru_gen/enabled, LRU_GEN_*
    uint32_t rule        # SEEN_*: which programs an aging walks
    uint8_t *page        # G_* bits, valid at the home
    uint8_t *table       # a byte a page table: bit 0, 1: it is in the filter of that parity
    uint8_t *mm          # MM_* bits
    uint32_t batch[32]   # pages to be activated, seen by look-around (struct cpu_fbatches)
    uint32_t n
    uint32_t entered     # the page that a fault has just read
