# counts: what a machine counts, and what things cost it.

from libc.stdint cimport uint64_t

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

cdef struct memcg_stat_t:
    # memory.stat, of this memcg alone.
    uint64_t pswpin
    uint64_t pswpout
    uint64_t pgscan_kswapd
    uint64_t pgscan_direct
    uint64_t pgscan_proactive
    uint64_t pgsteal_kswapd
    uint64_t pgsteal_direct
    uint64_t pgsteal_proactive
    uint64_t pgrefill
    uint64_t pgactivate
    uint64_t pgdeactivate
    uint64_t workingset_refault_anon
    uint64_t workingset_activate_anon
    uint64_t workingset_restore_anon
cdef struct seen_t:
    # What the stale statistics of a memcg say (struct memcg_vmstats).
    uint64_t due         # when they are next refreshed; until the first time all are 0
    uint64_t inactive
    uint64_t active
    uint64_t ws_act
