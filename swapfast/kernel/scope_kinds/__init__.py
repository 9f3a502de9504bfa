"""Which areas the pages of a cgroup go to: what patches made of Linux, one file a kind.

- ``KINDS``: by the names of the option ``swap_scope``.
- ``kind_of(kernel)``: that of a kernel.
- ``hand_down(kernel)``: tables and amounts follow from what was written, and go to the core.
- ``area_comes``, ``area_goes``: an area is on, or about to be forgotten.

Swap namespaces are not here: they belong to tasks, exist in every kernel, and go before a cgroup.
"""

from __future__ import annotations

from swapfast.core import area_table, tier_table
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


def hand_down(kernel: Kernel) -> None:
    """Tables and amounts of all groups, after something that they follow from has changed."""
    kind, groups = kind_of(kernel), kernel.groups
    if not groups.chosen and not groups.scopes.of:
        return
    amounts = kind.amounts(kernel)
    for number in groups.limited | set(amounts):
        tier_table.limit(kernel.core, number, amounts.get(number, {}))
    groups.limited = set(amounts)
    shared = shared_table(kernel)
    tables = kind.tables(kernel, shared)
    groups.scopes.hand_down({n: table for n, table in tables.items() if table != shared})


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
