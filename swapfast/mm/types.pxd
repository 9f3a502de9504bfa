# types: the words of the simulated memory manager. Structures only; every rule lives elsewhere.
#
# A *page* is an index (uint32) into machine-wide arrays: each mapping owns a contiguous run, so a
# reference is base + page. Index 0 is NIL. Pages that hold the same data (fork before a write,
# shared memory) are *sharers*; their *home* page carries the folio state for all of them.
#
#   page arrays        bytes   meaning
#   page[p].pte          1     PTE_* bits: all that a hit looks at
#   page[p].folio        1     F_* bits, valid at the home
#   home[p].entry        4     swap entry of the data (machine-wide slot index), valid at the home
#   home[p].where        4     home in memory: position in its ring; home swapped out: shadow;
#                              any other member: the anchor of its sharers
#   anchor[p]            4     of a home with other members: the number of the sharers' anchor
#   next[p], prev[p]     4+4   ring of the sharers in order of arrival (rmap order), only if shared
#   frame[p]             4     frame number at the home, only with contents
#   writer[p]            4     which namespace wrote, at the home of a shared object (writer.pxd)
#
# A *swap entry* is a machine-wide slot index (uint32); an area owns an aligned run of them.

from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t, uint64_t, uint8_t

cdef extern from "check.h" nogil:
    void SWAPFAST_CHECK(bint cond, const char *sentence)
    void *lazy_map(size_t size)
    void *lazy_grow(void *p, size_t old_bytes, size_t new_bytes)
    void lazy_unmap(void *p, size_t size)
    bint page_is_zero(const uint8_t *p)
    int lowest_bit64(uint64_t w)
    int popcount64(uint64_t w)
    void prefetch_write(const void *p)
    bint LIKELY(bint x)
    bint UNLIKELY(bint x)

cdef extern from "slotio.h" nogil:
    int slots_write(int fd, const uint32_t *slots, uint8_t **pages, uint32_t n)
    int slots_zero(int fd, uint32_t first, uint32_t n)

cdef extern from "pagesum.h" nogil:
    uint32_t page_sum(const uint8_t *p)
    uint64_t page_sum64(const uint8_t *p)

cdef extern from *:
    """
    static const uint32_t NO_SLOT = 0u;          /* slot 0 of an area is its header */
    static const uint32_t SCOPE_UNSET = 0xffffffffu;   /* shared object nobody touched yet */
    static const uint32_t SCOPE_NOWHERE = 0xfffffffeu; /* may not be swapped anywhere */
    static const uint32_t SHADOW_WS = 0x80000000u;     /* shadow: PG_workingset at eviction */
    static const uint32_t SHADOW_AGE = 0x7fffffffu;    /* shadow: low 31 bits of the age */
    static const uint32_t REF_WRITE = 0x80000000u;     /* trace reference: bit 31 = write */
    static const uint32_t REF_PAGE = 0x7fffffffu;
    static const uint32_t WRITER_MANY = 0xffffffffu;   /* more than one namespace wrote */
    """
    const uint32_t NO_SLOT
    const uint32_t SCOPE_UNSET
    const uint32_t SCOPE_NOWHERE
    const uint32_t SHADOW_WS
    const uint32_t SHADOW_AGE
    const uint32_t REF_WRITE
    const uint32_t REF_PAGE
    const uint32_t WRITER_MANY

