"""Memory groups in an image: the part of the tree that a job is in.

- ``GROUP``: what the facts say of one group.
- ``group_facts(core, numbers)``: the groups and all above them, the root first.
- ``make_groups(kernel, facts)``: the same tree in a new machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from swapfast._core import policy_names
from swapfast.checkpoint.schema import choice, integer, later, listing, optional, record
from swapfast.core import images, memcg_table
from swapfast.kernel.state import MemoryGroup

if TYPE_CHECKING:
    from collections.abc import Iterable

    from swapfast._core import Core
    from swapfast.kernel.state import Kernel

__all__ = ["GROUP", "group_facts", "make_groups"]

_COUNT = integer(0, (1 << 64) - 1)
_SIGNED = integer(-(1 << 62), 1 << 62)
_PAGES = integer(0, 1 << 40)
_LIMITS = ("high", "low", "min", "swap_max", "swap_high")
_STAT = (
    *("pswpin", "pswpout", "pgscan_kswapd", "pgscan_direct", "pgscan_proactive"),
    *("pgsteal_kswapd", "pgsteal_direct", "pgsteal_proactive"),
    *("pgrefill", "pgactivate", "pgdeactivate", "workingset_refault_anon"),
    *("workingset_activate_anon", "workingset_restore_anon"),
)

GROUP = record(
    limit=_PAGES,
    policy=choice(*policy_names()),
    age=_COUNT,
    cost=_COUNT,
    ws_act=_COUNT,
    ws_seen=_COUNT,
    scan_active=_COUNT,
    scan_inactive=_COUNT,
    prev_priority=integer(0, 12),
    share=later(_SIGNED),  # of images that were made before there was a tree
    seen=later(record(due=_COUNT, inactive=_COUNT, active=_COUNT, ws_act=_COUNT)),
    peak=later(_COUNT),
    swap_peak=later(_COUNT),
    events=later(listing(_COUNT, len(memcg_table.EVENT_NAMES), len(memcg_table.EVENT_NAMES))),
    stat=later(record(**dict.fromkeys(_STAT, _COUNT))),
    parent=later(integer(0, 1 << 16)),
    limits=later(record(**dict.fromkeys(_LIMITS, optional(_PAGES)))),
)


def group_facts(core: Core, numbers: Iterable[int]) -> tuple[list[dict[str, Any]], dict[int, int]]:
    """Facts of groups and of all above them, and the place of each number among them."""
    infos = {memcg_table.ROOT: memcg_table.info(core, memcg_table.ROOT)}
    for number in numbers:
        at: int | None = number
        while at is not None and at not in infos:
            infos[at] = memcg_table.info(core, at)
            at = infos[at]["parent"]
    order = sorted(infos, key=lambda number: (infos[number]["depth"], number))
    place = {number: i for i, number in enumerate(order)}
    facts = []
    for number in order:
        info = infos[number]
        one = images.memcg_state(core, number)
        if info["parent"] is not None:
            one["parent"] = place[info["parent"]]
            one["limits"] = {name: info[name] for name in _LIMITS}  # type: ignore[literal-required]
        facts.append(one)
    return facts, place


def make_groups(kernel: Kernel, facts: list[dict[str, Any]]) -> list[int]:
    """The numbers of new groups, in the order of the facts.

    Raises
    ------
    ValueError
        A group is below one that comes later.
    """
    numbers = [kernel.root_group.number]
    for i, one in enumerate(facts[1:], 1):
        above = one.get("parent", 0)
        if above >= i:
            raise ValueError(f"facts.groups[{i}].parent: {above} is not before it")
        group = MemoryGroup(kernel, one["limit"], one["policy"], numbers[above])
        memcg_table.configure(
            kernel.core,
            group.number,
            **{
                name: value
                for name, value in one.get("limits", {}).items()
                if value != (0 if name in ("low", "min") else None)
            },
        )
        numbers.append(group.number)
    return numbers
