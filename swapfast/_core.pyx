"""The compiled face of the simulator: owns memory, checks arguments, releases the GIL.

- ``Core``: one machine's memory manager: its life, settings, clock and counters.
- ``touch``, ``copy_in``, ``copy_out``, ``unuse``, ``settle``, ``push``, ``pull``: batches that may
  fault or evict, in ``core/batches.pxi``.
- Tables of mappings, memcgs, scopes and areas are in the extensions of ``swapfast.core``.

Everything is a number here: pages, mappings, scopes, areas. The core decides no namespace rule;
the kernel's Python part does, and hands down tables. Calls check their arguments once, then run
unchecked. A shortage of memory is a value (``status``), a broken invariant ends the process with a
sentence.
"""

from libc.stdint cimport uint32_t, uint64_t, uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from swapfast.core.guard cimport guard_arm
from swapfast.core.private cimport outside, take_over
from swapfast.mm.area cimport area_give_up
from swapfast.mm.arrays cimport (
    arrays_free, arrays_reserve_mms, arrays_reserve_pages, arrays_reserve_slots,
)
from swapfast.mm.batch cimport batches_free
from swapfast.mm.choice cimport scope_t
from swapfast.mm.counts cimport clock_t
from swapfast.mm.device cimport add_device, device_default, devices_free
from swapfast.mm.fault cimport fault
from swapfast.mm.frames cimport frame_at, frames_free, frames_init
from swapfast.mm.mglru_age cimport forget_young
from swapfast.mm.mglru_lists cimport active_pages, gens_free, inactive_pages
from swapfast.mm.movers cimport movers_free
from swapfast.mm.picks cimport picks_reserve
from swapfast.mm.plug cimport wait_all
from swapfast.mm.policy cimport POLICIES, policy_fill
from swapfast.mm.policy_mglru cimport keeps_slot
from swapfast.mm.queue cimport plug_t
from swapfast.mm.reclaim cimport free_pages, try_begin, try_pass
from swapfast.mm.ring cimport ring_free
from swapfast.mm.rmap cimport home_of
from swapfast.mm.rules cimport rules_of_kernel
from swapfast.mm.scan cimport scan_control_t
from swapfast.mm.scope cimport alloc_plain, alloc_scoped
from swapfast.mm.slots cimport slots_free
from swapfast.mm.state cimport push_flush, push_page, push_t
from swapfast.mm.table cimport table_free
from swapfast.mm.tiers cimport go_scoped
from swapfast.mm.tlb cimport tlb_access, tlb_drop, tlb_flush, tlb_free, tlb_init
from swapfast.mm.touch cimport TAG_BYTES, TAG_TEXT, batch_t, charge_time, touch_every, touch_hits
from swapfast.mm.types cimport (
    LIKELY, area_t, core_t, lazy_map, lazy_unmap, mapping_t, memcg_t, policy_t,
)
from swapfast.mm.unmap cimport swapoff_slot
from swapfast.mm.verify cimport verify_core
from swapfast.mm.wipe cimport wipe_noted
from swapfast.mm.words cimport (
    BAD_AREA, BAD_FILE, BAD_SUM, BLOCK_SHIFT, CLUSTER, MAP_ANON, MAP_FREE, MAP_OBJECT, MAP_SHM,
    MAX_PLUG, MIXED_ALLOCATOR, MIXED_FIRST_MM, MIXED_STRICT, MOST_TIERS, NIL, PAGE_SHIFT, PAGE_SIZE,
    PTE_ACCESSED, PTE_DIRTY, PTE_MEMBER, PTE_PRESENT, PTE_SHARED, PTE_SWAP, PTE_WRITABLE, PTE_ZERO,
    RECLAIM_ASKED, RECLAIM_LIMIT, SCAN_BATCH, SEEN_ALWAYS, ST_AGAIN, ST_IO, ST_OK, ST_OOM,
    ST_OOM_GROUP, ST_STALL, TURN_CPU_TIER, TURN_OWNER,
)

import errno

import numpy as np

from swapfast.errors import system_error

