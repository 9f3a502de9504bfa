# words: the constants of the simulated memory manager.

from libc.stdint cimport uint32_t, uint64_t

cdef extern from *:
    """
    static const uint32_t NO_SLOT = 0u;          /* slot 0 of an area is its header */
    static const uint32_t SCOPE_UNSET = 0xffffffffu;   /* shared object nobody touched yet */
    static const uint32_t SCOPE_NOWHERE = 0xfffffffeu; /* may not be swapped anywhere */
    static const uint32_t SHADOW_WS = 0x80000000u;     /* shadow: PG_workingset at eviction */
    static const uint32_t SHADOW_AGE = 0x07ffffffu;    /* shadow: low 27 bits of the age */
    static const uint32_t REF_WRITE = 0x80000000u;     /* trace reference: bit 31 = write */
    static const uint32_t REF_PAGE = 0x7fffffffu;
    static const uint32_t WRITER_MANY = 0xffffffffu;   /* more than one namespace wrote */
    static const uint32_t NO_MEMCG = 0xffffffffu;
    static const uint32_t NO_TIER = 0xffffffffu;
    static const uint64_t NO_LIMIT = ~0ull;            /* "max" */
    """
    const uint32_t NO_SLOT
    const uint32_t SCOPE_UNSET
    const uint32_t SCOPE_NOWHERE
    const uint32_t SHADOW_WS
    const uint32_t SHADOW_AGE
    const uint32_t REF_WRITE
    const uint32_t REF_PAGE
    const uint32_t WRITER_MANY
    const uint32_t NO_MEMCG
    const uint32_t NO_TIER
    const uint64_t NO_LIMIT

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

    # generations (6.18, MGLRU)
    GENS = 4             # MAX_NR_GENS
    LEAST_GENS = 2       # MIN_NR_GENS
    G_GEN = 3            # label: number of the generation modulo 4
    G_LIST = 12          # the list on which the page lies, shifted by
    G_LIST_SHIFT = 2
    G_PINNED = 16        # waits to be activated: the batch holds a reference
    LRU_GEN_CORE = 1     # bits of lru_gen/enabled
    LRU_GEN_WALKS = 2    # LRU_GEN_MM_WALK: an aging walks page tables
    MM_SEEN = 1          # the program ran since the last aging (lru_gen_use_mm)
    MM_KNOWN = 2         # an aging has walked it
    SEEN_ALWAYS = 0      # which programs an aging walks: all
    SEEN_FAULT = 1       # those that waited for a swap-in
    SEEN_TICKS = 2       # those, and all when a timer ticked

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

    # how a policy's tries go on
    POLICY_PLAIN = 0     # one list: at a limit a try frees one page
    POLICY_25 = 1        # try_to_free_pages of 2.6.25
    POLICY_618 = 2       # do_try_to_free_pages of 6.18
    POLICY_MGLRU = 3     # the same, over generations

    # who reclaims (struct scan_control)
    RECLAIM_LIMIT = 0    # a charge at the limit of a memcg
    RECLAIM_DIRECT = 1   # an allocation that finds no page on the machine
    RECLAIM_KSWAPD = 2
    RECLAIM_ASKED = 3    # memory.reclaim

    # which actors somebody wants awake
    WANT_KSWAPD = 1
    WANT_MOVES = 2       # those that move pages between areas

    # memory.events, memory.swap.events
    EV_LOW = 0
    EV_HIGH = 1
    EV_MAX = 2
    EV_OOM = 3
    EV_OOM_KILL = 4
    EV_OOM_GROUP_KILL = 5
    EV_SWAP_HIGH = 6
    EV_SWAP_MAX = 7
    EV_SWAP_FAIL = 8
    EVENTS = 9

    # how a slot failed
    BAD_FILE = 1         # the file does not have the page any more
    BAD_SUM = 2          # the bytes are not those that were written
    BAD_AREA = 3         # the area was given up before

    # slot allocation
    SLOTS_NEXTFIT = 0    # 2.6.25 scan_swap_map
    SLOTS_CLUSTER = 1    # 6.18 cluster_alloc_swap_entry

    CLUSTER = 512        # slots per cluster, 6.18 with THP_SWAP

    # whose the current cluster is (6.18)
    TURN_OWNER = 0       # a scope's
    TURN_CPU = 1         # a processor's: one for all areas (percpu_swap_cluster)
    TURN_CPU_AREA = 2    # one for each area
    TURN_CPU_TIER = 3    # one for each tier

    MOST_TIERS = 31      # of swap
    NEXTFIT_CLUSTER = 256
    SCAN_BATCH = 32      # SWAP_CLUSTER_MAX
    DEF_PRIORITY = 12
    SHADOW_LEVEL = 27    # shadow: above the age, 1 + depth of the memcg whose age it is; 0: own
    SHADOW_LEVELS = 15
    MOST_DEPTH = 14      # of a memcg, so that its level fits
    MOST_READS = 64      # pages that one fault reads, at most
    HIGH_BATCH = 64      # pages above memory.high that are paid for at once (MEMCG_CHARGE_BATCH)
    HZ = 250
    MAX_PLUG = 8160      # 32 requests of at most 254 pages, and slack
    MAX_REQUEST = 254    # pages one request may grow to
    QUEUE_FIRST = 4096   # places in the completion queue to begin with
    PMD_PAGES = 512      # pages under one page table
    RA_FIRST_HITS = 4    # of an address range that read nothing ahead yet (GET_SWAP_RA_VAL)
    RA_MOST_HITS = 63    # SWAP_RA_HITS_MAX
