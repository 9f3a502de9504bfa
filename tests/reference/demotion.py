"""Demotion and promotion between two swap areas, in plain Python (mm/demote.pxd).

One program under a limit, whose pages leave memory in the order in which they came, and which only
writes, so that a page in memory has no slot.
"""

from __future__ import annotations

from collections import deque

FAST, SLOW = "fast", "slow"


class TwoAreas:
    """Which pages are in memory, and in which area each has a slot, oldest first.

    Parameters
    ----------
    limit, fast, slow : int
        Pages of memory, and slots of each area.
    on_full, on_refault : int
        The batch of each plug; 0: there is none.
    """

    def __init__(self, limit: int, fast: int, slow: int, *, on_full: int, on_refault: int) -> None:
        self.limit, self.room = limit, {FAST: fast, SLOW: slow}
        self.on_full, self.on_refault = on_full, on_refault
        self.memory: deque[int] = deque()
        self.slots: dict[str, list[int]] = {FAST: [], SLOW: []}
        self.demoted = self.promoted = self.read = 0
        self.full = False
        self.marked: set[int] = set()

    def area_of(self, page: int) -> str | None:
        """Where it has a slot."""
        return next((name for name, pages in self.slots.items() if page in pages), None)

    def has_room(self, name: str) -> bool:
        return len(self.slots[name]) < self.room[name]

    def oldest(self, batch: int, left: list[int]) -> int | None:
        """Of the quick area; a page in memory counts as the newest."""
        pages = self.slots[FAST]
        while left[0] > 0:
            left[0] -= 1
            if not pages:
                return None
            if pages[0] not in self.memory:
                return pages[0]
            pages.append(pages.pop(0))
        return None

    def make_room(self) -> None:
        left, moved = [4 * self.on_full], 0
        while moved < self.on_full:
            page = self.oldest(self.on_full, left)
            if page is None or not self.has_room(SLOW):
                return
            self.slots[FAST].remove(page)
            self.slots[SLOW].append(page)
            self.demoted += 1
            self.read += 1
            moved += 1

    def allocate(self, page: int) -> bool:
        """A slot, from the quick area if there is one; when that is full it makes room."""
        for name in (FAST, SLOW):
            if self.has_room(name):
                self.slots[name].append(page)
                if page in self.marked:
                    self.promote(page, name)
                if not self.has_room(FAST) and self.on_full:
                    self.make_room()
                return True
        return False

    def evict(self) -> None:
        page = self.memory[0]
        if self.area_of(page) is None and not self.allocate(page):
            self.full = True  # nobody can be evicted any more
        self.memory.popleft()

    def promote(self, page: int, name: str) -> None:
        """It was read from the slow area, and has a slot again: there it changes places."""
        self.marked.remove(page)
        if name == FAST:
            self.promoted += 1
            return
        other = self.oldest(self.on_refault, [4 * self.on_refault])
        if other is not None:
            self.slots[FAST].remove(other)
            self.slots[FAST].append(page)
            self.slots[SLOW][-1] = other
            self.promoted += 1
            self.demoted += 1
            self.read += 1

    def write(self, page: int) -> None:
        """A reference."""
        if page in self.memory:
            return
        if len(self.memory) == self.limit:
            self.evict()
        if self.full:
            return
        self.memory.append(page)
        held = self.area_of(page)
        if held is None:
            return
        if held == SLOW and self.on_refault:
            self.marked.add(page)
        self.slots[held].remove(page)  # a write drops the slot

    def unmap(self, page: int) -> None:
        """It is gone."""
        if page in self.memory:
            self.memory.remove(page)
        held = self.area_of(page)
        if held is not None:
            self.slots[held].remove(page)
