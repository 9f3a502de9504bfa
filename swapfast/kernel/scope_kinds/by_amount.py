"""Amounts for each cgroup and tier, which no kernel has: memory.swap.tiers.max takes bytes.

As tiers, and more: bytes that a cgroup and all below it may have in a tier, or "auto": the share of
the tier that its memory.max is of the machine's memory. A cgroup above the least amount upward goes
to its next tier.

Source: what was asked of the patch's file in review, a limit with 0 and "max" now and amounts, or
"auto", later (linux-mm, June 2026).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from swapfast.core import memcg_table
from swapfast.kernel.control_file import File, pages_of, refuse
from swapfast.kernel.groups import GroupRow
from swapfast.kernel.scope_kinds.by_tier import ByTier, pairs, text_of
from swapfast.kernel.state import Kernel

__all__ = ["ByAmount"]

AUTO = "auto"


def _write(kernel: Kernel, row: GroupRow, text: str) -> None:
    words = dict(kernel.groups.chosen.get(row.number, {}))
    for name, value in pairs(kernel, text):
        if value == AUTO:
            words[name] = AUTO
            continue
        if not value[:1].isdigit() and value != "max":
            refuse(value, '0, bytes such as 32M, "auto" or "max"')
        pages = pages_of(value)
        if pages is None:
            words.pop(name, None)
        else:
            words[name] = pages
    kernel.groups.chosen[row.number] = words


def _share(kernel: Kernel, row: GroupRow, size: int) -> int:
    """Pages of a tier of so many: as much as memory.max is of the memory."""
    for one in row.upward():
        if one.parent is not None:
            most = memcg_table.info(kernel.core, one.number)["max"]
            if most is not None:
                return size * min(most, kernel.options.pages) // kernel.options.pages
    return size


class ByAmount(ByTier):
    """memory.swap.tiers.max, bytes and "auto" as well."""

    files: ClassVar = {**ByTier.files, "memory.swap.tiers.max": File(text_of, _write)}

    def amounts(self, kernel: Kernel, rows: Sequence[GroupRow]) -> dict[int, dict[int, int]]:
        """An amount that is the whole tier is none."""
        sizes = {tier.name: 0 for tier in kernel.tiers.rows}
        for area in kernel.areas.values():
            tier = kernel.tiers.of(area.priority)
            if tier is not None and area.namespace.initial:
                sizes[tier.name] += int(area.info["pages"])
        found: dict[int, dict[int, int]] = {}
        for row in rows:
            words = kernel.groups.chosen.get(row.number, {})
            for tier in kernel.tiers.rows if words else ():
                value = words.get(tier.name)
                size = sizes[tier.name]
                if value == AUTO:
                    value = _share(kernel, row, size)
                if isinstance(value, int) and 0 < value < size:
                    found.setdefault(row.number, {})[tier.index] = value
        return found
