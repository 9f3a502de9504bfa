"""Memory groups in an image: the part of the tree that a job is in.

- ``GROUP``: what the facts say of one group.
- ``group_facts(kernel, numbers)``: the groups and all above them, the root first.
- ``make_groups(kernel, facts)``: the same tree in a new machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from swapfast._core import policy_names
from swapfast.checkpoint.schema import choice, flag, integer, later, listing, optional, record, text
from swapfast.core import images, memcg_table
from swapfast.kernel.groups import NAME_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable

    from swapfast.kernel.groups import GroupRow
    from swapfast.kernel.state import Kernel

__all__ = ["GROUP", "group_facts", "make_groups"]

_COUNT = integer(0, (1 << 64) - 1)
_SIGNED = integer(-(1 << 62), 1 << 62)
_PAGES = integer(0, 1 << 52)
_EVENTS = len(memcg_table.EVENT_NAMES)
_LIMITS = ("high", "low", "min", "swap_max", "swap_high")
_STAT = (
    *("pswpin", "pswpout", "pgscan_kswapd", "pgscan_direct", "pgscan_proactive"),
    *("pgsteal_kswapd", "pgsteal_direct", "pgsteal_proactive"),
    *("pgrefill", "pgactivate", "pgdeactivate", "workingset_refault_anon"),
    *("workingset_activate_anon", "workingset_restore_anon"),
)

_SUMS = ("refaulted", "evicted", "protected", "avg_refaulted", "avg_total")
_GENERATIONS = record(
    max_seq=_COUNT,
    min_seq=_COUNT,
    file_seq=_COUNT,
    aged=_COUNT,
    born=listing(_COUNT, 4, 4),
    **dict.fromkeys(_SUMS, listing(_COUNT, 2, 2)),
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
    generations=later(_GENERATIONS),  # of those that have some
    seen=later(record(due=_COUNT, inactive=_COUNT, active=_COUNT, ws_act=_COUNT)),
    peak=later(_COUNT, "a tree"),
    swap_peak=later(_COUNT, "a tree"),
    events=later(listing(_COUNT, _EVENTS, _EVENTS), "a tree"),
    stat=later(record(**dict.fromkeys(_STAT, _COUNT)), "a tree"),
    parent=later(integer(0, 1 << 16)),
    limits=later(record(**dict.fromkeys(_LIMITS, optional(_PAGES)), max=later(optional(_PAGES)))),
    name=later(
        text(NAME_MAX)
    ),  # and what follows: of images that were made before there were names
    pgfault=later(_COUNT),
    pgmajfault=later(_COUNT),
    oom_group=later(flag),
)


def group_facts(
    kernel: Kernel, numbers: Iterable[int]
) -> tuple[list[dict[str, Any]], dict[int, int]]:
    """Facts of groups and of all above them, and the place of each number among them."""
    rows = {row.number: row for number in numbers for row in kernel.groups[number].upward()}
    root = kernel.groups.root
    order = sorted(
        {root.number: root, **rows}.values(), key=lambda r: (len(list(r.upward())), r.number)
    )
    place = {row.number: i for i, row in enumerate(order)}
    facts = []
    for row in order:
        one = images.memcg_state(kernel.core, row.number)
        one |= {"pgfault": row.pgfault, "pgmajfault": row.pgmajfault}
        if row.parent is not None:
            info = memcg_table.info(kernel.core, row.number)
            one |= {"name": row.name, "oom_group": row.oom_group}
            one["parent"] = place[row.parent.number]
            one["limits"] = {
                name: info[name]  # type: ignore[literal-required]
                for name in (*_LIMITS, "max")
            }
        facts.append(one)
    return facts, place


def make_groups(kernel: Kernel, facts: list[dict[str, Any]]) -> list[int]:
    """The numbers of new groups, in the order of the facts.

    Raises
    ------
    ValueError
        A group is below one that comes later, or has a name that it cannot have.
    """
    rows = [kernel.groups.root]
    for i, one in enumerate(facts[1:], 1):
        above = one.get("parent", 0)
        if above >= i:
            raise ValueError(f"facts.groups[{i}].parent: {above} is not before it")
        try:
            row = kernel.groups.add(
                one["policy"], one["limit"], rows[above].number, one.get("name")
            )
        except ValueError as error:
            raise ValueError(f"facts.groups[{i}]: {error}") from None
        _set_limits(kernel, row, one.get("limits", {}))
        rows.append(row)
    for row, one in zip(rows, facts, strict=True):
        row.pgfault, row.pgmajfault = one.get("pgfault", 0), one.get("pgmajfault", 0)
        row.oom_group = one.get("oom_group", False)
    return [row.number for row in rows]


def _set_limits(kernel: Kernel, row: GroupRow, limits: dict[str, int | None]) -> None:
    """What is not as it is anyway: a rule that nobody uses costs nothing."""
    usual = {"low": 0, "min": 0}
    unusual = {name: n for name, n in limits.items() if n != usual.get(name)}
    if unusual:
        memcg_table.configure(kernel.core, row.number, **unusual)