cdef enum:
    BLOCK_SHIFT = 6      # mappings are aligned to 64 pages
    NIL = 0
    PAGE_SIZE = 4096
    PAGE_SHIFT = 12

    # page-table bits
    PTE_PRESENT = 1      # mapped: a read hits
    PTE_WRITABLE = 2     # a write hits as well
    PTE_ACCESSED = 4     # young
    PTE_DIRTY = 8
    PTE_SWAP = 16        # holds a swap entry (anonymous page, or the page of a shared object)
    PTE_ZERO = 32        # maps the shared zero page: present, no folio behind it
    PTE_MEMBER = 64      # a sharer whose home is another page
    PTE_SHARED = 128     # page of a shared mapping or of a shared object

    # folio bits, at the home
    F_RESIDENT = 1       # data are in memory
    F_ACTIVE = 2         # PG_active
    F_REFERENCED = 4     # PG_referenced
    F_WORKINGSET = 8     # PG_workingset
    F_WRITEBACK = 16     # PG_writeback
    F_READAHEAD = 32     # read ahead, not used yet
    F_SWAPCACHE = 64     # owns a slot while in memory
    F_ISOLATED = 128     # taken off its list by the running scan

    # mapping kinds
    MAP_FREE = 0
    MAP_ANON = 1         # private anonymous
    MAP_SHM = 2          # maps a shared object
    MAP_OBJECT = 3       # the pages of a shared object itself

    # rules of the swap namespaces
    MIXED_FIRST_MM = 0
    MIXED_ALLOCATOR = 1
    MIXED_STRICT = 2

    # how a page enters memory
    ENTER_NEW = 0        # first touch, or the copy of a copy-on-write
    ENTER_SHARED = 1     # first touch of a shared object's page
    ENTER_SWAPIN = 2     # read back for a fault
    ENTER_AHEAD = 3      # read ahead
    ENTER_MOVE = 4       # from another memcg, flags as they are

    # outcome of a batch
    ST_OK = 0
    ST_OOM = 1           # no page to be had on the machine
    ST_OOM_GROUP = 2     # no page to be had under the group's limit
    ST_STALL = 3         # stopped after a major fault, as asked
    ST_AGAIN = 4         # within a fault: what it began with is gone, begin again
    ST_IO = 5            # a page could not be read back, core.error.entry says which

    # how a slot failed
    BAD_FILE = 1         # the file does not have the page any more
    BAD_SUM = 2          # the bytes are not those that were written
    BAD_AREA = 3         # the area was given up before

    # slot allocation
    SLOTS_NEXTFIT = 0    # 2.6.25 scan_swap_map
    SLOTS_CLUSTER = 1    # 6.18 cluster_alloc_swap_entry

    CLUSTER = 512        # slots per cluster, 6.18 with THP_SWAP
    NEXTFIT_CLUSTER = 256
    SCAN_BATCH = 32      # SWAP_CLUSTER_MAX
    SHARE_SHIFT = 16     # memcg_t.share counts pages in units of 1 / 65536
    DEF_PRIORITY = 12
    MAX_PLUG = 8160      # 32 requests of at most 254 pages, and slack
    MAX_REQUEST = 254    # pages one request may grow to
    QUEUE_FIRST = 4096   # places in the completion queue to begin with
    PMD_PAGES = 512      # pages under one page table
    RA_FIRST_HITS = 4    # of an address range that read nothing ahead yet (GET_SWAP_RA_VAL)
    RA_MOST_HITS = 63    # SWAP_RA_HITS_MAX

cdef struct core_t
cdef struct memcg_t

cdef struct page_t:
    uint8_t pte
    uint8_t folio

cdef struct home_t:
    uint32_t entry
    uint32_t where

cdef struct counters_t:
    uint64_t pgfault
    uint64_t pgmajfault
    uint64_t pswpin
    uint64_t pswpout
    uint64_t swpin_zero
    uint64_t swpout_zero
    uint64_t pgscan_kswapd
    uint64_t pgscan_direct
    uint64_t pgsteal_kswapd
    uint64_t pgsteal_direct
    uint64_t pgrefill
    uint64_t pgactivate
    uint64_t pgdeactivate
    uint64_t pgrotated
    uint64_t allocstall
    uint64_t pageoutrun
    uint64_t reclaims
    uint64_t workingset_refault
    uint64_t workingset_activate
    uint64_t workingset_restore
    uint64_t swap_ra
    uint64_t swap_ra_hit
    uint64_t cow_copies
    uint64_t no_slot          # add_to_swap found no area with room: the page was activated
    uint64_t leaked           # pages written to an area of another namespace than wrote in them
    uint64_t file_dropped     # clean page cache given back

