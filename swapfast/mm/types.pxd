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
from swapfast.mm.choice cimport pick_t, scope_t, slot_counts_t, tier_t, tier_use_t
from swapfast.mm.counts cimport clock_t, counters_t, memcg_stat_t, seen_t, times_t
from swapfast.mm.gens cimport gens_t, mglru_t, ring_t
from swapfast.mm.moving cimport area_moves_t, demote_t, moves_t
from swapfast.mm.queue cimport device_t, flight_t, plug_t, rotation_t
from swapfast.mm.scan cimport (
    charge_t, isolated_t, kswapd_t, scan_control_t, tlb_t, token_t,
)

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
    bint SELDOM(bint x)

cdef extern from "slotio.h" nogil:
    int slots_write(int fd, const uint32_t *slots, uint8_t **pages, uint32_t n)
    int slots_zero(int fd, uint32_t first, uint32_t n)

cdef extern from "pagesum.h" nogil:
    uint32_t page_sum(const uint8_t *p)
    uint64_t page_sum64(const uint8_t *p)

cdef struct core_t
cdef struct memcg_t

cdef struct page_t:
    uint8_t pte
    uint8_t folio

cdef struct home_t:
    uint32_t entry
    uint32_t where

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
    uint32_t scope       # swap namespace it is on in; SCOPE_NOWHERE: only cgroups that name it
    bint private         # the same (SWAP_FLAG_PRIVATE)
    uint32_t tier        # NO_TIER: in none
    uint64_t turn        # of equal ones the least is next, where processors have clusters
    bint rotational      # the kernel takes its device for a disk that turns
    device_t *device     # it lies on, from
    uint64_t device_slot # this slot
    bint used
    bint writeok
    bint watched         # slots have ages, sums, bytes in memory, or are wiped (order.pxd)
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
    area_moves_t moves   # between areas (demote.pxd)
    uint16_t *stored     # bytes of a slot in the memory of its device (pool.pxd); NULL: none is
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
    uint32_t kind        # POLICY_*: how a try goes on from pass to pass
    # a page enters memory in this memcg (new, swapped in, read ahead, copied)
    void (*enter)(core_t *core, memcg_t *g, uint32_t page, int how) noexcept nogil
    # a page under this policy is given back outside of reclaim (munmap, exit, swapoff)
    void (*leave)(core_t *core, memcg_t *g, uint32_t page) noexcept nogil
    # the folio state moves from one home to another
    void (*rehome)(core_t *core, memcg_t *g, uint32_t old, uint32_t new) noexcept nogil
    # a pass over a tree begins at this target, or a try ends; or NULL
    void (*prepare)(core_t *core, memcg_t *target, scan_control_t *sc) noexcept nogil
    void (*finish)(core_t *core, memcg_t *target) noexcept nogil
    # one pass over one memcg; returns how many pages were freed
    uint64_t (*shrink)(core_t *core, memcg_t *g, scan_control_t *sc) noexcept nogil
    # every reference, or NULL: policies that need it pay for it visibly
    void (*touch)(core_t *core, memcg_t *g, uint32_t page) noexcept nogil
    # a page was written: where it is scanned next; NULL: at the tail of the inactive list
    void (*rotate)(core_t *core, memcg_t *g, uint32_t page) noexcept nogil
    # a page that a pass has isolated goes back; NULL: its passes never stop
    void (*put_back)(core_t *core, memcg_t *g, uint32_t page) noexcept nogil


cdef struct memcg_t:
    bint used
    uint32_t id
    # the tree; children in order of creation
    uint32_t parent      # NO_MEMCG: the root
    uint32_t child       # the first
    uint32_t last_child
    uint32_t next        # sibling
    uint32_t prev
    uint32_t depth       # of the root 0
    uint32_t walk_at     # where the next partial walk from here begins, NO_MEMCG: here
    uint32_t mappings    # charged here
    uint32_t namespace   # scope of all these mappings, SCOPE_UNSET: of none, SCOPE_NOWHERE: many
    uint32_t scope       # where its pages go that are the host's, SCOPE_UNSET: where all go
    tier_use_t *tiers    # MOST_TIERS of them, or NULL: there are none
    # pages, NO_LIMIT: "max"; all of them count what is below, too
    uint64_t max
    uint64_t high
    uint64_t low
    uint64_t min
    uint64_t usage       # memory.current; not kept at the root: core.ram.used
    uint64_t peak
    uint64_t swap_max
    uint64_t swap_high
    uint64_t swap_usage  # memory.swap.current; not kept at the root
    uint64_t swap_peak
    uint64_t active_below  # pages on the active lists of the memcgs below
    uint64_t checked     # for core.verify(): slots in use
    # effective protection, as the last walk left it
    uint64_t emin
    uint64_t elow
    uint64_t children_min  # sum of min(usage, min) over the children
    uint64_t children_low
    uint64_t events[9]   # EVENTS: memory.events and memory.swap.events, of what is below too
    memcg_stat_t stat
    const policy_t *policy
    ring_t inactive
    ring_t active
    gens_t *gens         # under linux-6.18-mglru, instead of the two; else NULL
    gens_t *resting      # while the classic LRU is on instead, all empty; or NULL
    # 6.18; age, cost and ws_act count what is below, too
    uint64_t age         # nonresident age
    uint64_t cost
    uint64_t ws_act
    uint64_t ws_seen
    seen_t seen
    # 2.6.25
    uint64_t scan_active
    uint64_t scan_inactive
    uint32_t prev_priority

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
    bint waits_for_writeback # a scan that meets a page under writeback: cgroup v1
    bint swap_limits         # some memcg has a memory.swap.max or .high, or one of the next two
    bint private_areas       # some area is nobody's but a cgroup's
    bint allowed_aware       # usable swap is that in the areas that are allowed
    bint highs               # some memcg has a memory.high or memory.swap.high
    bint protection          # some memcg has a memory.low or .min
    bint recursiveprot       # mount option memory_recursiveprot
    bint tier_amounts        # some memcg has an amount in a tier
    uint32_t turn            # TURN_*: whose the current cluster is
    uint64_t stat_period     # list statistics are this old at most; 0 = always exact
    uint64_t stat_phase      # first refresh, 0 to stat_period - 1

