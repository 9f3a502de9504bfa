"""Tiers for each cgroup (v10 of swap tiers, 2026): memory.swap.tiers.max.

"max" or 0 for each tier. A cgroup uses the areas of a tier unless it, or one above it, says 0: a
child may only narrow. The order among them is the global one.

Source: Youngjun Park, "mm: swap: introduce swap tiers", v10, 13 July 2026. The patch counts nothing
by tier; memory.swap.tiers.current is ours.
"""

from __future__ import annotations

from typing import ClassVar

from swapfast.core import tier_table
from swapfast.kernel.control_file import File, refuse
from swapfast.kernel.group_scopes import Table
from swapfast.kernel.groups import GroupRow
from swapfast.kernel.scope_kinds.kind import Kind
from swapfast.kernel.state import Kernel, SwapArea
from swapfast.units import PAGE_SIZE

__all__ = ["ByTier", "pairs", "refused_tiers", "text_of"]


def pairs(kernel: Kernel, text: str) -> list[tuple[str, str]]:
    """Names of tiers and what follows each, of a flat keyed file.

    Raises
    ------
    OSError
        EINVAL: not so, or no such tier.
    """
    words = text.split()
    names = {tier.name for tier in kernel.tiers.rows}
    if not words or len(words) % 2:
        refuse(text, "the name of a tier and what it may take")
    for name in words[::2]:
        if name not in names:
            refuse(name, f"a tier; there are {', '.join(sorted(names)) or 'none'}")
    return list(zip(words[::2], words[1::2], strict=True))


def text_of(kernel: Kernel, row: GroupRow) -> str:
    """What the file of a group says: a line a tier, the highest first."""
    words = kernel.groups.chosen.get(row.number, {})
    lines = []
    for tier in kernel.tiers.rows:
        value = words.get(tier.name, "max")
        lines.append(f"{tier.name} {value * PAGE_SIZE if isinstance(value, int) else value}\n")
    return "".join(lines)


def refused_tiers(kernel: Kernel, row: GroupRow) -> set[str]:
    """Tiers that a group may not use: it or one above says 0."""
    chosen = kernel.groups.chosen
    return {
        name
        for one in row.upward()
        for name, value in chosen.get(one.number, {}).items()
        if value == 0
    }


def _write(kernel: Kernel, row: GroupRow, text: str) -> None:
    words = dict(kernel.groups.chosen.get(row.number, {}))
    for name, value in pairs(kernel, text):
        if value == "max":
            words.pop(name, None)
        elif value == "0":
            words[name] = 0
        else:
            refuse(value, '0 or "max"')
    kernel.groups.chosen[row.number] = words


def _current(kernel: Kernel, row: GroupRow) -> str:
    used = tier_table.used(kernel.core, row.number)
    return "".join(f"{t.name} {used[t.index] * PAGE_SIZE}\n" for t in kernel.tiers.rows)


class ByTier(Kind):
    """memory.swap.tiers.max, 0 or "max"."""

    files: ClassVar = {
        "memory.swap.tiers.current": File(_current, on_root=True),
        "memory.swap.tiers.max": File(text_of, _write),
    }
    tiers = True

    def table(self, kernel: Kernel, row: GroupRow, shared: Table) -> Table:
        """The areas of all tiers but those that are refused."""
        limited = kernel.groups.limited
        no = refused_tiers(kernel, row)
        # Who has an amount goes on to the next tier alone.
        owner = next((one.number for one in row.upward() if one.number in limited), None)
        if not no and owner is None:
            return shared
        names = {area.number: _tier_of(kernel, area) for area in kernel.areas.values()}
        refused = [names[area] in no for area in shared.areas]
        return Table.of(shared.areas, shared.ranks, refused, owner)


def _tier_of(kernel: Kernel, area: SwapArea) -> str:
    tier = kernel.tiers.of(area.priority)
    return "" if tier is None else tier.name
