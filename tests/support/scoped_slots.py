"""A machine on which a page of one cgroup or another takes a slot, on demand."""

from __future__ import annotations

import swapfast as sf
from swapfast.core import mapping_table
from swapfast.kernel.areas import add
from swapfast.kernel.device import SimulatedDevice
from swapfast.kernel.state import SwapArea

PAGE = 4096
PAGES = 3000


class ScopedSlots:
    """``take(leaf)`` makes a page of that cgroup leave memory; ``give`` unmaps it."""

    def __init__(self, leaves: tuple[str, ...], **options: str | bool) -> None:
        self.machine = sf.Machine(
            "64MiB",
            contents=False,
            overcommit=1,
            page_cluster=0,
            policy="fifo",
            **options,  # type: ignore[arg-type]
        )
        self.cgroups = {leaf: self.machine.cgroup(leaf) for leaf in leaves}
        self.heaps = {}
        for leaf, cgroup in self.cgroups.items():
            task = self.machine.init.fork()
            cgroup.add(task)
            self.heaps[leaf] = task.mmap(PAGES * PAGE)
        self.fresh = {leaf: list(range(PAGES - 1, -1, -1)) for leaf in leaves}
        self.inside: dict[str, int | None] = dict.fromkeys(leaves)

    def add(
        self,
        end: int,
        priority: int | None = None,
        bad: tuple[int, ...] = (),
        *,
        rotational: bool = False,
        private: bool = False,
    ) -> SwapArea:
        """An area of slots 1 to end - 1."""
        machine = self.machine
        flags = 0 if priority is None else sf.SWAP_FLAG_PREFER | priority
        if private:
            flags |= sf.SWAP_FLAG_PRIVATE
        device = SimulatedDevice(f"/dev/simulated{len(machine.areas)}", end - 1, bad)
        area = add(machine.kernel, machine.init.swap_ns, device, flags)
        if rotational:
            machine.device(f"disk{area.type}", "hdd").carry(area)
        return area

    def take(self, leaf: str) -> tuple[int, int, int] | None:
        """(page, type of the area, slot); None: it had to stay in memory."""
        page = self.inside[leaf]
        if page is None:
            page = self.inside[leaf] = self.fresh[leaf].pop()
            self.heaps[leaf].touch([page], write=True)
        if self.cgroups[leaf].reclaim(PAGE) == 0:
            return None
        self.inside[leaf] = None
        return (page, *self.where(leaf, page))

    def where(self, leaf: str, page: int) -> tuple[int, int]:
        """Area and slot of a page that is out."""
        core = self.machine.core
        entry = int(mapping_table.state(core, self.heaps[leaf].number, page, 1)[1][0])
        for area in self.machine.areas.values():
            if area.base <= entry < area.base + area.backing.end:
                return area.type, entry - area.base
        raise AssertionError(f"entry {entry} is in no area")

    def give(self, leaf: str, page: int) -> None:
        """The page is unmapped."""
        mapping_table.drop_pages(self.machine.core, self.heaps[leaf].number, page, 1)
        self.fresh[leaf].insert(0, page)
