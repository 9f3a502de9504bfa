"""The slow truth about swap slots: which one is given next.

- ``NextFit``: 2.6.25 scan_swap_map, step by step over a list, with its lowest_bit and highest_bit.
- ``SwapList``: 2.6.25 get_swap_page and swap_entry_free over several such areas.
- ``Clusters``: 6.18 cluster_alloc_swap_entry for single pages: lists of clusters of 512 slots.
- ``Runs``: 2^order slots at once, aligned to their number, in either of them.

Source: mm/swapfile.c of the two kernels.
"""

from __future__ import annotations

CLUSTER_25 = 256
CLUSTER_618 = 512
FREE, TAKEN, BAD = 0, 1, 2


class Runs:
    """Where the next run is: from the cluster of the last one on, then from the beginning."""

    def __init__(self, end: int) -> None:
        self.last = end
        self.run_cluster = 0

    def is_free(self, slot: int) -> bool:
        raise NotImplementedError

    def find_run(self, order: int) -> range | None:
        size = 1 << order
        clusters = range((self.last + CLUSTER_618 - 1) // CLUSTER_618)
        for c in [*clusters[self.run_cluster :], *clusters[: self.run_cluster]]:
            for first in range(c * CLUSTER_618, (c + 1) * CLUSTER_618, size):
                run = range(first, first + size)
                if run.stop <= self.last and all(self.is_free(s) for s in run):
                    self.run_cluster = c
                    return run
        return None


class NextFit(Runs):
    """Slots 1 to end - 1; ``take`` gives 0 when there is none."""

    def __init__(self, end: int, bad: tuple[int, ...] = ()) -> None:
        super().__init__(end)
        self.map = [BAD] + [FREE] * (end - 1)
        for slot in bad:
            self.map[slot] = BAD
        self.max = end
        self.pages = self.map.count(FREE)
        self.inuse = 0
        self.lowest_bit = 1
        self.highest_bit = end - 1
        self.cluster_next = 1
        self.cluster_nr = 0

    def take(self) -> int:
        if not self.highest_bit:
            return 0
        offset = None
        if self.cluster_nr:
            self.cluster_nr -= 1
            offset = self.cluster_next
        else:
            self.cluster_nr = CLUSTER_25 - 1
            if self.pages - self.inuse >= CLUSTER_25:
                offset = self.first_empty_cluster()
        if offset is None or offset > self.highest_bit:
            offset = self.lowest_bit
        while self.map[offset] != FREE:
            offset += 1
            if offset > self.highest_bit:
                offset = self.lowest_bit
        return self.use(offset)

    def first_empty_cluster(self) -> int | None:
        offset = self.lowest_bit
        last = offset + CLUSTER_25 - 1
        while last <= self.highest_bit:
            if self.map[offset] != FREE:
                last = offset + CLUSTER_25
            elif offset == last:
                return offset - CLUSTER_25 + 1
            offset += 1
        return None

    def use(self, offset: int) -> int:
        if offset == self.lowest_bit:
            self.lowest_bit += 1
        if offset == self.highest_bit:
            self.highest_bit -= 1
        self.inuse += 1
        if self.inuse == self.pages:
            self.lowest_bit, self.highest_bit = self.max, 0
        self.map[offset] = TAKEN
        self.cluster_next = offset + 1
        return offset

    def is_free(self, slot: int) -> bool:
        return self.map[slot] == FREE

    def take_run(self, order: int) -> int:
        if order == 0:
            return self.take()
        run = self.find_run(order)
        if run is None:
            return 0
        self.map[run.start : run.stop] = [TAKEN] * len(run)
        self.inuse += len(run)
        if self.inuse == self.pages:
            self.lowest_bit, self.highest_bit = self.max, 0
        return run.start

    def give_run(self, slot: int, order: int) -> None:
        for each in range(slot, slot + (1 << order)):
            self.give(each)

    def give(self, offset: int) -> None:
        assert self.map[offset] == TAKEN
        self.map[offset] = FREE
        self.lowest_bit = min(self.lowest_bit, offset)
        self.highest_bit = max(self.highest_bit, offset)
        self.inuse -= 1


class SwapList:
    """Areas in order of priority, and where the next look starts."""

    def __init__(self) -> None:
        self.order: list[tuple[int, NextFit]] = []  # (priority, area)
        self.next = 0

    def swapon(self, area: NextFit, priority: int) -> None:
        at = next((i for i, (p, _) in enumerate(self.order) if priority >= p), len(self.order))
        self.order.insert(at, (priority, area))
        if at == 0:
            self.next = 0
        elif self.next >= at:
            self.next += 1

    def take(self) -> tuple[NextFit, int] | None:
        wrapped, at = 0, self.next
        while self.order and wrapped < 2:
            priority, area = self.order[at]
            following = at + 1
            if following == len(self.order) or (
                not wrapped and self.order[following][0] != priority
            ):
                following = 0
                wrapped += 1
            slot = area.take()
            if slot:
                self.next = following
                return area, slot
            at = following
        return None

    def give(self, area: NextFit, slot: int) -> None:
        at = next(i for i, (_, other) in enumerate(self.order) if other is area)
        if self.order[at][0] > self.order[self.next][0]:
            self.next = at
        area.give(slot)


class Clusters(Runs):
    """Slots 1 to end - 1 in clusters of 512; ``take`` gives 0 when there is none."""

    def __init__(self, end: int, bad: tuple[int, ...] = ()) -> None:
        super().__init__(end)
        self.end = end
        self.free = set(range(1, end)) - set(bad)
        numbers = range((end + CLUSTER_618 - 1) // CLUSTER_618)
        self.unused = [c for c in numbers if len(self.room(c)) == CLUSTER_618]
        self.partly = [c for c in numbers if 0 < len(self.room(c)) < CLUSTER_618]
        self.position: int | None = None

    def room(self, cluster: int) -> list[int]:
        first = cluster * CLUSTER_618
        return [s for s in range(first, first + CLUSTER_618) if s in self.free]

    def take(self) -> int:
        found: list[int] = []
        if self.position is not None:
            found = [s for s in self.room(self.position // CLUSTER_618) if s >= self.position]
        if not found and (self.partly or self.unused):
            found = self.room((self.partly or self.unused)[0])
        if not found:
            return 0
        slot = found[0]
        cluster = slot // CLUSTER_618
        self.free.discard(slot)
        self.forget(cluster)
        if self.room(cluster):
            self.partly.append(cluster)
        ends = (slot + 1) % CLUSTER_618 == 0 or slot + 1 == self.end
        self.position = None if ends else slot + 1
        return slot

    def give(self, slot: int) -> None:
        cluster = slot // CLUSTER_618
        was_full = not self.room(cluster)
        self.free.add(slot)
        if len(self.room(cluster)) == CLUSTER_618:
            self.forget(cluster)
            self.unused.append(cluster)
        elif was_full:
            self.partly.append(cluster)

    def is_free(self, slot: int) -> bool:
        return slot in self.free

    def take_run(self, order: int) -> int:
        if order == 0:
            return self.take()
        run = self.find_run(order)
        if run is None:
            return 0
        cluster = run.start // CLUSTER_618
        self.free -= set(run)
        self.forget(cluster)
        if self.room(cluster):
            self.partly.append(cluster)
        return run.start

    def give_run(self, slot: int, order: int) -> None:
        cluster, size = slot // CLUSTER_618, 1 << order
        was_full = not self.room(cluster)
        self.free |= set(range(slot, slot + size))
        if len(self.room(cluster)) == CLUSTER_618:
            self.forget(cluster)
            self.unused.append(cluster)
        elif was_full:
            self.partly.append(cluster)

    def forget(self, cluster: int) -> None:
        for clusters in (self.unused, self.partly):
            if cluster in clusters:
                clusters.remove(cluster)
