# choice: what says where a page goes: tables of areas, tiers, clusters of processors. Structures
# only; their rules are in scope.pxd, allowed.pxd, picks.pxd and cpu_turns.pxd.

from libc.stdint cimport int32_t, uint32_t, uint64_t

cdef struct scope_t:
    bint used
    uint32_t serial      # no other namespace of this machine has it, or had it; 0: of cgroups
    uint32_t count       # areas that its pages may go to
    uint32_t refused     # areas in the places behind, which a mask keeps from them
    uint32_t room        # places in the two arrays
    uint32_t head        # places that were given up before the first
    uint32_t *areas      # area numbers, in order of their ranks; owned by `Core`
    int32_t *ranks       # the highest is first, equal ones take turns
    uint32_t cursor      # next-fit profiles: where the next look starts
    uint32_t current     # cluster profiles: area of the current cluster + 1, 0 = none
    uint32_t full        # cluster profiles: places before this one have no slot that is free,
    uint32_t full_since  # unless core.unfilled is another by now

cdef struct tier_use_t:
    # What a memcg and all below have in a tier, in slots.
    uint64_t used
    uint64_t max         # NO_LIMIT: as many as there are

cdef struct tier_t:
    # What became of allocations that would have gone to a tier.
    uint64_t refused_mask    # the memcg may not
    uint64_t refused_amount  # it, or one above, has its amount
    uint64_t full            # there was no slot

cdef struct pick_t:
    # A processor's current cluster.
    uint32_t area        # + 1; 0: none
    uint32_t position    # slot after the last one given; 0: it is used up

cdef struct slot_counts_t:
    # Where processors have clusters.
    uint64_t fast_hits
    uint64_t missed_mask     # the cluster's area was not allowed
    uint64_t missed_use      # it was used up, or there was none
    uint64_t turns           # an area went behind its equals
