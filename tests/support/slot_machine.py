"""A machine that takes swap slots one at a time, on demand."""

from __future__ import annotations

import swapfast as sf
from swapfast.core import mapping_table
from swapfast.kernel.areas import add
from swapfast.kernel.device import SimulatedDevice
from swapfast.kernel.state import SwapArea

PAGE = 4096


class SlotMachine:
    """``take`` makes one page leave memory; ``give`` unmaps it.

    A memory group of one page under FIFO: each new page pushes out the one before it, and nothing
    else happens.
    """

    def __init__(self, profile: str, pages: int = 20_000) -> None:
        self.machine = sf.Machine("64MiB", profile, contents=False, overcommit=1, page_cluster=0)
        task = self.machine.init.fork()
        self.machine.memory_group(PAGE, policy="fifo").add(task)
        self.heap = task.mmap(pages * PAGE)
        self.fresh = list(range(pages - 1, -1, -1))
        self.last = self.fresh.pop()
        self.heap.touch([self.last], write=True)

    def add(self, end: int, priority: int | None = None, bad: tuple[int, ...] = ()) -> SwapArea:
        """An area of slots 1 to end - 1."""
        device = SimulatedDevice(f"/dev/simulated{len(self.machine.areas)}", end - 1, bad)
        flags = 0 if priority is None else sf.SWAP_FLAG_PREFER | priority
        return add(self.machine.kernel, self.machine.init.swap_ns, device, flags)

    def take(self) -> tuple[int, int, int]:
        """(page, type of the area, slot)."""
        page, self.last = self.last, self.fresh.pop()
        self.heap.touch([self.last], write=True)
        entry = int(mapping_table.state(self.machine.core, self.heap.number, page, 1)[1][0])
        for area in self.machine.areas.values():
            if area.base <= entry < area.base + area.backing.end:
                return page, area.type, entry - area.base
        raise AssertionError(f"entry {entry} is in no area")

    def give(self, page: int) -> None:
        mapping_table.drop_pages(self.machine.core, self.heap.number, page, 1)
        self.fresh.insert(0, page)
