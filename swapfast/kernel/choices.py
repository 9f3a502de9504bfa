"""What options of a kernel may be, and what its work costs.

- ``TIMES``: simulated costs by name.
- ``CHOICES``: by option, those that are rules of 6.18 alone.
"""

from __future__ import annotations

__all__ = [
    "CGROUP",
    "CHOICES",
    "LRU_GEN_RULES",
    "OOM_SCOPES",
    "PLUG",
    "READAHEAD",
    "STATISTICS",
    "STATISTICS_PERIOD",
    "SWAP_CLUSTER",
    "SWAP_SCOPE",
    "TIMES",
    "TLB",
]

#: Simulated costs in nanoseconds. Measured with block and vmscan traces on Linux 6.18, one virtio
#: disk: about 50 us a read. A reference took 400 ns in the runs that the policies are held against;
#: a program that nobody observes is quicker, 20 ns or so.
TIMES = {
    "reference": 400,
    "minor_fault": 1_500,
    "swap_in": 66_000,
    "reclaim": 8_000,
    "scan_page": 600,
    "unmap": 2_200,
    "plug_page": 2_000,
    "flush_request": 1_000,
    "write_request": 3_500,
    "write_page": 2_600,
    "write_latency": 45_000,
}

STATISTICS = ("exact", "stale")
READAHEAD = ("cluster", "vma")
PLUG = ("own", "nested")
CGROUP = ("v1", "v2")
SWAP_SCOPE = ("shared", "private", "priority", "tiers", "tiers-amount")
SWAP_CLUSTER = ("per-owner", "per-cpu", "per-cpu-device", "per-cpu-tier")  # as TURN_* has them
OOM_SCOPES = ("kernel", "namespace", "owner-of-full-area")
LRU_GEN_RULES = ("always", "fault", "ticks")
TLB = {"off": 0, "natural": 10_000_000, "fresh": 50_000_000}  # ns between flushes, measured
STATISTICS_PERIOD = 2_000_000_000  # ns, FLUSH_TIME in mm/memcontrol.c
# Rules of 6.18 alone; the first of each is all that 2.6.25 knows.
CHOICES = {
    "statistics": STATISTICS,
    "tlb": tuple(TLB),
    "readahead": READAHEAD,
    "plug": PLUG,
    "cgroup": CGROUP,
    "swap_scope": SWAP_SCOPE,
    "swap_cluster": SWAP_CLUSTER,
    "allowed_aware": (False, True),
    "lru_gen_rule": LRU_GEN_RULES,
}
