# scan: where a try to free pages stands, so that others can run between its passes, and within one;
# and what kswapd, the swap token and the processor remember. Structures only.

from libc.stdint cimport int32_t, uint32_t, uint64_t

cdef struct isolated_t:
    # Pages that a pass has isolated, while it waits and others run.
    uint32_t page[64]    # NIL where one is gone
    uint32_t n
    uint32_t i           # the one that is written; those before it are judged
    uint32_t kept        # of those, they are in front
    uint64_t written
    uint32_t total       # that were isolated
    uint32_t freed       # in a first look at them (mglru_evict.pxd)
    bint again           # it is the second
    bint pending         # page[i] still needs its tag
    uint32_t memcg       # whose they are
    bint gone            # it is not there any more
    isolated_t *next

cdef struct scan_control_t:
    # One try to free pages of a memcg and of all below it (struct scan_control). It goes on where
    # it stopped: others may run between two passes.
    uint32_t target      # number of the memcg
    int32_t priority
    uint32_t kind        # RECLAIM_*
    uint64_t want
    uint64_t freed
    uint64_t scanned
    uint32_t writeback   # pages that were under writeback, of the pass
    bint full            # memcg_full_walk
    bint force           # force_deactivate
    bint skipped         # skipped_deactivate
    bint low_reclaim     # memcg_low_reclaim
    bint low_skipped     # memcg_low_skipped
    # a pass that has stopped, since a page that it writes needs a tag
    isolated_t *batch    # where it stopped; NULL: it did not
    uint32_t at          # the memcg
    uint64_t inactive    # left of its windows
    uint64_t active
    uint64_t shrunk      # freed there so far
    uint64_t before      # freed when the pass began
    # of the pass, from the target (prepare_scan_control)
    bint may_deactivate
    bint file_is_tiny    # only anonymous pages are worth a look
    uint64_t cost
    # of the memcg that is scanned
    uint64_t protected_pages
    uint64_t usage

cdef struct charge_t:
    # A page that is charged, try by try (try_charge_memcg, __alloc_pages_slowpath).
    scan_control_t sc
    bint busy            # a try has begun
    uint32_t tries       # that freed nothing
    uint32_t over        # the memcg at whose limit it failed

cdef struct kswapd_t:
    bint running
    uint64_t scanned         # 2.6.25: since a page was last freed
    bint all_unreclaimable   # 2.6.25
    uint32_t failures        # 6.18

cdef struct token_t:
    # 2.6.25 mm/thrash.c
    uint32_t holder
    uint64_t faults      # global_faults
    uint32_t mms
    uint32_t *interval
    uint32_t *priority
    uint32_t *last
    uint64_t *stalled_until

cdef struct tlb_t:
    uint64_t *entry          # page << 1 | dirty, by sets; NULL = none
    uint64_t period          # ns between two flushes
    uint64_t due
