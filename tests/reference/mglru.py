"""The slow truth for policy linux-6.18-mglru: one task's anonymous memory under a group's limit.

Written for reading, one obvious step after the other. The compiled policy must give the same
counters, the same generations and the same clock, to the last digit (tests/core/test_mglru.py).

Sources: mm/vmscan.c, mm/workingset.c, mm/swap.c, include/linux/mm_inline.h of Linux 6.18.
"""

from collections import Counter, OrderedDict

from tests.reference.linux618 import TIMES, Slots
from tests.reference.writeout import WriteOut

NONE, MAPPED, CACHED, OUT = "none", "mapped", "cached", "out"
TICK = 4_000_000  # ns


class Page:
    """One page: where it is, its bits, its generation, its slot and its shadow."""

    def __init__(self, number):
        self.number = number
        self.where = NONE
        self.accessed = self.dirty = False
        self.has_slot, self.slot = False, 0
        self.gen = self.at = None  # label and list, modulo 4; None: isolated, or not in memory
        self.shadow_seq, self.shadow_ws = 0, False
        self.clear_flags()

    def clear_flags(self):
        self.referenced = self.workingset = self.active = False
        self.writeback = self.unwritten = self.pinned = False


class Model(WriteOut):
    """One memory group of ``limit`` pages over one area whose last slot is ``last_slot``."""

    def __init__(
        self,
        pages,
        limit,
        last_slot=131070,
        *,
        synchronous=False,
        walks=True,
        rule="always",
        off=0,
        drain=0,
        times=None,
    ):
        self.pages = [Page(n) for n in range(pages)]
        self.limit, self.slots = limit, Slots(last_slot)
        self.synchronous, self.walks, self.rule = synchronous, walks, rule
        self.off, self.drain_every = off, drain
        super().__init__({**TIMES, **(times or {})})
        self.usage = self.touched = 0
        self.max_seq, self.min_seq, self.file_seq = 3, 0, 0
        self.lists = [OrderedDict() for _ in range(4)]  # the first is at the tail
        self.size = [0] * 4  # by label
        self.refaulted, self.evicted, self.protected = [0, 0], [0, 0], [0, 0]
        self.avg_refaulted, self.avg_total = [0, 0], [0, 0]
        self.filter = [None, None]
        self.seen, self.known, self.aged = True, False, 0
        self.rotation, self.activation = [], []
        self.n = Counter()

    # lists

    def seq_of(self, p, active=False, tail=False):
        if active:
            k = 1 if p.workingset else 2
        elif tail:
            k = 4
        elif not p.has_slot or p.writeback:
            k = 2
        else:
            k = 3 if p.workingset else 4
        return max(self.max_seq - k + 1, self.min_seq)

    def put(self, p, seq, tail=False):
        p.gen = p.at = seq % 4
        self.size[p.gen] += 1
        self.lists[p.at][p] = None
        if tail:
            self.lists[p.at].move_to_end(p, last=False)

    def take_off(self, p):
        del self.lists[p.at][p]
        self.size[p.gen] -= 1
        p.gen = p.at = None

    def relabel(self, p, seq):
        self.size[p.gen] -= 1
        p.gen = seq % 4
        self.size[p.gen] += 1

    def drain(self):
        self.drain_rotation()
        self.drain_activation()

    def drain_rotation(self):
        batch, self.rotation = self.rotation, []
        for p in batch:
            if p.gen is not None:
                self.take_off(p)
                self.put(p, self.seq_of(p, tail=True), tail=True)

    def drain_activation(self):
        batch, self.activation = self.activation, []
        for p in batch:
            p.pinned = False
            if p.gen is not None:
                self.take_off(p)
                self.put(p, self.seq_of(p, active=True))
                self.n["pgactivate"] += 1

    # references

    def touch(self, number, write):
        self.reference(self.pages[number], write)
        self.touched += 1
        if self.drain_every and self.touched % self.drain_every == 0:
            self.drain()

    def reference(self, p, write):
        self.now += self.t["reference"]
        if p.where == MAPPED:
            p.accessed = True
            p.dirty |= write
        elif p.where == NONE:
            self.now += self.t["minor_fault"]
            self.n["minor"] += 1
            self.charge()
            p.where, p.accessed, p.dirty = MAPPED, True, write
            self.put(p, self.seq_of(p, active=True))
        elif p.where == CACHED:
            self.now += self.t["minor_fault"]
            self.n["minor"] += 1
            self.map(p, write)
        else:
            self.n["pgmajfault"] += 1
            self.charge()
            self.swap_in(p)
            self.now += self.t["swap_in"]
            if write and not self.synchronous:
                self.drain()
            self.map(p, write)

    def swap_in(self, p):
        p.clear_flags()
        self.n["pswpin"] += 1
        if self.max_seq - p.shadow_seq < 4:
            self.refaulted[p.shadow_ws] += 1
            self.n["workingset_activate"] += 1
            if p.shadow_ws:
                p.workingset = True
                self.n["workingset_restore"] += 1
        p.where = OUT  # until it is mapped
        self.put(p, self.seq_of(p, active=True))
        self.seen = True

    def map(self, p, write):
        major = p.where == OUT
        p.where, p.accessed, p.dirty = MAPPED, True, write
        frees = (write and not p.pinned) or self.slots.half_full or (self.synchronous and major)
        if p.has_slot and not p.writeback and frees:
            self.free_slot(p)

    def free_slot(self, p):
        self.slots.give(p.slot)
        p.has_slot = False

    def charge(self):
        for _ in range(16):
            while self.usage >= self.limit and self.reclaim():
                pass
        assert self.usage < self.limit, "out of memory"
        self.usage += 1

    # reclaim

    def reclaim(self):
        self.n["reclaims"] += 1
        self.now += self.t["reclaim"]
        got = 0
        for _ in range(2):
            for priority in range(12, -1, -1):
                got += self.shrink(priority)
                if got >= 32:
                    break
            if got:
                break
        return got

    def shrink(self, priority):
        self.take_completions()
        self.drain()
        got = scanned = 0
        while True:
            few = self.min_seq + 2 >= self.max_seq
            if few and priority < 12:
                self.age()
                break
            evictable = self.min_seq + 2 <= self.max_seq
            want = sum(self.size) >> priority if evictable else 0
            if want == 0:
                break
            looked, freed = self.evict(want)
            got += freed
            scanned += looked
            if looked == 0 or scanned >= want:
                break
        self.flush()
        return got

    # aging

    def tables(self):
        """Page tables: number, first page, end."""
        for k in range((self.off + len(self.pages) + 511) // 512):
            begin = max(k * 512 - self.off, 0)
            yield k, begin, min((k + 1) * 512 - self.off, len(self.pages))

    def is_young(self, p):
        return p.where == MAPPED and p.accessed and p.gen is not None

    def see(self, p):
        """True: seen for the second time, and not in the youngest generation."""
        p.accessed = False
        if not p.referenced and not p.workingset:
            p.referenced = True
            return False
        p.referenced, p.workingset = False, True
        return p.gen != self.max_seq % 4

    def age(self):
        ticked = self.rule == "ticks" and self.now // TICK != self.aged // TICK
        self.aged = self.now
        if self.walks and (not self.known or self.seen or ticked or self.rule == "always"):
            self.walk(whole=not self.known)
            self.known, self.seen = True, False
        self.max_seq += 1
        self.n["agings"] += 1

    def walk(self, whole):
        known = self.filter[self.max_seq % 2]
        fresh = self.filter[(self.max_seq + 1) % 2] = set()
        for k, begin, end in self.tables():
            if not whole and known is not None and k not in known:
                continue
            young = [p for p in self.pages[begin:end] if self.is_young(p)]
            for p in young:
                if self.see(p):
                    self.relabel(p, self.max_seq)
            if 8 * len(young) >= end - begin:
                fresh.add(k)
            self.now += (end - begin) * self.t["scan_page"] // 30

    def look_around(self, p):
        at = p.number
        k, begin, end = next(t for t in self.tables() if t[1] <= at < t[2])
        if end - begin == 1:
            return
        if end - begin > 64:
            if at - begin < 32:
                end = begin + 64
            elif end - at < 32:
                begin = end - 64
            else:
                begin, end = at - 32, at + 32
        young = 1
        for q in self.pages[begin:end]:
            if not self.is_young(q):
                continue
            young += 1
            if self.see(q):
                q.pinned = True
                self.activation.append(q)
                if len(self.activation) == 31:
                    self.drain_activation()
        if 8 * young >= end - begin and self.filter[self.max_seq % 2] is not None:
            self.filter[self.max_seq % 2].add(k)

    # eviction

    def is_protected(self):
        refaulted = [self.avg_refaulted[i] + self.refaulted[i] for i in (0, 1)]
        total = [self.avg_total[i] + self.protected[i] + self.evicted[i] for i in (0, 1)]
        few = refaulted[1] < 64
        return not few and refaulted[1] * (total[0] + 64) * 2 > (refaulted[0] + 1) * total[1] * 3

    def scan(self, want):
        if self.max_seq - self.min_seq + 1 == 2:
            return [], 0
        oldest = self.lists[self.min_seq % 4]
        protect = self.is_protected()
        isolated, looked, most = [], 0, min(want, 4096)
        while oldest and looked < most and len(isolated) < 64:
            p = next(iter(oldest))
            looked += 1
            self.now += self.t["scan_page"] // 4
            if p.gen == self.min_seq % 4:
                if p.workingset and protect:
                    self.protected[1] += 1
                elif not p.writeback:
                    self.take_off(p)
                    isolated.append(p)
                    continue
                p.referenced = False
                self.relabel(p, self.min_seq + 1)
            del oldest[p]
            p.at = p.gen
            self.lists[p.at][p] = None
        self.n["scanned"] += len(isolated)
        self.n["pgrefill"] += looked - len(isolated)
        return isolated, looked if isolated or looked == most else 0

    def raise_min_seq(self):
        seq = self.min_seq
        while seq + 2 <= self.max_seq and not self.lists[seq % 4]:
            seq += 1
        file_seq = self.max_seq - (2 if seq + 2 < self.max_seq else 1)
        moved = seq > self.min_seq or file_seq > self.file_seq
        if seq > self.min_seq:
            for i in (0, 1):
                self.avg_refaulted[i] = (self.avg_refaulted[i] + self.refaulted[i]) // 2
                total = self.avg_total[i] + self.protected[i] + self.evicted[i]
                self.avg_total[i] = total // 2
                self.refaulted[i] = self.protected[i] = self.evicted[i] = 0
        self.min_seq, self.file_seq = seq, max(self.file_seq, file_seq)
        return moved

    def evict(self, want):
        self.take_completions()
        batch, looked = self.scan(want)
        looked += self.raise_min_seq()
        if self.min_seq + 2 > self.max_seq:
            looked = 0
        freed, first = 0, True
        while batch:
            kept = [p for p in batch if not self.judge(p)]
            freed += len(batch) - len(kept)
            self.take_completions()
            batch = []
            for p in kept:
                clean = p.where == CACHED and not p.unwritten and not p.writeback
                if first and clean and not p.active:
                    batch.append(p)
                    continue
                if self.seq_of(p, p.active) == self.min_seq:
                    p.referenced, p.active = False, True
                self.put(p, self.seq_of(p, p.active))
                p.active = False
            first = False
        return looked, freed

    def judge(self, p):
        """True: freed."""
        self.now += self.t["scan_page"]
        if p.where == MAPPED and p.accessed:
            p.accessed = False
            self.look_around(p)
            if not p.referenced and not p.workingset:
                p.referenced = True
                return False
            p.referenced, p.workingset, p.active = False, True, True
            self.n["pgactivate"] += 1
            if p.has_slot and self.slots.half_full and not p.writeback:
                self.free_slot(p)
            return False
        if not p.has_slot:
            p.slot = self.slots.take(p)
            p.has_slot = p.unwritten = True
        if p.where == MAPPED:
            self.now += self.t["unmap"]
            p.unwritten |= p.dirty
            p.dirty = False
            p.where = CACHED
        if p.pinned:
            return False
        if p.unwritten:
            p.unwritten = False
            self.n["pswpout"] += 1
            if not self.synchronous:
                p.writeback = True
                self.plug_add(p.slot, [p])
                return False
        p.where, p.shadow_seq, p.shadow_ws = OUT, self.min_seq, p.workingset
        self.evicted[p.workingset] += 1
        p.clear_flags()
        self.usage -= 1
        return True

    # write-out

    def take_completions(self):
        while self.queue and self.queue[0][1] <= self.now:
            p, _ = self.queue.popleft()
            p.writeback = False
            if p.gen is not None:
                self.rotation.append(p)
                if len(self.rotation) == 31:
                    self.drain_rotation()