OK = ST_OK
OOM = ST_OOM
OOM_GROUP = ST_OOM_GROUP
STALL = ST_STALL
IO = ST_IO

BAD_SLOTS = {
    BAD_FILE: "the file does not have that page any more; it was truncated, or the disk is full",
    BAD_SUM: "its checksum is wrong; the bytes are not those that were written",
    BAD_AREA: "the file met an error or was changed while on, and is not used any more",
}

ANON, SHM, OBJECT = MAP_ANON, MAP_SHM, MAP_OBJECT
UNSET, NOWHERE = 0xFFFFFFFF, 0xFFFFFFFE
PRESENT = PTE_PRESENT
ACCESSED = PTE_ACCESSED
DIRTY = PTE_DIRTY
SWAPPED = PTE_SWAP
ZERO = PTE_ZERO
MEMBER = PTE_MEMBER
SHARED = PTE_SHARED

PAGES_PER_BLOCK, SLOTS_PER_CLUSTER = 1 << BLOCK_SHIFT, CLUSTER
TAG_LENGTH = TAG_BYTES

cdef enum:
    REFS_BLOCK = 1 << 14   # references checked and played at a time; they stay in the cache

MIXED_RULES = {"first-mm": MIXED_FIRST_MM, "allocator": MIXED_ALLOCATOR, "strict": MIXED_STRICT}


def policy_names():
    """Names of the replacement policies, in the order of the table."""
    cdef policy_t table[POLICIES]
    policy_fill(table)
    return tuple((<bytes>table[i].name).decode() for i in range(POLICIES))