cdef struct times_t:
    # Simulated costs, nanoseconds.
    uint64_t reference
    uint64_t minor_fault
    uint64_t swap_in
    uint64_t reclaim
    uint64_t scan_page
    uint64_t unmap
    uint64_t plug_page
    uint64_t flush_request
    uint64_t write_request
    uint64_t write_page
    uint64_t write_latency

cdef struct clock_t:
    uint64_t now
    # where the time went, nanoseconds
    uint64_t in_references
    uint64_t in_faults
    uint64_t in_swap_in
    uint64_t in_reclaim
    uint64_t in_writeback_wait

cdef struct ring_t:
    uint32_t *buf
    uint32_t cap
    uint32_t head        # where the next page goes, 0 <= head < cap
    uint32_t tail        # oldest entry, 0 <= tail < cap
    uint32_t span        # entries from tail to head, tombstones included
    uint32_t live        # entries that are pages

cdef struct bitmap_t:
    # level[0]: one bit a slot, set = free. level[k]: bit set = word below has a set bit.
    uint64_t *level[6]
    uint32_t levels
    uint64_t bits
    size_t bytes

cdef struct area_t:
    uint32_t base        # machine-wide index of slot 0; a multiple of CLUSTER
    uint32_t slots       # slots 0..slots-1 exist (0 is the header)
    uint32_t pages       # usable slots
    uint32_t inuse
    int32_t prio
    uint32_t scope       # swap namespace it is on in
    bint used
    bint writeok
    uint32_t strategy
    uint8_t *file        # the mapped swapfile, or NULL
    bitmap_t free
    # which clusters may have a free run of 2^order slots (slots.pxd)
    bitmap_t runs        # order by order, one bit a cluster
    bitmap_t changed     # clusters to count again, slots were freed there
    uint8_t *run_order   # longest run that was found in a cluster
    uint32_t run_least   # the shortest that anybody looked for so far, 0 = none
    uint64_t *zeromap    # bit set: slot holds a page of zeroes, not written
    size_t zeromap_bytes
    bint failed          # its file met an error: no new pages, nothing is overwritten
    bint prewritten      # a checkpoint has just written the page that is evicted
    bint lost            # its file is not what it was: nothing is read either
    # checkpoints; NULL until the first one
    uint64_t *pinned     # bit set: a committed checkpoint names the slot, it is not overwritten
    uint64_t *summed     # bit set: sums[slot] is the checksum of its bytes
    uint32_t *sums
    # wiping; NULL: slots keep their bytes when they are freed
    uint64_t *held       # bit set: the file has bytes of somebody in this slot
    int fd               # of the file
    uint32_t wipe_first  # noted slots lie from here
    uint32_t wipe_end    # to before here; 0: none
    int wipe_error       # errno of the last failure, 0 none
    # next-fit state
    uint32_t cluster_next
    uint32_t cluster_nr
    # cluster state; lists are doubly linked, 0xffffffff ends them
    uint32_t clusters
    uint16_t *cl_used
    uint8_t *cl_list     # 0 none, 1 unused, 2 partly used
    uint32_t *cl_next
    uint32_t *cl_prev
    size_t cl_bytes
    uint32_t first[3]
    uint32_t last[3]
    uint32_t position    # slot after the last one given, 0 = none
    uint32_t run_cluster # where the last run was taken
    uint64_t pswpin
    uint64_t pswpout

cdef struct scope_t:
    bint used
    uint32_t serial      # no other namespace of this machine has it, or had it
    uint32_t count
    uint32_t room        # places in areas
    uint32_t *areas      # area numbers, priority descending; owned by `Core`
    uint32_t cursor      # next-fit profiles: where the next look starts
    uint32_t current     # cluster profiles: area of the current cluster + 1, 0 = none