cdef struct ram_t:
    uint64_t pages
    uint64_t used            # pages resident
    uint64_t file_cache      # clean page cache, given back first
    uint64_t pool            # of devices that compress (pool.pxd)
    uint64_t others          # both: used, and on no list
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

cdef struct readahead_t:
    uint32_t hits
    uint32_t prev            # slot
    uint32_t window          # pages, of the last one

cdef struct error_t:
    uint32_t entry           # the last slot that could not be read or written
    uint32_t cause           # BAD_*
    uint32_t memcg           # at whose limit the last charge failed
    bint wipe_due            # some area has slots to wipe
    bint wipe_failed         # some area may have a wipe_error

cdef struct hooks_t:
    # What few ask for is no part of the loops that all run; NULL until somebody does.
    void (*slot_given)(core_t *core, uint32_t entry) noexcept nogil
    void (*slot_gone)(core_t *core, area_t *a, uint32_t slot) noexcept nogil
    bint (*store)(core_t *core, area_t *a, uint32_t slot, uint32_t page) noexcept nogil
    uint32_t (*demote_some)(core_t *core, demote_t *d) noexcept nogil
    bint (*promote)(core_t *core, uint32_t page) noexcept nogil
    void (*take_away)(core_t *core, uint32_t home) noexcept nogil   # outside.pxd
    void *outside            # what that one needs

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
    bint scoped              # slots go by scopes of memcgs, tiers, or clusters of processors
    uint32_t (*alloc)(core_t *core, uint32_t scope, memcg_t *g) noexcept nogil   # see swap_alloc
    uint32_t (*alloc_scoped)(core_t *core, uint32_t scope, memcg_t *g) noexcept nogil
    uint32_t n_tiers         # numbers ever given are below; 0: nothing is counted by tier
    tier_t tiers[31]         # MOST_TIERS
    uint64_t turns           # taken so far
    uint32_t unfilled        # how often an area that was full got a free slot
    pick_t *picks            # clusters of the processors, each with its row
    uint32_t pick_row        # places in one
    uint32_t cpus            # rows, one at least
    uint32_t cpu             # that of the context that runs
    slot_counts_t slot_count
    memcg_t *memcgs
    uint32_t memcgs_max
    table_t memcg_numbers
    memcg_t *target          # of the pass that runs, NULL: none
    bint actors              # programs run side by side: kswapd is one of them
    bint others              # there are several in the heap
    uint32_t worlds          # that have begun; only the last goes on
    bint waits_inline        # the one that runs is alone: it waits for its reads where it is
    uint64_t waited          # ns, for the last of them
    uint64_t waited_tags     # before that, for room in the device
    uint32_t wanted          # WANT_*: actors to be woken
    uint64_t debt            # pages charged above memory.high, of who runs
    # subsystems
    rules_t rules
    ram_t ram
    swap_t swap
    kswapd_t kswapd
    rotation_t rotation
    mglru_t mglru
    bint (*keeps_slot)(core_t *core, uint32_t page, bint write) noexcept nogil   # its hook
    readahead_t readahead
    tlb_t tlb
    token_t token
    error_t error
    moves_t moves            # plugs of demotion
    hooks_t hooks
    plug_t *plug             # of the context that runs
    bint tagged              # some device has tags
    bint may_stop            # who runs may stop where it would wait for one
    device_t *wants          # of this device
    bint got_tag             # it had one since it began
    isolated_t *stopped      # of passes that have
    isolated_t *spare_batches
    device_t **devices       # the first is under every area that names none
    uint32_t n_devices
    bint timed               # reads go to the devices, else a swap-in takes its flat time
    uint32_t reads[64]       # MOST_READS: slots that the fault has read, for the devices
    uint32_t n_reads
    uint32_t target_read     # the one that the program waits for
    uint64_t wait_until      # somebody else's read that it waits for
    uint64_t in_tags         # ns waited for room in a device, so far
    flight_t flight          # pages that are being read
    uint32_t current_mm      # of the task that runs
    clock_t clock
    times_t times
    counters_t count
