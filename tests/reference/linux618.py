"""The slow truth for policy linux-6.18: one task's anonymous memory under a group's limit.

Written for reading, one obvious step after the other, over dictionaries and deques. The compiled
policy must give the same counters to the last digit (tests/core/test_linux618.py).

Sources: mm/vmscan.c, mm/workingset.c, mm/swap.c, mm/swapfile.c, mm/swap_state.c of Linux 6.18.
"""

from collections import Counter, OrderedDict, deque
from math import isqrt

from tests.reference.writeout import WriteOut

NONE, MAPPED, CACHED, OUT = "none", "mapped", "cached", "out"

TIMES = {
    "reference": 20,
    "minor_fault": 1500,
    "swap_in": 66000,
    "reclaim": 8000,
    "scan_page": 600,
    "unmap": 2200,
    "plug_page": 2000,
    "flush_request": 1000,
    "write_request": 3500,
    "write_page": 2600,
    "write_latency": 45000,
}


class Page:
    """State of one page: where it is, its bits, its slot and its shadow."""

    def __init__(self, number):
        self.number = number
        self.where = NONE
        self.accessed = self.dirty = False
        self.clear_flags()
        self.has_slot = False
        self.slot = 0
        self.shadow_age = 0
        self.shadow_ws = False

    def clear_flags(self):
        self.active = self.referenced = self.workingset = False
        self.writeback = self.readahead = self.isolated = False