cdef struct mapping_t:
    uint32_t kind
    uint32_t base
    uint32_t pages
    uint32_t mm
    uint32_t scope
    uint32_t memcg
    uint32_t object      # MAP_SHM: base page of the object's run that this mapping starts at
    uint64_t first       # virtual page number of its first page
    # vma->swap_readahead_info
    uint64_t ra_at       # virtual page of the last fault that found a swap entry
    uint32_t ra_window
    uint32_t ra_hits

cdef struct policy_t:
    const char *name
    # a page enters memory in this memcg (new, swapped in, read ahead, copied)
    void (*enter)(core_t *core, memcg_t *g, uint32_t page, int how) noexcept nogil
    # a page under this policy is given back outside of reclaim (munmap, exit, swapoff)
    void (*leave)(core_t *core, memcg_t *g, uint32_t page) noexcept nogil
    # the folio state moves from one home to another
    void (*rehome)(core_t *core, memcg_t *g, uint32_t old, uint32_t new) noexcept nogil
    # free pages; returns how many were freed
    uint64_t (*reclaim)(core_t *core, memcg_t *g, uint64_t want) noexcept nogil
    # every reference, or NULL: policies that need it pay for it visibly
    void (*touch)(core_t *core, memcg_t *g, uint32_t page) noexcept nogil

cdef struct seen_t:
    # What the stale statistics of a memcg say (struct memcg_vmstats).
    uint64_t due         # when they are next refreshed; until the first time all are 0
    uint64_t inactive
    uint64_t active
    uint64_t ws_act

cdef struct memcg_t:
    bint used
    uint32_t id
    uint64_t limit       # pages, 0 = none
    uint64_t usage       # pages in memory charged here
    int64_t share        # of global pressure, not given yet; below 0: given in advance
    const policy_t *policy
    ring_t inactive
    ring_t active
    # 6.18
    uint64_t age         # nonresident age
    uint64_t cost
    uint64_t ws_act
    uint64_t ws_seen
    seen_t seen
    # 2.6.25
    uint64_t scan_active
    uint64_t scan_inactive
    uint32_t prev_priority

cdef struct token_t:
    # 2.6.25 mm/thrash.c
    uint32_t holder
    uint64_t faults      # global_faults
    uint32_t mms
    uint32_t *interval
    uint32_t *priority
    uint32_t *last
    uint64_t *stalled_until

cdef struct table_t:
    uint32_t top             # numbers ever given are below
    uint32_t *free           # numbers that were given back
    uint32_t n_free
    uint32_t room

cdef struct rules_t:
    # What an option says, or where the kernels differ (rules.pxd); set once.
    bint modern              # 6.18, else 2.6.25
    bint zero_page           # a read of untouched anonymous memory maps the zero page
    bint zeromap             # pages of zeroes are recognised and not written
    bint swap_token          # mm/thrash.c
    bint window_by_hits      # read-ahead: __swapin_nr_pages, else valid_swaphandles
    bint swapin_activates    # do_swap_page calls mark_page_accessed
    bint swapin_writable     # an exclusive page is mapped writable by a read, too
    bint frees_slot_on_write # folio_free_swap of a page that is written
    bint first_read_dirty    # do_anonymous_page: a new page is dirty whoever asks
    bint clustered           # slots by cluster, and areas in turn with them; else page by page
    bint kswapd_gives_up     # after MAX_RECLAIM_RETRIES passes for nothing
    bint polls_unreclaimable # zone_is_all_unreclaimable: direct reclaim leaves it to kswapd
    uint32_t rotation_batch  # pages in a pagevec
    uint32_t oom_retries
    uint32_t page_cluster
    uint32_t swappiness
    uint32_t mixed_pages     # MIXED_*
    bint shared_strict       # a shared object touched by two namespaces is not swapped
    bint vma_readahead       # neighbours in the address space, else in the area
    bint nested_plug         # read-ahead has a plug
    uint64_t stat_period     # list statistics are this old at most; 0 = always exact
    uint64_t stat_phase      # first refresh, 0 to stat_period - 1