cdef class Core:
    """One machine's memory manager.

    Parameters
    ----------
    memory : int
        RAM in pages of 4096 bytes, 64 to 2**31.
    modern : bool
        Rules of Linux 6.18 if true, of 2.6.25 otherwise.
    contents : bool
        Whether frames hold real bytes.
    **options
        As `swapfast.kernel.options.KernelOptions.of_core` gives them: costs, periods and phases in
        nanoseconds (a period of 0: never), ``watermarks`` and ``file_cache`` in pages.
    """

    def __cinit__(self, uint64_t memory, bint modern, bint contents, *, mixed_rule="first-mm",
                  bint shared_strict=False, uint32_t page_cluster=3, uint32_t swappiness=60,
                  watermarks=(0, 0, 0), uint64_t file_cache=0, times=None,
                  uint64_t stat_period=0, uint64_t stat_phase=0, uint64_t tlb_period=0,
                  uint64_t tlb_phase=0, bint vma_readahead=False, bint nested_plug=False,
                  bint cgroup_v2=False, uint32_t mglru_mask=7, uint32_t mglru_rule=SEEN_ALWAYS,
                  bint allowed_aware=False, uint32_t turn=TURN_OWNER):
        cdef core_t *c = &self.c
        memset(c, 0, sizeof(core_t))
        if not 64 <= memory <= <uint64_t>1 << 31:
            raise ValueError(f"memory is 64 to 2**31 pages, not {memory}")
        if page_cluster > 5:
            raise ValueError(f"page_cluster is 0 to 5, not {page_cluster}")
        if swappiness > 200:
            raise ValueError(f"swappiness is 0 to 200, not {swappiness}")
        policy_fill(self.policies)
        c.keeps_slot = keeps_slot
        self.buffers = {}
        rules_of_kernel(&c.rules, modern, contents)
        c.rules.page_cluster = page_cluster
        c.rules.swappiness = swappiness
        c.rules.mixed_pages = MIXED_RULES[mixed_rule]
        c.rules.shared_strict = shared_strict
        c.rules.stat_period = stat_period
        c.rules.stat_phase = stat_phase
        c.rules.vma_readahead = vma_readahead
        c.rules.nested_plug = nested_plug
        c.rules.waits_for_writeback = not cgroup_v2
        c.rules.allowed_aware = c.rules.swap_limits = allowed_aware
        c.rules.turn = turn
        c.alloc = alloc_plain
        c.alloc_scoped = alloc_scoped
        if turn != TURN_OWNER:
            go_scoped(c)
        c.mglru.mask = mglru_mask
        c.mglru.rule = mglru_rule
        c.ram.pages = memory
        c.ram.wmark_min, c.ram.wmark_low, c.ram.wmark_high = watermarks
        c.ram.file_cache = c.ram.others = file_cache
        c.tlb.period = tlb_period
        c.tlb.due = tlb_phase
        c.mapping_numbers.top = 1   # page indexes begin at 1, and so do their mappings
        # A page that is freed while its write is queued leaves its place to another one.
        c.plug = <plug_t *>lazy_map(sizeof(plug_t))
        self.block = <uint32_t *>lazy_map(REFS_BLOCK * 4)
        if (c.plug == NULL or self.block == NULL
                or not add_device(c, 1, <uint32_t>(2 * memory + MAX_PLUG))
                or not picks_reserve(c, 1, MOST_TIERS + 1 if turn == TURN_CPU_TIER else 1)
                or (tlb_period and not tlb_init(&c.tlb))
                or not arrays_reserve_mms(c, 64) or not arrays_reserve_pages(c, 1 << 16)
                or not arrays_reserve_slots(c, 1 << 12)):
            raise MemoryError("no room for the tables of a machine")
        self.set_times(times or {})
        device_default(c, c.devices[0])
        if contents and not frames_init(c):
            raise MemoryError(f"cannot reserve {memory * PAGE_SIZE} bytes for page contents")

    def __dealloc__(self):
        cdef core_t *c = &self.c
        cdef uint32_t i
        for i in range(c.area_numbers.top):
            if c.areas[i].used:
                slots_free(&c.areas[i])
        for i in range(c.memcg_numbers.top):
            if c.memcgs[i].used:
                ring_free(&c.memcgs[i].inactive)
                ring_free(&c.memcgs[i].active)
                gens_free(&c.memcgs[i])
                free(c.memcgs[i].tiers)
        for i in range(c.scope_numbers.top):
            free(c.scopes[i].areas - c.scopes[i].head)
            free(c.scopes[i].ranks - c.scopes[i].head)
        table_free(&c.mapping_numbers, c.mappings, c.mappings_max, sizeof(mapping_t))
        table_free(&c.area_numbers, c.areas, c.areas_max, sizeof(area_t))
        table_free(&c.scope_numbers, c.scopes, c.scopes_max, sizeof(scope_t))
        table_free(&c.memcg_numbers, c.memcgs, c.memcgs_max, sizeof(memcg_t))
        arrays_free(c)
        frames_free(c)
        tlb_free(&c.tlb)
        devices_free(c)
        movers_free(c)
        lazy_unmap(c.plug, sizeof(plug_t))
        batches_free(c)
        free(c.picks)
        lazy_unmap(self.block, REFS_BLOCK * 4)

    cdef int set_times(self, dict times) except -1:
        known = dict(self.c.times)
        for name, value in times.items():
            if name not in known:
                raise ValueError(f"no cost is called {name!r}; there are {', '.join(known)}")
            if not 0 <= value < 1 << 62:
                raise ValueError(f"cost {name} is a number of nanoseconds, not {value}")
        self.c.times = {**known, **times}
        return 0

    cdef int alive(self) except -1:
        if self.gone is not None:
            raise system_error(errno.EBADF, self.gone)
        return 0

    cdef int idle(self) except -1:
        self.alive()
        if self.busy:
            raise RuntimeError("this machine is in use by another thread; give each thread its own")
        return 0

    def close(self, str why):
        """Let every file go; from now on nothing can be done, and the error says ``why``.

        What was counted can still be read: `counters`, `clock`, `memory`.
        """
        if self.gone is None:
            self.idle()
            self.gone = why
        for number in list(self.buffers):
            self.c.areas[number].file = NULL
            del self.buffers[number]

    def abandon(self, str why):
        """In a forked child: the machine is its parent's, whatever it was doing there."""
        self.busy = False
        self.close(why)

    def check(self):
        """Raise OSError (EBADF) if the machine is closed."""
        self.alive()

    def counters(self):
        """Event counters since boot, as a dict of int."""
        return dict(self.c.count)

    def faults(self):
        """``(all, major)`` page faults since boot."""
        return self.c.count.pgfault, self.c.count.pgmajfault

    @property
    def now(self):
        """Simulated nanoseconds since boot."""
        return self.c.clock.now

    def clock(self):
        """Simulated nanoseconds: ``now`` and where they went."""
        cdef clock_t *t = &self.c.clock
        return {"now": t.now, "references": t.in_references, "faults": t.in_faults,
                "swap_in": t.in_swap_in, "reclaim": t.in_reclaim,
                "writeback_wait": t.in_writeback_wait}

    def set_now(self, uint64_t now):
        """Move the clock to another task's time."""
        self.c.clock.now = now

    def memory(self):
        """Pages: total, free, used, file_cache, pool (memory of devices that compress), inactive,
        active; slots: total_swap, free_swap.
        """
        cdef uint64_t inactive = 0, active = 0
        cdef uint32_t i
        for i in range(self.c.memcg_numbers.top):
            if self.c.memcgs[i].used:
                inactive += inactive_pages(&self.c.memcgs[i])
                active += active_pages(&self.c.memcgs[i])
        return {"total": self.c.ram.pages, "free": free_pages(&self.c), "used": self.c.ram.used,
                "file_cache": self.c.ram.file_cache, "pool": self.c.ram.pool,
                "inactive": inactive, "active": active,
                "total_swap": self.c.swap.total, "free_swap": self.c.swap.free}

    def read_files(self, uint64_t pages):
        """Programs read their files: clean page cache grows to ``pages``, out of free memory."""
        cdef uint64_t spare = free_pages(&self.c)
        self.idle()
        spare = spare - self.c.ram.wmark_high if spare > self.c.ram.wmark_high else 0
        if pages > self.c.ram.file_cache:
            self.c.ram.file_cache += min(pages - self.c.ram.file_cache, spare)
            self.c.ram.others = self.c.ram.file_cache + self.c.ram.pool

    def verify(self):
        """Walk every structure the slow way; raise AssertionError naming what does not agree."""
        cdef const char *why
        cdef uint32_t i
        self.idle()
        cdef uint8_t[::1] in_use = np.zeros(max(self.c.mappings_max, 1), dtype=np.uint8)
        for i in range(self.c.mappings_max):
            in_use[i] = self.c.mappings[i].kind != MAP_FREE
        why = verify_core(&self.c, &in_use[0])
        if why != NULL:
            raise AssertionError((<bytes>why).decode())

    cdef void wipe(self) noexcept:
        # The end of every call that may free slots.
        cdef bint whole
        cdef uint32_t i
        if LIKELY(not self.c.error.wipe_due):
            return
        with nogil:
            whole = wipe_noted(&self.c)
        if not whole:
            for i in range(self.c.area_numbers.top):
                if self.c.areas[i].used and self.c.areas[i].wipe_error:
                    area_give_up(&self.c, &self.c.areas[i])

    cdef mapping_t *mapping(self, uint32_t number) except NULL:
        self.alive()
        if number >= self.c.mapping_numbers.top or self.c.mappings[number].kind == MAP_FREE:
            raise ValueError(f"no mapping {number}")
        return &self.c.mappings[number]

    cdef memcg_t *memcg(self, uint32_t number) except NULL:
        self.alive()
        if number >= self.c.memcg_numbers.top or not self.c.memcgs[number].used:
            raise ValueError(f"no memory group {number}")
        return &self.c.memcgs[number]

    cdef area_t *area(self, uint32_t number) except NULL:
        self.alive()
        if number >= self.c.area_numbers.top or not self.c.areas[number].used:
            raise ValueError(f"no area {number}")
        return &self.c.areas[number]

    cdef scope_t *scope(self, uint32_t number) except NULL:
        self.alive()
        if number >= self.c.scope_numbers.top or not self.c.scopes[number].used:
            raise ValueError(f"no scope {number}")
        return &self.c.scopes[number]


include "core/batches.pxi"