class Slots:
    """Clusters of 512 slots; slot 0 is the header."""

    def __init__(self, last):
        self.last = last
        self.owner = {}
        clusters = range(last // 512 + 1)
        self.room = {c: sum(1 for s in self.cluster(c) if s) for c in clusters}
        short = [c for c in clusters if self.room[c] < 512]
        self.partly = OrderedDict((c, None) for c in short)
        self.unused = OrderedDict((c, None) for c in clusters if c not in self.partly)
        self.position = None

    def cluster(self, c):
        return range(c * 512, min((c + 1) * 512, self.last + 1))

    def first_free(self, c, start):
        return next((s for s in self.cluster(c) if s and s >= start and s not in self.owner), None)

    def take(self, page):
        slot = None
        if self.position is not None:
            slot = self.first_free(self.position // 512, self.position)
        if slot is None:
            c = next(iter(self.partly or self.unused))
            slot = self.first_free(c, c * 512)
        c = slot // 512
        self.owner[slot] = page
        self.room[c] -= 1
        self.partly.pop(c, None)
        self.unused.pop(c, None)
        if self.room[c]:
            self.partly[c] = None
        self.position = slot + 1 if slot + 1 <= self.last and (slot + 1) % 512 else None
        return slot

    def give(self, slot):
        c = slot // 512
        del self.owner[slot]
        was_full = self.room[c] == 0
        self.room[c] += 1
        if self.room[c] == 512:
            self.partly.pop(c, None)
            self.unused[c] = None
        elif was_full:
            self.partly[c] = None

    @property
    def half_full(self):
        return 2 * len(self.owner) > self.last


class Model(WriteOut):
    """One memory group of ``limit`` pages over one area whose last slot is ``last_slot``."""

    def __init__(self, pages, limit, last_slot=131070, page_cluster=0, times=None, plug="own"):
        self.pages = [Page(n) for n in range(pages)]
        self.limit = limit
        self.slots = Slots(last_slot)
        self.page_cluster = page_cluster
        super().__init__({**TIMES, **(times or {})})
        self.usage = 0
        self.inactive, self.active = deque(), deque()  # head left, tail right
        self.age = self.cost = self.ws_act = self.ws_seen = 0
        self.nested = plug == "nested"
        self.rotation = []
        self.ra_hits = self.ra_prev = self.ra_last = 0
        self.n = Counter()

    # references

    def touch(self, number, write):
        self.now += self.t["reference"]
        p = self.pages[number]
        if p.where == MAPPED:
            p.accessed = True
            p.dirty |= write
            return
        if p.where == NONE:
            self.now += self.t["minor_fault"]
            self.n["minor"] += 1
            self.charge()
            p.where, p.accessed, p.dirty = MAPPED, True, write
            self.inactive.appendleft(p)
            return
        if p.where == CACHED:
            self.now += self.t["minor_fault"]
            self.n["minor"] += 1
            if p.readahead:
                p.readahead = False
                self.ra_hits += 1
        else:
            self.n["pgmajfault"] += 1
            self.read_ahead(p)
            if p.where == OUT:
                self.swap_in(p)
            self.now += self.t["swap_in"]
        p.where, p.accessed, p.dirty = MAPPED, True, write
        if p.has_slot and not p.writeback and (write or self.slots.half_full):
            self.free_slot(p)

    def swap_in(self, p):
        self.charge()
        p.clear_flags()
        p.where, p.has_slot = CACHED, True
        if self.age - p.shadow_age <= len(self.active):
            p.active = True
            self.age += 1
            self.ws_act += 1
            self.n["workingset_activate"] += 1
            if p.shadow_ws:
                p.workingset = True
                self.note_cost(1, 0)
        (self.active if p.active else self.inactive).appendleft(p)
        self.n["pswpin"] += 1

    def read_ahead(self, p):
        most = 1 << self.page_cluster
        if most == 1:
            return
        hits, self.ra_hits = self.ra_hits, 0
        pages = hits + 2
        if pages == 2:
            if abs(p.slot - self.ra_prev) != 1:
                pages = 1
        else:
            pages = max(4, 1 << (pages - 1).bit_length())
        pages = max(min(pages, most), self.ra_last // 2)
        self.ra_last = pages
        if hits == 0:
            self.ra_prev = p.slot
        if pages == 1:
            return
        self.held = self.nested
        first = max(p.slot & ~(pages - 1), 1)
        for slot in range(first, (p.slot | (pages - 1)) + 1):
            other = self.slots.owner.get(slot)
            if other is not None and other.where == OUT:
                self.swap_in(other)
                if self.held:
                    self.plug_add(slot, [])
                if other is not p:
                    other.readahead = True
        if self.held:
            self.held = False
            self.flush()

    def free_slot(self, p):
        self.slots.give(p.slot)
        p.has_slot = False

    def charge(self):
        for _ in range(16):
            if self.usage < self.limit:
                break
            self.reclaim()
        assert self.usage < self.limit, "out of memory"
        self.usage += 1

    # reclaim

    def reclaim(self):
        self.n["reclaims"] += 1
        self.now += self.t["reclaim"]
        got, full, force, self.skipped = 0, False, False, False
        while True:
            for priority in range(12, -1, -1):
                got += self.shrink(priority, force)
                if got >= 32:
                    break
            self.ws_seen = self.ws_act
            if got == 0 and not full:
                full = True
            elif got == 0 and self.skipped and not force:
                force, self.skipped = True, False
            else:
                return

    def inactive_low(self):
        gb = (len(self.inactive) + len(self.active)) >> 18
        return len(self.inactive) * (isqrt(10 * gb) if gb else 1) < len(self.active)

    def shrink(self, priority, force):
        may = force or self.ws_act != self.ws_seen or self.inactive_low()
        want_inactive = len(self.inactive) >> priority
        want_active = len(self.active) >> priority
        if priority:
            total = 3 * self.cost + 1
            anon = 60 * total // (2 * self.cost + 1)
            other = 140 * total // (self.cost + 1)
            want_inactive = want_inactive * anon // (anon + other)
            want_active = want_active * anon // (anon + other)
        got = 0
        while want_inactive > 0:
            k = min(want_inactive, 32)
            want_inactive -= k
            got += self.scan_inactive(k)
            k = min(want_active, 32)
            want_active -= k
            if k and may:
                self.scan_active(k)
            elif k:
                self.skipped = True
            if got >= 32:
                break
        if not self.held:
            self.flush()
        if self.inactive_low():
            self.scan_active(32)
        return got

    def scan_inactive(self, k):
        self.take_completions()
        self.drain()
        batch = [self.inactive.pop() for _ in range(min(k, len(self.inactive)))]
        for p in batch:
            p.isolated = True
        self.n["scanned"] += len(batch)
        written, kept = 0, []
        for p in batch:
            self.now += self.t["scan_page"]
            if p.writeback:
                self.wait(p)
            accessed = p.where == MAPPED and p.accessed
            p.accessed = False
            was_referenced, p.referenced = p.referenced, False
            if accessed:
                p.referenced = True
                if was_referenced:
                    p.active = True
                    self.n["pgactivate"] += 1
                    if p.has_slot and self.slots.half_full:
                        self.free_slot(p)
                kept.append(p)
                continue
            must_write = False
            if not p.has_slot:
                p.slot = self.slots.take(p)
                p.has_slot = must_write = True
            if p.where == MAPPED:
                self.now += self.t["unmap"]
                must_write |= p.dirty
                p.dirty = False
                p.where = CACHED
            if must_write:
                self.n["pswpout"] += 1
                written += 1
                p.writeback = True
                self.plug_add(p.slot, [p])
                kept.append(p)
            else:
                p.where = OUT
                p.shadow_age, p.shadow_ws = self.age, p.workingset
                self.age += 1
                p.clear_flags()
                self.usage -= 1
        freed = len(batch) - len(kept)
        for p in kept:
            p.isolated = False
            if p.active:
                self.age += 1
            (self.active if p.active else self.inactive).appendleft(p)
        self.note_cost(written, len(batch) - freed)
        return freed

    def scan_active(self, k):
        self.take_completions()
        self.drain()
        for _ in range(min(k, len(self.active))):
            p = self.active.pop()
            p.accessed = p.active = False
            p.workingset = True
            self.inactive.appendleft(p)
            self.n["pgdeactivate"] += 1
            self.now += self.t["scan_page"]

    def note_cost(self, io, rotated):
        x = 32 * io + rotated
        if x:
            self.cost += x
            if self.cost > (len(self.inactive) + len(self.active)) // 4:
                self.cost //= 2

    # write-out

    def take_completions(self):
        while self.queue and self.queue[0][1] <= self.now:
            p, _ = self.queue.popleft()
            p.writeback = False
            if not p.isolated:
                self.rotation.append(p)
                if len(self.rotation) == 31:
                    self.drain()

    def drain(self):
        for p in self.rotation:
            self.inactive.remove(p)
            self.inactive.append(p)
        self.rotation = []

    def wait(self, p):
        self.flush()
        done = next(done for q, done in self.queue if q is p)
        self.now = max(self.now, done)
        self.take_completions()