cdef struct ram_t:
    uint64_t pages
    uint64_t used            # pages resident
    uint64_t file_cache      # clean page cache, given back first
    uint64_t wmark_min
    uint64_t wmark_low
    uint64_t wmark_high
    uint8_t *frames          # contents, or NULL
    uint32_t *frame_stack
    uint32_t frame_top
    uint32_t frame_fresh

cdef struct swap_t:
    uint64_t total           # total_swap_pages
    uint64_t free            # nr_swap_pages

cdef struct anchors_t:
    uint32_t *home           # anchor -> home of its sharers; a free one: the next that is free
    uint32_t free            # 0: none
    uint32_t top             # anchors ever given

cdef struct kswapd_t:
    bint running
    uint64_t scanned         # 2.6.25: since a page was last freed
    bint all_unreclaimable   # 2.6.25
    uint32_t failures        # 6.18
    uint32_t next_memcg      # where the next partial walk over the memcgs begins

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
    bint held                # read-ahead has the plug: the end of a shrink does not flush

cdef struct device_t:
    # One queue of writes, done in order.
    uint32_t *page           # ring of pages under write-out
    uint64_t *done           # when each write is done
    uint32_t cap             # places in use, so that few lines of memory are; up to most
    uint32_t most
    uint32_t tail
    uint32_t len
    uint64_t free_at         # when it has nothing to do
    uint64_t last_done

cdef struct rotation_t:
    uint32_t page[32]        # written pages that wait for their rotation
    uint32_t n

cdef struct readahead_t:
    uint32_t hits
    uint32_t prev            # slot
    uint32_t window          # pages, of the last one

cdef struct tlb_t:
    uint64_t *entry          # page << 1 | dirty, by sets; NULL = none
    uint64_t period          # ns between two flushes
    uint64_t due

cdef struct error_t:
    uint32_t entry           # the last slot that could not be read or written
    uint32_t cause           # BAD_*
    bint wipe_due            # some area has slots to wipe
    bint wipe_failed         # some area may have a wipe_error

cdef struct core_t:
    # page arrays
    uint32_t pages_max
    page_t *page
    home_t *home
    uint32_t *next
    uint32_t *prev
    uint32_t *anchor         # of a home that is not alone
    anchors_t anchors
    uint32_t shared_ptes     # pages that are sharers beside a home; 0: no page has links
    uint32_t *frame
    uint32_t *writer         # serial of the namespace that wrote, WRITER_MANY, or 0 (writer.pxd)
    bint watch_writers       # there has been more than one namespace
    uint32_t *alloc_scope    # scope + 1 of the mm that allocated the data, MIXED_ALLOCATOR only
    uint32_t *block_mapping  # page >> BLOCK_SHIFT -> mapping number
    # slots
    uint32_t slots_max
    uint32_t *slot_page      # home of the data in the slot, NIL = free
    uint32_t *cluster_area   # slot / CLUSTER -> area number
    # tables
    mapping_t *mappings
    uint32_t mappings_max
    table_t mapping_numbers
    area_t *areas
    uint32_t areas_max
    table_t area_numbers
    scope_t *scopes
    uint32_t scopes_max
    table_t scope_numbers
    uint32_t scope_serials   # given so far
    memcg_t *memcgs
    uint32_t memcgs_max
    table_t memcg_numbers
    uint32_t memcgs_used
    # subsystems
    rules_t rules
    ram_t ram
    swap_t swap
    kswapd_t kswapd
    rotation_t rotation
    readahead_t readahead
    tlb_t tlb
    token_t token
    error_t error
    plug_t *plug             # of the context that runs
    device_t *device         # under every area
    uint32_t current_mm      # of the task that runs
    clock_t clock
    times_t times
    counters_t count
