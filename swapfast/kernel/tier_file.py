"""/sys/kernel/mm/swap/tiers, and what the tiers have counted.

- ``SwapTiers``: what ``machine.swap_tiers`` is.

Source: Youngjun Park, "mm: swap: introduce swap tiers", v10, 13 July 2026.
"""

from __future__ import annotations

import errno

from swapfast.core import area_table, tier_table
from swapfast.errors import system_error
from swapfast.kernel import scope_kinds
from swapfast.kernel.state import Kernel, SwapArea
from swapfast.kernel.tiers import Tier, tier_of
from swapfast.units import PAGE_SIZE

__all__ = ["SwapTiers"]


class SwapTiers:
    """``/sys/kernel/mm/swap/tiers`` of a machine.

    Its methods raise OSError (ENOENT) unless the option ``swap_scope`` is "tiers" or
    "tiers-amount".

    Parameters
    ----------
    kernel : Kernel

    Examples
    --------
    >>> machine = Machine("64MiB", contents=False, swap_scope="tiers")
    >>> machine.swap_tiers.write("+fast:10 +slow:-1")
    >>> print(machine.swap_tiers.read(), end="")
    Name            Idx   PrioStart   PrioEnd
    fast            0     10          32767
    slow            1     -1          9
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def read(self) -> str:
        """The file: a line a tier, the highest first."""
        self._check()
        return self.kernel.tiers.render()

    def write(self, text: str) -> None:
        """Make and remove tiers: "+NAME:PRIORITY" and "-NAME", with blanks or commas between.

        All of it is done, or nothing. A tier is made with "max" in every cgroup.

        Raises
        ------
        OSError
            EINVAL: not such words, a name with other signs than letters, digits and "_", a priority
            outside -1 to 32767, no tier of that name, more than 31, or the lowest does not begin at
            -1; EBUSY: a tier of that name is there, or one begins at that priority, or an area that
            is on would leave its tier.
        """
        kernel = self._check()
        rows = kernel.tiers.changed(text)
        new = {tier.name: tier for tier in rows}
        kept = {tier.name for tier in kernel.tiers.rows if new.get(tier.name) == tier}
        places = self._places(rows)
        with kernel.changes.of("writing to the tiers of swap"):
            for tier in rows:
                if tier.name not in kept:
                    tier_table.begin(kernel.core, tier.index)
                    kernel.tiers.gone.pop(tier.index, None)
            for words in kernel.groups.chosen.values():
                for name in set(words) - kept:
                    del words[name]
            kernel.tiers.rows = rows
            tier_table.place(kernel.core, places)
            scope_kinds.hand_down(kernel)

    def _places(self, rows: tuple[Tier, ...]) -> dict[int, int | None]:
        """In which tier each area would be.

        An area holds its tier. One that was in none, since there were none, gets one.
        """
        places: dict[int, int | None] = {}
        for area in self._areas():
            old, new = self.kernel.tiers.of(area.priority), tier_of(rows, area.priority)
            if old is not None and (new is None or new.index != old.index):
                raise system_error(
                    errno.EBUSY, f"{area.path} is on in tier {old.name}; swapoff it first"
                )
            places[area.number] = None if new is None else new.index
        return places

    def counters(self) -> dict[str, dict[str, int]]:
        """What is in each tier, and what became of pages that would have gone there.

        Returns
        -------
        dict of str to dict
            By name, the highest first. size, used: bytes of its areas; swapins, swapouts: pages
            that were read and written there; refused_mask, refused_amount, full: pages that went
            elsewhere, or nowhere, since their cgroup may not use it, has its amount there, or there
            was no slot. A tier that is made again counts anew.
        """
        kernel = self._check()
        found = {}
        for tier in kernel.tiers.rows:
            gone = kernel.tiers.gone.get(tier.index, {})
            row = {"size": 0, "used": 0, "swapins": 0, "swapouts": 0} | gone
            for area in self._areas():
                if kernel.tiers.of(area.priority) == tier:
                    info = area_table.info(kernel.core, area.number)
                    row["size"] += info["pages"] * PAGE_SIZE
                    row["used"] += info["inuse"] * PAGE_SIZE
                    row["swapins"] += info["pswpin"]
                    row["swapouts"] += info["pswpout"]
            found[tier.name] = row | tier_table.counts(kernel.core, tier.index)
        return found

    def _areas(self) -> list[SwapArea]:
        return [area for area in self.kernel.areas.values() if area.namespace.initial]

    def _check(self) -> Kernel:
        self.kernel.check_usable()
        if not scope_kinds.kind_of(self.kernel).tiers:
            raise system_error(
                errno.ENOENT, 'this kernel has no swap tiers; boot it with swap_scope="tiers"'
            )
        return self.kernel
