"""The compiled face of the simulator: owns memory, checks arguments, releases the GIL.

- ``Core``: one machine's memory manager. Everything is a number here: pages, mappings, owners,
  areas.
- It decides no namespace rule; ``machine.py`` and its neighbours do, and hand down tables.

Calls check their arguments once, then run unchecked. A shortage of memory is a value (``status``),
a broken invariant ends the process with a sentence.
"""


from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memmove, memset

from swapfast.core.guard cimport guard_arm, guard_copy
from swapfast.mm.bitmap cimport *
from swapfast.mm.evict cimport *
from swapfast.mm.fault cimport *
from swapfast.mm.frames cimport *
from swapfast.mm.owner cimport *
from swapfast.mm.policy cimport *
from swapfast.mm.policy_linux618 cimport refresh_due
from swapfast.mm.ring cimport *
from swapfast.mm.rmap cimport *
from swapfast.mm.slots cimport *
from swapfast.mm.state cimport *
from swapfast.mm.tlb cimport *
from swapfast.mm.touch cimport *
from swapfast.mm.touch_tlb cimport *
from swapfast.mm.types cimport *
from swapfast.mm.verify cimport *
from swapfast.mm.wipe cimport wipe_area, wipe_noted
from swapfast.mm.writeback cimport *

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

ANON = MAP_ANON
SHM = MAP_SHM
OBJECT = MAP_OBJECT

UNSET = 0xFFFFFFFF
NOWHERE = 0xFFFFFFFE

PRESENT = PTE_PRESENT
WRITABLE = PTE_WRITABLE
ACCESSED = PTE_ACCESSED
DIRTY = PTE_DIRTY
SWAPPED = PTE_SWAP
ZERO = PTE_ZERO
MEMBER = PTE_MEMBER
SHARED = PTE_SHARED

