"""Which areas the pages of a cgroup go to: what patches made of Linux, one file a kind.

- ``KINDS``: by the names of the option ``swap_scope``.
- ``kind_of(kernel)``: that of a kernel.
- ``hand_down(kernel, row)``: tables and amounts follow from what was written, and go to the core.
- ``area_comes``, ``area_goes``: an area is on, or about to be forgotten.

Swap namespaces are not here: they belong to tasks, exist in every kernel, and go before a cgroup.
"""

from __future__ import annotations

from swapfast.core import area_table, tier_table
from swapfast.kernel.groups import GroupRow
from swapfast.kernel.scope_kinds.by_amount import ByAmount
from swapfast.kernel.scope_kinds.by_tier import ByTier
from swapfast.kernel.scope_kinds.kind import Kind, shared_table
from swapfast.kernel.scope_kinds.priority import Priority
from swapfast.kernel.scope_kinds.private import Private
from swapfast.kernel.state import Kernel, SwapArea

__all__ = ["KINDS", "area_comes", "area_goes", "hand_down", "kind_of"]

KINDS: dict[str, Kind] = {
    "shared": Kind(),
    "private": Private(),
    "priority": Priority(),
    "tiers": ByTier(),
    "tiers-amount": ByAmount(),
}


def kind_of(kernel: Kernel) -> Kind:
    """What the option ``swap_scope`` says."""
    return KINDS[kernel.options.swap_scope]


def hand_down(kernel: Kernel, row: GroupRow | None = None) -> None:
    """Tables and amounts, after something that they follow from has changed.

    Parameters
    ----------
    kernel : Kernel
    row : GroupRow, optional
        The change concerns this group and all below it; by default all groups.
    """
    kind, groups = kind_of(kernel), kernel.groups
    if not groups.chosen and not groups.scopes.of:
        return
    rows = list(row.below()) if row is not None else _concerned(kernel)
    amounts = kind.amounts(kernel, rows)
    for one in rows:
        if one.number in amounts or one.number in groups.limited:
            tier_table.limit(kernel.core, one.number, amounts.get(one.number, {}))
    groups.limited.difference_update(one.number for one in rows)
    groups.limited |= set(amounts)
    shared = shared_table(kernel)
    groups.scopes.hand_down(
        {one.number: kind.table(kernel, one, shared) for one in rows}, but=shared
    )


def _concerned(kernel: Kernel) -> list[GroupRow]:
    """Groups that say something, all below them, and those with a table of their own, once each."""
    groups = kernel.groups
    speakers = (row for number in groups.chosen for row in groups[number].below())
    numbers = {row.number for row in speakers} | set(groups.scopes.of)
    return [groups[number] for number in sorted(numbers)]


def area_comes(kernel: Kernel, area: SwapArea) -> None:
    """Pages may go to an area from now on, or again."""
    tier = kernel.tiers.of(area.priority)
    if tier is not None and area.namespace.initial:
        tier_table.place(kernel.core, {area.number: tier.index})
    hand_down(kernel)


def area_goes(kernel: Kernel, area: SwapArea) -> None:
    """An area without slots is about to be forgotten."""
    kind_of(kernel).area_goes(kernel, area)
    tier = kernel.tiers.of(area.priority)
    if tier is not None and area.namespace.initial:
        info = area_table.info(kernel.core, area.number)
        gone = kernel.tiers.gone.setdefault(tier.index, {"swapins": 0, "swapouts": 0})
        gone["swapins"] += info["pswpin"]
        gone["swapouts"] += info["pswpout"]
    hand_down(kernel)
