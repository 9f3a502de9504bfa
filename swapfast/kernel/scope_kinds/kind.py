"""What a kernel may say about which areas the pages of a cgroup go to.

- ``Kind``: a kernel without any patch says nothing; others say what differs.
- ``shared_table(kernel)``: where the pages of the host go.
- ``effective(kernel, row)``: what somebody wrote of a group, or of the nearest one above it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from swapfast.core import scope_table
from swapfast.kernel.group_scopes import Table
from swapfast.kernel.state import Kernel, SwapArea

if TYPE_CHECKING:
    from swapfast.kernel.control_file import File
    from swapfast.kernel.groups import GroupRow

__all__ = ["Kind", "effective", "shared_table"]


def shared_table(kernel: Kernel) -> Table:
    """Where pages of the host go whose cgroup has no table of its own."""
    areas, ranks, _ = scope_table.table(kernel.core, kernel.init.swap_ns.scope)
    return Table.of(areas, ranks)


def effective(kernel: Kernel, row: GroupRow) -> dict[str, int | str]:
    """What was written to the file of a group, or of the nearest one above that says something."""
    for one in row.upward():
        if one.number in kernel.groups.chosen:
            return kernel.groups.chosen[one.number]
    return {}


class Kind:
    """Linux as it is: one list of areas for all.

    Attributes
    ----------
    files : dict of str to File
        Files that every cgroup has beside the others.
    swapon_flags : int
        Flags of swapon(2) beside those of Linux.
    tiers : bool
        Whether there is /sys/kernel/mm/swap/tiers.
    """

    files: ClassVar[Mapping[str, File]] = {}
    swapon_flags = 0
    tiers = False

    def table(self, kernel: Kernel, row: GroupRow, shared: Table) -> Table:
        """Where the pages of a group go.

        Parameters
        ----------
        kernel : Kernel
        row : GroupRow
        shared : Table
            Where those of a group go of which nothing is said.
        """
        return shared

    def amounts(self, kernel: Kernel, rows: Sequence[GroupRow]) -> dict[int, dict[int, int]]:
        """What groups may have in tiers: slots, by number of the group and of the tier."""
        return {}

    def area_goes(self, kernel: Kernel, area: SwapArea) -> None:
        """An area is off: nobody names it any more."""