PAGES_PER_BLOCK = 1 << BLOCK_SHIFT
SLOTS_PER_CLUSTER = CLUSTER
STAMP_LENGTH = STAMP_BYTES
STAMP_TAG_LENGTH = STAMP_TAG

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
    mixed_rule : {"first-mm", "allocator", "strict"}
        Who owns a page that mms of several namespaces map.
    shared_strict : bool
        Never swap a shared object that two namespaces touched.
    page_cluster : int
        log2 of the read-ahead window, 0 to 5 (/proc/sys/vm/page-cluster).
    swappiness : int
        0 to 100 (2.6.25) or 200 (6.18).
    watermarks : tuple of int
        min, low, high in pages.
    file_cache : int
        Clean page cache at boot, pages; given back before anything else.
    times : dict
        Simulated costs in nanoseconds, by field name.
    stat_period, stat_phase : int
        6.18: nanoseconds between two refreshes of the list statistics (0: always exact), and until
        the first.
    tlb_period, tlb_phase : int
        6.18: nanoseconds between two flushes of the TLB (0: no TLB), and until the first.
    vma_readahead : bool
        6.18: read ahead what is near in the address space, else what is near in the area.
    nested_plug : bool
        6.18: what reclaim writes within read-ahead is sent with the reads.
    """

    cdef core_t c
    cdef policy_t policies[POLICIES]
    cdef bint busy
    cdef str gone               # why nothing may be done any more, or None
    cdef uint32_t *block        # REFS_BLOCK references, copied before they are checked
    cdef dict buffers
    cdef list free_mappings, free_owners, free_areas, free_groups
    cdef uint32_t top_mapping, top_owner, top_area, top_group
    cdef size_t frames_bytes

    def __cinit__(self, uint64_t memory, bint modern, bint contents, *, mixed_rule="first-mm",
                  bint shared_strict=False, uint32_t page_cluster=3, uint32_t swappiness=60,
                  watermarks=(0, 0, 0), uint64_t file_cache=0, times=None,
                  uint64_t stat_period=0, uint64_t stat_phase=0, uint64_t tlb_period=0,
                  uint64_t tlb_phase=0, bint vma_readahead=False, bint nested_plug=False):
        cdef core_t *c = &self.c
        memset(c, 0, sizeof(core_t))
        if not 64 <= memory <= <uint64_t>1 << 31:
            raise ValueError(f"memory is 64 to 2**31 pages, not {memory}")
        if page_cluster > 5:
            raise ValueError(f"page_cluster is 0 to 5, not {page_cluster}")
        if swappiness > 200:
            raise ValueError(f"swappiness is 0 to 200, not {swappiness}")
        policy_fill(self.policies)
        self.buffers = {}
        self.free_mappings = []
        self.free_owners = []
        self.free_areas = []
        self.free_groups = []
        self.top_mapping = 1
        self.top_owner = 0
        self.top_area = 0
        self.top_group = 0
        c.memory = memory
        c.modern = modern
        c.linux25 = not modern
        c.zero_page = modern
        c.zeromap = modern and contents
        c.rotation_batch = 31 if modern else 14
        c.oom_retries = 16 if modern else 5
        c.page_cluster = page_cluster
        c.swappiness = swappiness
        c.mixed_rule = MIXED_RULES[mixed_rule]
        c.shared_strict = shared_strict
        c.wmark_min, c.wmark_low, c.wmark_high = watermarks
        c.file_cache = file_cache
        c.stat_period = stat_period
        c.stat_phase = stat_phase
        c.tlb_period = tlb_period
        c.tlb_due = tlb_phase
        c.vma_readahead = vma_readahead
        c.plug_nested = nested_plug
        if tlb_period:
            c.tlb = <uint64_t *>lazy_map(TLB_SETS * TLB_WAYS * sizeof(uint64_t))
            if c.tlb == NULL:
                raise MemoryError("no room for a TLB")
        self.set_times(times or {})
        # A page that is freed while its write is queued leaves its place to another one.
        c.queue_most = <uint32_t>(2 * memory + MAX_PLUG)
        c.queue_cap = min(c.queue_most, QUEUE_FIRST)
        c.queue = <uint32_t *>lazy_map(<size_t>c.queue_most * 4)
        c.queue_done = <uint64_t *>lazy_map(<size_t>c.queue_most * 8)
        if contents:
            self.frames_bytes = <size_t>memory * PAGE_SIZE
            c.frames = <uint8_t *>lazy_map(self.frames_bytes)
            c.frame_stack = <uint32_t *>lazy_map(<size_t>memory * 4)
            if c.frames == NULL or c.frame_stack == NULL:
                raise MemoryError(f"cannot reserve {self.frames_bytes} bytes for page contents")
        self.grow_tokens(64)
        self.reserve_pages(1 << 16)
        self.reserve_slots(1 << 12)

    def __dealloc__(self):
        cdef core_t *c = &self.c
        cdef uint32_t i
        for i in range(self.top_area):
            if c.areas[i].used:
                slots_free(&c.areas[i])
        for i in range(self.top_group):
            if c.groups[i].used:
                ring_free(&c.groups[i].inactive)
                ring_free(&c.groups[i].active)
        for i in range(self.top_owner):
            free(c.owners[i].areas)
        cdef size_t n = c.pages_max
        lazy_unmap(c.page, n * sizeof(page_t))
        lazy_unmap(c.home, n * sizeof(home_t))
        lazy_unmap(c.next, n * 4)
        lazy_unmap(c.prev, n * 4)
        lazy_unmap(c.frame, n * 4)
        lazy_unmap(c.alloc_owner, n * 4)
        lazy_unmap(c.writer, n * 4)
        lazy_unmap(c.anchor, n * 4)
        lazy_unmap(c.anchor_home, n * 4)
        lazy_unmap(self.block, REFS_BLOCK * 4)
        lazy_unmap(c.block_mapping, (n >> BLOCK_SHIFT) * 4)
        lazy_unmap(c.slot_page, <size_t>c.slots_max * 4)
        lazy_unmap(c.cluster_area, <size_t>c.slots_max // CLUSTER * 4)
        lazy_unmap(c.frames, self.frames_bytes)
        lazy_unmap(c.frame_stack, <size_t>c.memory * 4)
        lazy_unmap(c.queue, <size_t>c.queue_most * 4)
        lazy_unmap(c.queue_done, <size_t>c.queue_most * 8)
        lazy_unmap(c.tlb, TLB_SETS * TLB_WAYS * sizeof(uint64_t))
        lazy_unmap(c.mappings, c.mappings_max * sizeof(mapping_t))
        lazy_unmap(c.areas, c.areas_max * sizeof(area_t))
        lazy_unmap(c.owners, c.owners_max * sizeof(owner_t))
        lazy_unmap(c.groups, c.groups_max * sizeof(group_t))
        lazy_unmap(c.token.interval, <size_t>c.token.mms * 4)
        lazy_unmap(c.token.priority, <size_t>c.token.mms * 4)
        lazy_unmap(c.token.last, <size_t>c.token.mms * 4)
        lazy_unmap(c.token.stalled_until, <size_t>c.token.mms * 8)

    # ------------------------------------------------------------ growing tables

    cdef void *grown(self, void *p, size_t old_bytes, size_t new_bytes) except NULL:
        cdef void *q = lazy_grow(p, old_bytes, new_bytes)
        if q == NULL:
            raise MemoryError(f"cannot map {new_bytes} bytes")
        return q

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

    def reserve_pages(self, uint64_t n):
        """Make room for page indexes below ``n``; untouched ones cost no memory."""
        cdef core_t *c = &self.c
        cdef size_t old = c.pages_max, new
        self.idle()
        if n <= old:
            return
        if n > <uint64_t>1 << 32:
            raise MemoryError("more than 2**32 pages of address space")
        new = max(n, min(2 * old, <size_t>0xFFFFFFC0))
        new = (new + 63) & ~<size_t>63
        if new > 0xFFFFFFC0:
            new = 0xFFFFFFC0
        c.page = <page_t *>self.grown(c.page, old * sizeof(page_t), new * sizeof(page_t))
        c.home = <home_t *>self.grown(c.home, old * sizeof(home_t), new * sizeof(home_t))
        c.next = <uint32_t *>self.grown(c.next, old * 4, new * 4)
        c.prev = <uint32_t *>self.grown(c.prev, old * 4, new * 4)
        c.frame = <uint32_t *>self.grown(c.frame, old * 4, new * 4)
        c.alloc_owner = <uint32_t *>self.grown(c.alloc_owner, old * 4, new * 4)
        c.anchor = <uint32_t *>self.grown(c.anchor, old * 4, new * 4)
        c.anchor_home = <uint32_t *>self.grown(c.anchor_home, old * 4, new * 4)
        c.writer = <uint32_t *>self.grown(c.writer, old * 4, new * 4)
        c.block_mapping = <uint32_t *>self.grown(c.block_mapping, (old >> BLOCK_SHIFT) * 4,
                                                 (new >> BLOCK_SHIFT) * 4)
        c.pages_max = <uint32_t>new

    def reserve_slots(self, uint64_t n):
        """Make room for swap entries below ``n``."""
        cdef core_t *c = &self.c
        cdef size_t old = c.slots_max, new
        self.idle()
        if n <= old:
            return
        if n > 0xFFFFFE00:
            raise MemoryError("more than 2**32 swap slots")
        new = max(n, min(2 * old, <size_t>0xFFFFFE00))
        new = (new + CLUSTER - 1) & ~<size_t>(CLUSTER - 1)
        c.slot_page = <uint32_t *>self.grown(c.slot_page, old * 4, new * 4)
        c.cluster_area = <uint32_t *>self.grown(c.cluster_area, old // CLUSTER * 4,
                                                new // CLUSTER * 4)
        c.slots_max = <uint32_t>new

    cdef int grow_tokens(self, uint32_t n) except -1:
        cdef token_t *t = &self.c.token
        cdef size_t old = t.mms, new
        if n <= old:
            return 0
        new = max(n, 2 * old)
        t.interval = <uint32_t *>self.grown(t.interval, old * 4, new * 4)
        t.priority = <uint32_t *>self.grown(t.priority, old * 4, new * 4)
        t.last = <uint32_t *>self.grown(t.last, old * 4, new * 4)
        t.stalled_until = <uint64_t *>self.grown(t.stalled_until, old * 8, new * 8)
        t.mms = <uint32_t>new
        return 0

    # ------------------------------------------------------------ machine

    def set_times(self, times):
        """Set simulated costs (nanoseconds): a dict of the fields of ``times_t``."""
        cdef times_t *t = &self.c.times
        known = ("reference", "minor_fault", "swap_in", "reclaim", "scan_page", "unmap",
                 "plug_page", "flush_request", "write_request", "write_page", "write_latency")
        for name, value in times.items():
            if name not in known:
                raise ValueError(f"no cost is called {name!r}; there are {', '.join(known)}")
            if not 0 <= value < 1 << 62:
                raise ValueError(f"cost {name} is a number of nanoseconds, not {value}")
        t.reference = times.get("reference", t.reference)
        t.minor_fault = times.get("minor_fault", t.minor_fault)
        t.swap_in = times.get("swap_in", t.swap_in)
        t.reclaim = times.get("reclaim", t.reclaim)
        t.scan_page = times.get("scan_page", t.scan_page)
        t.unmap = times.get("unmap", t.unmap)
        t.plug_page = times.get("plug_page", t.plug_page)
        t.flush_request = times.get("flush_request", t.flush_request)
        t.write_request = times.get("write_request", t.write_request)
        t.write_page = times.get("write_page", t.write_page)
        t.write_latency = times.get("write_latency", t.write_latency)

    def counters(self):
        """Event counters since boot, as a dict of int."""
        return dict(self.c.count)

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
        """Pages: total, free, used, file_cache, inactive, active; slots: total_swap, free_swap."""
        cdef uint64_t inactive = 0, active = 0
        cdef uint32_t i
        for i in range(self.top_group):
            if self.c.groups[i].used:
                inactive += self.c.groups[i].inactive.live
                active += self.c.groups[i].active.live
        return {"total": self.c.memory, "free": free_pages(&self.c), "used": self.c.used,
                "file_cache": self.c.file_cache, "inactive": inactive, "active": active,
                "total_swap": self.c.total_swap_pages, "free_swap": self.c.nr_swap_pages}

    def mm_forget(self, uint32_t mm):
        """An address space is gone: it gives up the swap token (put_swap_token)."""
        cdef token_t *t = &self.c.token
        self.idle()
        if mm >= t.mms:
            return
        if t.holder == mm:
            t.holder = 0
        t.interval[mm] = t.priority[mm] = t.last[mm] = 0
        t.stalled_until[mm] = 0

    def read_files(self, uint64_t pages):
        """Programs read their files: clean page cache grows to ``pages``, out of free memory."""
        cdef uint64_t spare = free_pages(&self.c)
        self.idle()
        spare = spare - self.c.wmark_high if spare > self.c.wmark_high else 0
        if pages > self.c.file_cache:
            self.c.file_cache += min(pages - self.c.file_cache, spare)

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

    # ------------------------------------------------------------ mappings

    def mapping_add(self, uint32_t kind, uint64_t base, uint64_t pages, uint32_t mm,
                    uint32_t owner, uint32_t group, uint64_t object=0,
                    uint64_t first=0):
        """Enter a run of page indexes, at virtual page ``first``; returns its number."""
        cdef core_t *c = &self.c
        cdef mapping_t *m
        cdef uint32_t number
        cdef uint64_t block
        self.idle()
        if base == 0 or base % (1 << BLOCK_SHIFT) or pages == 0:
            raise ValueError("a mapping begins on a block and has pages")
        if group >= self.top_group or not c.groups[group].used:
            raise ValueError(f"no memory group {group}")
        if owner >= self.top_owner and owner != OWNER_UNSET:
            raise ValueError(f"no owner {owner}")
        self.reserve_pages(base + pages)
        if self.free_mappings:
            number = self.free_mappings.pop()
        else:
            number = self.top_mapping
            self.top_mapping += 1
            if number >= c.mappings_max:
                old = c.mappings_max
                new = max(64, 2 * old)
                c.mappings = <mapping_t *>self.grown(c.mappings, old * sizeof(mapping_t),
                                                     new * sizeof(mapping_t))
                c.mappings_max = new
        self.grow_tokens(mm + 1)
        m = &c.mappings[number]
        m.kind = kind
        m.base = <uint32_t>base
        m.pages = <uint32_t>pages
        m.mm = mm
        m.owner = owner
        m.group = group
        m.object = <uint32_t>object
        m.first = first
        m.ra_at = 0
        m.ra_window = 0
        m.ra_hits = RA_FIRST_HITS
        for block in range(base >> BLOCK_SHIFT,
                           (base + pages + (1 << BLOCK_SHIFT) - 1) >> BLOCK_SHIFT):
            c.block_mapping[block] = number
        return number

    cdef mapping_t *mapping(self, uint32_t number) except NULL:
        self.alive()
        if number >= self.top_mapping or self.c.mappings[number].kind == MAP_FREE:
            raise ValueError(f"no mapping {number}")
        return &self.c.mappings[number]

    cdef int inside(self, mapping_t *m, uint64_t first, uint64_t count) except -1:
        if first > m.pages or count > m.pages - first:
            raise ValueError(f"pages {first}..{first + count - 1} of a mapping of {m.pages}")
        return 0

    def mapping_zap(self, uint32_t number, uint64_t first, uint64_t count):
        """Drop a range of pages, their memory and their slots; they are untouched afterwards."""
        cdef mapping_t *m = self.mapping(number)
        cdef uint64_t i
        cdef uint32_t base = m.base
        self.idle()
        self.inside(m, first, count)
        tlb_flush(&self.c)
        with nogil:
            if m.kind == MAP_OBJECT:
                for i in range(first, first + count):
                    zap_object(&self.c, <uint32_t>(base + i))
            else:
                for i in range(first, first + count):
                    zap(&self.c, <uint32_t>(base + i))
        self.wipe()

    def mapping_remove(self, uint32_t number):
        """Drop all pages and the number itself."""
        cdef mapping_t *m = self.mapping(number)
        self.mapping_zap(number, 0, m.pages)
        m.kind = MAP_FREE
        self.free_mappings.append(number)

    def mapping_fork(self, uint32_t parent, uint32_t child):
        """Copy the page-table entries of one private mapping to another of the same size."""
        cdef mapping_t *p = self.mapping(parent)
        cdef mapping_t *q = self.mapping(child)
        cdef uint32_t i
        self.idle()
        if p.kind != MAP_ANON or q.kind != MAP_ANON or p.pages != q.pages:
            raise ValueError("fork copies private mappings of the same size")
        tlb_flush(&self.c)
        q.ra_at = p.ra_at
        q.ra_window = p.ra_window
        q.ra_hits = p.ra_hits
        with nogil:
            for i in range(p.pages):
                if self.c.page[p.base + i].pte != 0:
                    fork_page(&self.c, p.base + i, q.base + i)

    def mapping_set_owner(self, uint32_t number, uint32_t owner):
        """Say which namespace pays from now on (``UNSET``: the next to touch it)."""
        cdef mapping_t *m = self.mapping(number)
        if owner >= self.top_owner and owner < OWNER_NOWHERE:
            raise ValueError(f"no owner {owner}")
        m.owner = owner

    def mapping_owner(self, uint32_t number):
        """The owner's number, ``UNSET`` or ``NOWHERE``."""
        return self.mapping(number).owner

    def mapping_group(self, uint32_t number):
        """The memory group that it is charged to."""
        return self.mapping(number).group

    def mapping_count(self, uint32_t number):
        """(resident, swapped, zero): pages of this mapping by state, as its page table has them."""
        cdef mapping_t *m = self.mapping(number)
        cdef uint64_t resident = 0, swapped = 0, zero = 0
        cdef uint32_t i, bits
        with nogil:
            for i in range(m.base, m.base + m.pages):
                bits = self.c.page[i].pte
                if m.kind == MAP_OBJECT:
                    resident += self.c.page[i].folio & F_RESIDENT
                    swapped += (bits & PTE_SWAP) != 0 and (self.c.page[i].folio & F_RESIDENT) == 0
                elif bits & PTE_ZERO:
                    zero += 1
                elif bits & PTE_PRESENT:
                    resident += 1
                elif bits & PTE_SWAP:
                    swapped += 1
        return resident, swapped, zero

    def mapping_state(self, uint32_t number, uint64_t first, uint64_t count):
        """State of a range of pages.

        Returns
        -------
        pte : uint8 array, shape (count,)
            Page-table bytes.
        entry : uint32 array
            Swap entry of its data, 0 for none.
        mapped, swapped : uint32 arrays
            Page-table entries that map the same data, and that hold the same swap entry.
        """
        cdef mapping_t *m = self.mapping(number)
        cdef core_t *c = &self.c
        cdef uint64_t i
        cdef uint32_t page, home, p
        self.inside(m, first, count)
        pte = np.zeros(count, dtype=np.uint8)
        entry = np.zeros(count, dtype=np.uint32)
        mapped = np.zeros(count, dtype=np.uint32)
        swapped = np.zeros(count, dtype=np.uint32)
        cdef uint8_t[::1] v = pte
        cdef uint32_t[::1] e = entry
        cdef uint32_t[::1] present = mapped
        cdef uint32_t[::1] out = swapped
        with nogil:
            for i in range(count):
                page = <uint32_t>(m.base + first + i)
                v[i] = c.page[page].pte
                if v[i] & (PTE_PRESENT | PTE_SWAP) == 0 or v[i] & PTE_ZERO:
                    continue
                home = home_of(c, page)
                if c.page[home].folio & (F_RESIDENT | F_SWAPCACHE) != F_RESIDENT:
                    e[i] = c.home[home].entry
                p = home
                while True:
                    present[i] += (c.page[p].pte & PTE_PRESENT) != 0
                    out[i] += (c.page[p].pte & PTE_SWAP) != 0
                    p = c.next[p]
                    if p == NIL or p == home:
                        break
        return pte, entry, mapped, swapped

    def mapping_swapped(self, uint32_t number):
        """Page numbers whose entry is a swap entry, as a uint32 array."""
        cdef mapping_t *m = self.mapping(number)
        state = np.asarray(<uint8_t[:2 * m.pages]><uint8_t *>&self.c.page[m.base])[::2]
        return np.flatnonzero(state & PTE_SWAP).astype(np.uint32)

    # ------------------------------------------------------------ references and bytes

    def touch(self, uint32_t number, const uint32_t[::1] refs not None, *, uint64_t start=0,
              bint stop_on_major=False, tag=None, uint64_t first_number=0, bint checked=False):
        """Replay references (bit 31 = write, low 31 bits = page of the mapping) from ``start``.

        Returns ``(done, status)``: how many of ``refs`` are finished, and ``OK``, ``OOM``,
        ``OOM_GROUP``, ``IO`` (see `bad_slot`) or ``STALL`` (a major fault, if ``stop_on_major``).
        With ``tag`` (16 bytes) and contents each write stamps its page. ``checked`` skips the range
        check of a caller that did it.
        """
        cdef mapping_t *m = self.mapping(number)
        cdef batch_t batch
        cdef uint64_t n = refs.shape[0], at = start, size, done
        cdef bytes held = None
        self.idle()
        if start >= n:
            return n, ST_OK
        memset(&batch, 0, sizeof(batch))
        if tag is not None:
            held = tag
            if len(held) != STAMP_TAG:
                raise ValueError(f"a tag is {STAMP_TAG} bytes")
            batch.tag = held
        if not checked and n - start > REFS_BLOCK:   # nothing is done before all is looked at
            while at < n:
                size = min(n - at, <uint64_t>REFS_BLOCK)
                self.take_refs(&refs[at], size, m.pages)
                at += size
            at = start
        self.c.current_mm = m.mm
        guard_arm()
        while at < n:
            batch.base_number = first_number + at
            size = n - at
            if checked:
                done = self.play(m, &refs[at], size, stop_on_major, &batch)
            else:
                size = min(size, <uint64_t>REFS_BLOCK)
                self.take_refs(&refs[at], size, m.pages)
                done = self.play(m, self.block, size, stop_on_major, &batch)
            at += done
            if batch.status != ST_OK:
                break
        self.wipe()
        return at, batch.status

    cdef int take_refs(self, const uint32_t *refs, uint64_t n, uint32_t pages) except -1:
        # Somebody else may write in these references, or cut the file off that they are in: they
        # are copied, and the copy is checked and played.
        cdef uint32_t worst = 0, page
        cdef uint64_t i
        cdef bint whole
        if self.block == NULL:
            self.block = <uint32_t *>lazy_map(REFS_BLOCK * 4)
            if self.block == NULL:
                raise MemoryError("no room for a block of references")
        guard_arm()
        with nogil:
            whole = guard_copy(self.block, refs, n * 4)
            if whole:
                for i in range(n):
                    page = self.block[i] & REF_PAGE
                    if page > worst:
                        worst = page
        if not whole:
            raise ValueError("the file of these references was cut short since it was mapped")
        if worst >= pages:
            raise ValueError(f"page {worst} of a mapping of {pages} pages")
        return 0

    cdef uint64_t play(self, mapping_t *m, const uint32_t *refs, uint64_t n, bint stop_on_major,
                       batch_t *batch) noexcept:
        cdef group_t *g = &self.c.groups[m.group]
        cdef uint32_t base = m.base
        cdef uint64_t done
        self.busy = True
        with nogil:
            if self.c.tlb != NULL:
                done = touch_tlb(&self.c, g, base, refs, n, stop_on_major, batch)
            elif g.policy.touch != NULL or (batch.tag != NULL and self.c.frames != NULL):
                done = touch_every(&self.c, g, base, refs, n, stop_on_major, batch)
            else:
                done = touch_hits(&self.c, base, refs, n, stop_on_major, batch)
        self.busy = False
        return done

    def copy_in(self, uint32_t number, uint64_t offset, const uint8_t[::1] data not None):
        """Write bytes at a byte offset; returns ``(bytes done, status)``."""
        return self.copy(number, offset, <uint8_t *>&data[0] if data.shape[0] else NULL,
                         data.shape[0], True)

    def copy_out(self, uint32_t number, uint64_t offset, uint8_t[::1] data not None):
        """Read bytes at a byte offset into ``data``; returns ``(bytes done, status)``."""
        return self.copy(number, offset, &data[0] if data.shape[0] else NULL, data.shape[0], False)

    cdef tuple copy(self, uint32_t number, uint64_t offset, uint8_t *data, uint64_t n, bint write):
        cdef mapping_t *m = self.mapping(number)
        cdef core_t *c = &self.c
        cdef uint64_t done = 0, at, span
        cdef uint32_t page, bits, need = PTE_PRESENT | (PTE_WRITABLE if write else 0)
        cdef int status = ST_OK
        cdef uint8_t *frame
        cdef group_t *g = &c.groups[m.group]
        self.idle()
        if offset > <uint64_t>m.pages * PAGE_SIZE or n > <uint64_t>m.pages * PAGE_SIZE - offset:
            raise ValueError("bytes outside the mapping")
        if c.frames == NULL:
            raise ValueError("a machine without contents has no bytes")
        c.current_mm = m.mm
        guard_arm()
        self.busy = True
        with nogil:
            while done < n:
                at = offset + done
                page = m.base + <uint32_t>(at >> PAGE_SHIFT)
                bits = c.page[page].pte
                if (bits & need) != need:
                    status = fault(c, page, write)
                    if status != ST_OK:
                        break
                    if c.tlb != NULL:
                        tlb_drop(c, page)
                    bits = c.page[page].pte
                if g.policy.touch != NULL:
                    g.policy.touch(c, g, page)
                if c.tlb != NULL:
                    tlb_access(c, page, write)
                else:
                    c.page[page].pte = <uint8_t>(bits | PTE_ACCESSED | (PTE_DIRTY if write else 0))
                at &= PAGE_SIZE - 1
                span = PAGE_SIZE - at
                if span > n - done:
                    span = n - done
                if bits & PTE_ZERO:
                    memset(data + done, 0, span)
                else:
                    frame = frame_at(c, home_of(c, page)) + at
                    if write:
                        memcpy(frame, data + done, span)
                    else:
                        memcpy(data + done, frame, span)
                done += span
                charge_time(c, 1)
        self.busy = False
        self.wipe()
        return done, status

    # ------------------------------------------------------------ memory groups

    def group_add(self, policy, uint64_t limit=0):
        """A memory group under a replacement policy; ``limit`` in pages, 0 = none."""
        cdef core_t *c = &self.c
        cdef bytes name = policy.encode()
        cdef const policy_t *p = policy_find(self.policies, name)
        cdef uint32_t number
        cdef group_t *g
        cdef uint64_t most = c.memory
        self.idle()
        if p == NULL:
            raise ValueError(f"no policy {policy!r}; there are {', '.join(policy_names())}")
        if self.free_groups:
            number = self.free_groups.pop()
        else:
            number = self.top_group
            self.top_group += 1
            if number >= c.groups_max:
                old = c.groups_max
                new = max(8, 2 * old)
                c.groups = <group_t *>self.grown(c.groups, old * sizeof(group_t),
                                                 new * sizeof(group_t))
                c.groups_max = new
        g = &c.groups[number]
        memset(g, 0, sizeof(group_t))
        g.policy = p
        g.limit = limit
        g.id = number
        g.prev_priority = DEF_PRIORITY
        # Groups of one size do not all come to a whole batch in the same walk.
        g.share = number * <uint64_t>0x9e3779b9 % (SCAN_BATCH << SHARE_SHIFT)
        if c.stat_period:
            g.seen.due = refresh_due(c, c.clock.now)
        if 0 < limit < most:
            most = limit
        if not ring_init(&g.inactive, most) or not ring_init(&g.active, most):
            raise MemoryError("no room for the lists of a memory group")
        g.used = True
        c.groups_used += 1
        return number

    def group_remove(self, uint32_t number):
        """Forget a group that no mapping is charged to."""
        cdef group_t *g = self.group(number)
        cdef uint32_t i
        self.idle()
        for i in range(self.top_mapping):
            if self.c.mappings != NULL and self.c.mappings[i].kind != MAP_FREE \
                    and self.c.mappings[i].group == number:
                raise ValueError(f"mapping {i} is still charged to group {number}")
        ring_free(&g.inactive)
        ring_free(&g.active)
        g.used = False
        self.c.groups_used -= 1
        self.free_groups.append(number)

    cdef group_t *group(self, uint32_t number) except NULL:
        self.alive()
        if number >= self.top_group or not self.c.groups[number].used:
            raise ValueError(f"no memory group {number}")
        return &self.c.groups[number]

    def group_info(self, uint32_t number):
        """limit, usage, inactive, active in pages, and the policy's name."""
        cdef group_t *g = self.group(number)
        return {"limit": g.limit, "usage": g.usage, "inactive": g.inactive.live,
                "active": g.active.live, "policy": (<bytes>g.policy.name).decode()}

    # ------------------------------------------------------------ owners and areas

    def owner_add(self):
        """A new namespace's number; it may use no area yet."""
        cdef core_t *c = &self.c
        cdef uint32_t number
        self.idle()
        if self.free_owners:
            number = self.free_owners.pop()
        else:
            number = self.top_owner
            self.top_owner += 1
            if number >= c.owners_max:
                old = c.owners_max
                new = max(16, 2 * old)
                c.owners = <owner_t *>self.grown(c.owners, old * sizeof(owner_t),
                                                 new * sizeof(owner_t))
                c.owners_max = new
        memset(&c.owners[number], 0, sizeof(owner_t))
        c.owners[number].used = True
        c.owner_serials += 1
        c.owners[number].serial = c.owner_serials
        c.watch_writers = c.owner_serials > 1
        return number

    def owner_remove(self, uint32_t number):
        """Forget a namespace that has no area."""
        cdef owner_t *o = self.owner(number)
        self.idle()
        free(o.areas)
        memset(o, 0, sizeof(owner_t))
        self.free_owners.append(number)

    cdef owner_t *owner(self, uint32_t number) except NULL:
        self.alive()
        if number >= self.top_owner or not self.c.owners[number].used:
            raise ValueError(f"no owner {number}")
        return &self.c.owners[number]

    def owner_use_area(self, uint32_t number, uint32_t area, bint last):
        """An owner may take slots of an area from now on.

        Parameters
        ----------
        number, area : int
        last : bool
            Behind other areas of the same priority (6.18), else before them (2.6.25).
        """
        cdef owner_t *o = self.owner(number)
        cdef int32_t prio = self.area(area).prio
        cdef uint32_t *table
        cdef uint32_t low = 0, high = o.count, middle, room
        cdef int32_t here
        self.idle()
        while low < high:
            middle = (low + high) // 2
            here = self.c.areas[o.areas[middle]].prio
            if here > prio or (last and here == prio):
                low = middle + 1
            else:
                high = middle
        if o.count == o.room:
            room = max(4, 2 * o.room)
            table = <uint32_t *>realloc(o.areas, room * sizeof(uint32_t))
            if table == NULL:
                raise MemoryError("no room for a table of areas")
            o.areas = table
            o.room = room
        memmove(&o.areas[low + 1], &o.areas[low], (o.count - low) * sizeof(uint32_t))
        o.areas[low] = area
        o.count += 1
        # 2.6.25 starts over at a new head of the list; 6.18 stays in the cluster it has.
        if low == 0 or o.count == 1:
            o.cursor = 0
        elif low <= o.cursor % (o.count - 1):
            o.cursor = o.cursor % (o.count - 1) + 1

    def owner_leave_area(self, uint32_t number, uint32_t area):
        """An owner takes no more slots of an area; harmless where it does not."""
        cdef owner_t *o = self.owner(number)
        cdef uint32_t at = 0, cursor
        self.idle()
        while at < o.count and o.areas[at] != area:
            at += 1
        if at == o.count:
            return
        cursor = o.cursor % o.count
        o.count -= 1
        memmove(&o.areas[at], &o.areas[at + 1], (o.count - at) * sizeof(uint32_t))
        # 2.6.25 starts over where the next area is gone.
        o.cursor = 0 if cursor == at else cursor - (cursor > at)
        if o.current == area + 1:
            o.current = 0

    def area_add(self, uint64_t base, uint64_t slots, int32_t prio, uint32_t owner, *,
                 bad=None, file=None, bint clustered=False, bint sums=False):
        """Enter an area: entries ``base`` to ``base + slots - 1``; slot 0 is its header.

        Parameters
        ----------
        base : int
            Multiple of 512.
        slots : int
            Slots including the header, at least 2.
        bad : uint32 array, optional
            Slots never given.
        file : writable buffer, optional
            The mapped swapfile, at least ``slots * 4096`` bytes; kept until ``area_remove``.
        clustered : bool
            6.18 slot clusters, else next-fit.
        sums : bool
            A checksum of each page that is written, compared when it is read.
        """
        cdef core_t *c = &self.c
        cdef area_t *a
        cdef uint32_t number
        cdef uint64_t k
        cdef uint8_t[::1] view
        self.idle()
        if base % CLUSTER or slots < 2 or slots > <uint64_t>1 << 31:
            raise ValueError("an area begins on a cluster and has 2 to 2**31 slots")
        listed = np.ascontiguousarray(() if bad is None else bad, dtype=np.uint32)
        if listed.size and int(listed.max()) >= slots:
            raise ValueError("a bad slot lies in its area")
        cdef const uint32_t[::1] badly = listed
        if file is not None:
            view = file
            if <uint64_t>view.shape[0] < slots * PAGE_SIZE:
                raise ValueError("the mapped file is shorter than its slots")
        self.reserve_slots(base + slots)
        if self.free_areas:
            number = self.free_areas.pop()
        else:
            number = self.top_area
            self.top_area += 1
            if number >= c.areas_max:
                old = c.areas_max
                new = max(8, 2 * old)
                c.areas = <area_t *>self.grown(c.areas, old * sizeof(area_t), new * sizeof(area_t))
                c.areas_max = new
        a = &c.areas[number]
        memset(a, 0, sizeof(area_t))
        a.base = <uint32_t>base
        a.prio = prio
        a.owner = owner
        a.strategy = SLOTS_CLUSTER if clustered else SLOTS_NEXTFIT
        if not slots_init(a, <uint32_t>slots, &badly[0] if listed.size else NULL,
                          <uint32_t>listed.size):
            self.free_areas.append(number)
            raise MemoryError("no room for the maps of a swap area")
        if c.zeromap:
            a.zeromap_bytes = ((slots + 63) >> 6) * 8
            a.zeromap = <uint64_t *>lazy_map(a.zeromap_bytes)
            if a.zeromap == NULL:
                slots_free(a)
                self.free_areas.append(number)
                raise MemoryError("no room for the zero map of a swap area")
        if sums and not area_keep_sums(a):
            slots_free(a)
            self.free_areas.append(number)
            raise MemoryError("no room for the checksums of a swap area")
        if file is not None:
            a.file = &view[0]
            self.buffers[number] = view
        for k in range(base // CLUSTER, (base + slots + CLUSTER - 1) // CLUSTER):
            c.cluster_area[k] = number
        a.used = True
        a.writeok = True
        c.total_swap_pages += a.pages
        c.nr_swap_pages += a.pages
        self.reclaimable_again()
        return number

    cdef void reclaimable_again(self) noexcept:
        # 2.6.25: an area that is turned on, or put back, gives pages of its own back, and a freed
        # page ends all_unreclaimable (free_pages_bulk).
        self.c.pages_scanned = 0
        self.c.all_unreclaimable = False

    cdef area_t *area(self, uint32_t number) except NULL:
        self.alive()
        if number >= self.top_area or not self.c.areas[number].used:
            raise ValueError(f"no area {number}")
        return &self.c.areas[number]

    def area_info(self, uint32_t number):
        """base, slots, pages (usable), inuse, prio, owner, writeok, failed, pswpin, pswpout."""
        cdef area_t *a = self.area(number)
        return {"base": a.base, "slots": a.slots, "pages": a.pages, "inuse": a.inuse,
                "prio": a.prio, "owner": a.owner, "writeok": bool(a.writeok),
                "failed": bool(a.failed), "pswpin": a.pswpin, "pswpout": a.pswpout}

    def area_set_prio(self, uint32_t number, int32_t prio):
        """Renumber a default priority."""
        self.area(number).prio = prio

    def area_set_writeok(self, uint32_t number, bint writeok):
        """SWP_WRITEOK: whether new slots may be given. Off while it is being swapped off."""
        cdef area_t *a = self.area(number)
        self.idle()
        if a.failed:
            return   # it was given up and stays off
        if a.writeok and not writeok:
            self.c.total_swap_pages -= a.pages
            self.c.nr_swap_pages -= a.pages - a.inuse
        elif writeok and not a.writeok:
            self.c.total_swap_pages += a.pages
            self.c.nr_swap_pages += a.pages - a.inuse
            self.reclaimable_again()
        a.writeok = writeok

    def area_unuse(self, uint32_t number, uint64_t first=1):
        """Read back every slot in use from ``first`` on; returns ``(next slot, status)``."""
        cdef area_t *a = self.area(number)
        cdef uint64_t slot = first
        cdef int status = ST_OK
        self.idle()
        guard_arm()
        self.busy = True
        tlb_flush(&self.c)
        with nogil:
            wait_all(&self.c)
            while a.inuse > 0 and slot < a.slots:
                if self.c.slot_page[a.base + slot] != NIL:
                    status = swapoff_slot(&self.c, <uint32_t>(a.base + slot))
                    if status != ST_OK:
                        break
                slot += 1
        self.busy = False
        self.wipe()
        return slot, status

    def area_release_file(self, uint32_t number):
        """Let go of an area's file; from now on it holds no bytes."""
        cdef area_t *a = self.area(number)
        self.idle()
        a.file = NULL
        lazy_unmap(a.held, slot_map_bytes(a))
        a.held = NULL
        self.buffers.pop(number, None)

    def area_remove(self, uint32_t number):
        """Forget an area without slots in use and let go of its file."""
        cdef area_t *a = self.area(number)
        self.idle()
        if a.inuse:
            raise ValueError(f"area {number} still has {a.inuse} slots in use")
        if a.writeok:
            self.area_set_writeok(number, False)
        slots_free(a)
        a.used = False
        self.buffers.pop(number, None)
        self.free_areas.append(number)

    # ------------------------------------------------------------ wiping

    cdef void wipe(self) noexcept:
        # The end of every call that may free slots.
        cdef bint whole
        cdef uint32_t i
        if LIKELY(not self.c.wipe_due):
            return
        with nogil:
            whole = wipe_noted(&self.c)
        if not whole:
            for i in range(self.top_area):
                if self.c.areas[i].used and self.c.areas[i].wipe_error:
                    area_give_up(&self.c, &self.c.areas[i])

    def area_wipe_freed(self, uint32_t number, int fd):
        """From now on slots that are freed are overwritten with zeroes (-1: not any more).

        Free slots are taken to hold bytes until `area_wipe`, if some slot is in use now.
        """
        cdef area_t *a = self.area(number)
        cdef size_t n = slot_map_bytes(a)
        self.idle()
        lazy_unmap(a.held, n)
        a.held = NULL
        a.fd = fd
        if fd < 0 or a.file == NULL:
            return
        a.held = <uint64_t *>lazy_map(n)
        if a.held == NULL:
            raise MemoryError("no room for a map of slots")
        if a.inuse:
            memset(a.held, 0xff, n)

    def area_wipe(self, uint32_t number, int fd, bint everything):
        """Overwrite what lies in slots that nobody uses and no checkpoint names.

        Parameters
        ----------
        number : int
        fd : int
            Of the area's file.
        everything : bool
            Every such slot, or those that were freed and could not be wiped then.

        Returns
        -------
        int
            0, or an errno.
        """
        cdef area_t *a = self.area(number)
        self.idle()
        a.fd = fd
        a.wipe_error = 0
        if everything or (a.held != NULL and a.wipe_end != 0):
            with nogil:
                a.wipe_error = wipe_area(a, everything)
        return a.wipe_error

    def wipe_failures(self):
        """``(area, errno)`` of each area with freed slots that could not be wiped."""
        cdef uint32_t i
        if not self.c.wipe_failed:   # asked after every batch, whatever number of areas there is
            return []
        failed = [(i, self.c.areas[i].wipe_error) for i in range(self.top_area)
                  if self.c.areas[i].used and self.c.areas[i].wipe_error]
        self.c.wipe_failed = bool(failed)
        return failed

    # ------------------------------------------------------------ broken files

    def bad_slot(self):
        """``(area, slot, cause)`` of the last page that could not be read or written back.

        The cause is ``BAD_FILE``, ``BAD_SUM`` or ``BAD_AREA``.
        """
        cdef core_t *c = &self.c
        cdef area_t *a = area_of(c, c.bad_entry)
        return a - c.areas, c.bad_entry - a.base, c.bad_cause

    def area_lost(self, uint32_t number):
        """The file is not what it was: nothing is read from it or written to it any more."""
        cdef area_t *a = self.area(number)
        self.idle()
        if not a.failed:
            area_give_up(&self.c, a)
        a.lost = True

    # ------------------------------------------------------------ checkpoint and restart

    cdef uint8_t[::1] chosen(self, numbers):
        mine = np.zeros(self.c.mappings_max, dtype=np.uint8)
        for number in numbers:
            self.mapping(number)
            mine[number] = 1
        return mine

    def image_survey(self, numbers, uint32_t area):
        """What it would take to push these mappings out to an area.

        Returns
        -------
        dict
            needed: slots the area has to give; resident, homes: pages; outside: mapping number of
            a page that somebody else maps, owns, or keeps in the area, 0 if there is none.
        """
        cdef area_t *a = self.area(area)
        cdef uint8_t[::1] mine = self.chosen(numbers)
        cdef survey_t s
        cdef mapping_t *m
        cdef uint32_t number, page
        self.idle()
        memset(&s, 0, sizeof(s))
        for number in numbers:
            m = self.mapping(number)
            with nogil:
                for page in range(m.base, m.base + m.pages):
                    survey_page(&self.c, page, &mine[0], a, &s)
        if mine.shape[0]:
            survey_area(&self.c, &mine[0], a, &s)
        outside = 0 if s.outside == NIL else self.c.block_mapping[s.outside >> BLOCK_SHIFT]
        return {"needed": s.needed, "resident": s.resident, "homes": s.homes, "outside": outside}

    def image_settle(self):
        """Wait until no page is on its way to a device."""
        self.idle()
        wait_all(&self.c)

    def image_push(self, numbers, uint32_t area, int fd=-1):
        """Push every page of these mappings out to an area.

        Parameters
        ----------
        numbers : sequence of int
        area : int
        fd : int
            Of the area's file; -1: the area has none.

        Returns
        -------
        status : int
        written : uint32 array
            Slots in use for pages that were in memory.
        """
        cdef area_t *a = self.area(area)
        cdef mapping_t *m
        cdef uint32_t page
        cdef uint64_t n = 0
        cdef int status = ST_OK
        cdef push_t *p
        self.idle()
        written = np.empty(a.pages + 1, dtype=np.uint32)
        cdef uint32_t[::1] v = written
        p = <push_t *>malloc(sizeof(push_t))
        if p == NULL:
            raise MemoryError("no room for a batch of pages")
        p.area = a
        p.fd = fd if a.file != NULL else -1
        p.n = p.writes = 0
        guard_arm()
        self.busy = True
        for number in numbers:
            m = self.mapping(number)
            with nogil:
                for page in range(m.base, m.base + m.pages):
                    status = push_page(&self.c, page, p)
                    if status == ST_AGAIN:
                        v[n] = self.c.home[page].entry - a.base
                        n += 1
                    elif status != ST_OK:
                        break
            if status != ST_OK and status != ST_AGAIN:
                break
        if status == ST_OK or status == ST_AGAIN:
            status = push_flush(&self.c, p)
        wait_all(&self.c)
        self.busy = False
        self.wipe()
        free(p)
        return status, written[:n]

    def image_pull(self, uint32_t area, const uint32_t[::1] slots not None):
        """Read pages back and free their slots: what may not be on the disk is in memory again.

        Pages that cannot be read, or do not fit, stay where they are.
        """
        cdef area_t *a = self.area(area)
        cdef uint64_t i
        self.idle()
        guard_arm()
        self.busy = True
        with nogil:
            for i in range(<uint64_t>slots.shape[0]):
                if self.c.slot_page[a.base + slots[i]] != NIL:
                    swapoff_slot(&self.c, a.base + slots[i])
        self.busy = False
        self.wipe()

    def image_dump(self, numbers, uint32_t area):
        """Pages of these mappings, all of them out of memory.

        Returns
        -------
        pte : uint8 array
            A byte a page, mapping after mapping.
        slot, shadow : uint32 arrays, zero : uint8 array
            One value for each page that is out and nobody's copy.
        ring, ring_length : uint32 arrays
            Pages that share data, first the one that has the slot; and how many each time.
        """
        cdef core_t *c = &self.c
        cdef area_t *a = self.area(area)
        cdef mapping_t *m
        cdef uint64_t total = 0, at = 0, homes = 0, i, k
        cdef uint32_t page, p
        self.idle()
        first = np.zeros(c.mappings_max, dtype=np.int64)
        for number in numbers:
            first[number] = total
            total += self.mapping(number).pages
        pte = np.empty(total + 1, dtype=np.uint8)
        slot = np.empty(total + 1, dtype=np.uint32)
        shadow = np.empty(total + 1, dtype=np.uint32)
        zero = np.empty(total + 1, dtype=np.uint8)
        ring = []
        lengths = []
        cdef uint8_t[::1] v = pte
        cdef uint32_t[::1] s = slot
        cdef uint32_t[::1] w = shadow
        cdef uint8_t[::1] z = zero
        for number in numbers:
            m = self.mapping(number)
            with nogil:
                homes += dump_pages(c, m.base, m.pages, a, &v[at], &s[homes], &w[homes], &z[homes])
            for i in range(m.pages):
                page = <uint32_t>(m.base + i)
                if c.next[page] == NIL or not image_home(v[at + i]):
                    continue
                ring.append(at + i)
                p = c.next[page]
                k = 1
                while p != page:
                    ring.append(first[c.block_mapping[p >> BLOCK_SHIFT]]
                                + p - mapping_of(c, p).base)
                    p = c.next[p]
                    k += 1
                lengths.append(k)
            at += m.pages
        return (pte[:total], slot[:homes], shadow[:homes], zero[:homes],
                np.array(ring, dtype=np.uint32), np.array(lengths, dtype=np.uint32))

    def image_load(self, numbers, uint32_t area, const uint8_t[::1] pte not None,
                   const uint32_t[::1] slot not None, const uint32_t[::1] shadow not None,
                   const uint8_t[::1] zero not None, ring, ring_length):
        """The reverse of `image_dump`, into untouched mappings and an empty area.

        The values were checked by `swapfast.checkpoint.check`.
        """
        cdef core_t *c = &self.c
        cdef area_t *a = self.area(area)
        cdef mapping_t *m
        cdef uint64_t at = 0, homes = 0
        cdef uint32_t home, page
        self.idle()
        runs = []
        for number in numbers:
            m = self.mapping(number)
            runs.append(m.base)
            if m.pages == 0:
                continue
            with nogil:
                homes += load_pages(
                    c, m.base, m.pages, a, &pte[at],
                    &slot[homes] if homes < <uint64_t>slot.shape[0] else NULL,
                    &shadow[homes] if homes < <uint64_t>shadow.shape[0] else NULL,
                    &zero[homes] if homes < <uint64_t>zero.shape[0] else NULL,
                    slot.shape[0] - homes)
            if m.kind == MAP_OBJECT and c.watch_writers:
                for page in range(m.base, m.base + m.pages):   # nobody outside wrote in them
                    if c.page[page].pte != 0:
                        c.writer[page] = c.owners[a.owner].serial
            at += m.pages
        if len(ring) == 0:
            return
        # Page numbers of the image to those of this machine.
        bases = np.array(runs, dtype=np.int64)
        sizes = [self.mapping(n).pages for n in numbers]
        starts = np.cumsum(sizes) - sizes
        which = np.searchsorted(starts, ring, side="right") - 1
        here = (bases[which] + (ring.astype(np.int64) - starts[which])).tolist()
        k = 0
        for length in ring_length.tolist():
            home = here[k]
            for page in here[k + 1:k + length]:
                rmap_join(c, home, page)
            k += length

    def area_state(self, uint32_t number):
        """Where its next slots come from, its counters; arrays: order of its clusters, limbo."""
        cdef area_t *a = self.area(number)
        cdef core_t *c = &self.c
        cdef uint32_t i, at
        self.idle()
        lists = []
        for i in (LIST_UNUSED, LIST_PARTLY):
            order = []
            if a.strategy == SLOTS_CLUSTER:
                at = a.first[i]
                while at != NO_CLUSTER:
                    order.append(at)
                    at = a.cl_next[at]
            lists.append(np.array(order, dtype=np.uint32))
        limbo = []
        if a.pinned != NULL:
            for i in range(1, a.slots):
                if slot_bit(a.pinned, i) and c.slot_page[a.base + i] == NIL:
                    limbo.append(i)
        state = {"cluster_next": a.cluster_next, "cluster_nr": a.cluster_nr, "position": a.position,
                 "pswpin": a.pswpin, "pswpout": a.pswpout,
                 "current": a.owner < self.top_owner
                 and c.owners[a.owner].current == number + 1}
        return state, lists[0], lists[1], np.array(limbo, dtype=np.uint32)

    def area_load(self, uint32_t number, state, const uint32_t[::1] unused not None,
                  const uint32_t[::1] partly not None, const uint32_t[::1] limbo not None):
        """The reverse of `area_state`, after `image_load`.

        Raises
        ------
        ValueError
            The lists do not hold the clusters that they should.
        """
        cdef area_t *a = self.area(number)
        cdef core_t *c = &self.c
        cdef uint64_t i
        cdef uint32_t k
        self.idle()
        for i in range(<uint64_t>limbo.shape[0]):
            take_slot(c, a, limbo[i])
        if a.strategy == SLOTS_CLUSTER:
            used = np.array([a.cl_used[k] for k in range(a.clusters)], dtype=np.int64)
            for what, given, right in (("unused", unused, used == 0),
                                       ("partly", partly, (used > 0) & (used < CLUSTER))):
                if not np.array_equal(np.sort(np.asarray(given)), np.flatnonzero(right)):
                    raise ValueError(f"{what}: not the clusters that the slots make so")
            load_clusters(a, &unused[0] if unused.shape[0] else NULL, unused.shape[0],
                          &partly[0] if partly.shape[0] else NULL, partly.shape[0])
        a.cluster_next = state["cluster_next"]
        a.cluster_nr = state["cluster_nr"]
        a.position = state["position"]
        a.pswpin = state["pswpin"]
        a.pswpout = state["pswpout"]
        if state["current"]:
            c.owners[a.owner].current = number + 1
        for i in range(<uint64_t>limbo.shape[0]):
            free_limbo(c, a, limbo[i])

    def area_pin(self, uint32_t number, const uint32_t[::1] slots not None):
        """Exactly these slots keep their bytes from now on, whatever becomes of their pages."""
        cdef area_t *a = self.area(number)
        self.idle()
        if not area_pin(&self.c, a, &slots[0] if slots.shape[0] else NULL, slots.shape[0]):
            raise MemoryError("no room for a map of slots")
        self.wipe()

    def area_unpin(self, uint32_t number):
        """No slot is kept for a checkpoint any more."""
        cdef area_t *a = self.area(number)
        self.idle()
        area_unpin(&self.c, a)
        self.wipe()

    def area_pinned(self, uint32_t number):
        """Slots that a checkpoint names, as a uint32 array."""
        cdef area_t *a = self.area(number)
        if a.pinned == NULL:
            return np.empty(0, dtype=np.uint32)
        words = np.asarray(<uint64_t[:(a.slots + 63) // 64]>a.pinned)
        bits = np.unpackbits(words.view(np.uint8), bitorder="little")
        return np.flatnonzero(bits).astype(np.uint32)

    def area_keep_sums(self, uint32_t number):
        """From now on a slot gets its checksum when it is written, from the page in memory."""
        if not area_keep_sums(self.area(number)):
            raise MemoryError("no room for the checksums of a swap area")

    def area_sums(self, uint32_t number, const uint32_t[::1] slots not None):
        """Checksums of slots in use, those of zero pages 0; from now on they are kept.

        Raises
        ------
        OSError
            A slot cannot be read: ``args[0]`` is its number.
        """
        cdef area_t *a = self.area(number)
        cdef uint32_t bad = NO_SLOT
        cdef uint64_t n = slots.shape[0]
        self.idle()
        guard_arm()
        if not area_keep_sums(a):
            raise MemoryError("no room for the checksums of a swap area")
        sums = np.zeros(n + 1, dtype=np.uint32)
        cdef uint32_t[::1] v = sums
        if a.file != NULL and n:
            with nogil:
                bad = area_sums(a, &slots[0], n, &v[0])
        if bad != NO_SLOT:
            raise OSError(bad)
        return sums[:n]

    def area_set_sums(self, uint32_t number, const uint32_t[::1] slots not None,
                      const uint32_t[::1] sums not None):
        """Say what the checksums of slots are; each is compared when the slot is read."""
        cdef area_t *a = self.area(number)
        cdef uint64_t i
        self.idle()
        if not area_keep_sums(a):
            raise MemoryError("no room for the checksums of a swap area")
        for i in range(<uint64_t>slots.shape[0]):
            a.sums[slots[i]] = sums[i]
            a.summed[slots[i] >> 6] |= <uint64_t>1 << (slots[i] & 63)

    def group_state(self, uint32_t number):
        """What a memory group remembers beside its lists."""
        cdef group_t *g = self.group(number)
        return {"limit": g.limit, "policy": (<bytes>g.policy.name).decode(), "age": g.age,
                "cost": g.cost, "ws_act": g.ws_act, "ws_seen": g.ws_seen,
                "scan_active": g.scan_active, "scan_inactive": g.scan_inactive,
                "prev_priority": g.prev_priority}

    def group_load(self, uint32_t number, state):
        """The reverse of `group_state`, but for the limit and the policy."""
        cdef group_t *g = self.group(number)
        g.age = state["age"]
        g.cost = state["cost"]
        g.ws_act = state["ws_act"]
        g.ws_seen = state["ws_seen"]
        g.scan_active = state["scan_active"]
        g.scan_inactive = state["scan_inactive"]
        g.prev_priority = state["prev_priority"]

    def machine_state(self):
        """Settings, counters and the clock, between batches."""
        cdef core_t *c = &self.c
        return {
            "settings": {"memory": c.memory, "page_cluster": c.page_cluster,
                         "swappiness": c.swappiness, "times": dict(c.times)},
            "counters": dict(c.count),
            "clock": dict(c.clock),
            "memory": {"file_cache": c.file_cache, "ra_hits": c.ra_hits, "ra_prev": c.ra_prev,
                       "ra_last": c.ra_last, "pages_scanned": c.pages_scanned,
                       "all_unreclaimable": bool(c.all_unreclaimable),
                       "kswapd_failures": c.kswapd_failures, "token_faults": c.token.faults},
        }

    def machine_load(self, state):
        """The reverse of `machine_state`, but for the settings."""
        cdef core_t *c = &self.c
        self.idle()
        memory = state["memory"]
        c.count = state["counters"]
        c.clock = state["clock"]
        c.file_cache = memory["file_cache"]
        c.ra_hits = memory["ra_hits"]
        c.ra_prev = memory["ra_prev"]
        c.ra_last = memory["ra_last"]
        c.pages_scanned = memory["pages_scanned"]
        c.all_unreclaimable = memory["all_unreclaimable"]
        c.kswapd_failures = memory["kswapd_failures"]
        c.token.faults = memory["token_faults"]

    def mm_state(self, uint32_t mm):
        """What the swap token knows of an address space."""
        cdef token_t *t = &self.c.token
        if mm >= t.mms:
            return {"interval": 0, "priority": 0, "last": 0, "stalled_until": 0, "holder": False}
        return {"interval": t.interval[mm], "priority": t.priority[mm], "last": t.last[mm],
                "stalled_until": t.stalled_until[mm], "holder": t.holder == mm}

    def mm_load(self, uint32_t mm, state):
        """The reverse of `mm_state`."""
        cdef token_t *t = &self.c.token
        self.grow_tokens(mm + 1)
        t.interval[mm] = state["interval"]
        t.priority[mm] = state["priority"]
        t.last[mm] = state["last"]
        t.stalled_until[mm] = state["stalled_until"]
        if state["holder"]:
            t.holder = mm


def different(const uint32_t[::1] values not None, uint64_t end):
    """The first number, of numbers below ``end``, that is there twice, or -1."""
    cdef uint64_t i, n
    cdef uint64_t *seen = <uint64_t *>lazy_map((end >> 3) + 8)
    cdef int64_t twice = -1
    if seen == NULL:
        raise MemoryError(f"no room for {end} bits")
    with nogil:
        for i in range(<uint64_t>values.shape[0]):
            n = values[i]
            if (seen[n >> 6] >> (n & 63)) & 1:
                twice = n
                break
            seen[n >> 6] |= <uint64_t>1 << (n & 63)
    lazy_unmap(seen, (end >> 3) + 8)
    return twice


def checksum(const uint8_t[::1] page not None):
    """The checksum of a page of 4096 bytes."""
    if page.shape[0] != PAGE_SIZE:
        raise ValueError(f"a page has {PAGE_SIZE} bytes, not {page.shape[0]}")
    return page_sum(&page[0])


def checksums(const uint8_t[::1] pages not None):
    """Checksums of whole pages that lie one after the other, as a uint32 array."""
    cdef uint64_t i, n = pages.shape[0] // PAGE_SIZE
    sums = np.empty(n, dtype=np.uint32)
    cdef uint32_t[::1] v = sums
    with nogil:
        for i in range(n):
            v[i] = page_sum(&pages[i * PAGE_SIZE])
    return sums
