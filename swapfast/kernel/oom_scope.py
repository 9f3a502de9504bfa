"""Among whom the OOM killer of a full machine chooses: option ``oom_scope``.

- ``suspects(kernel, current, killable)`` -> the rule that chose them, and each one's slots there.
- ``areas_allowed(task)``: where pages of a task may go.

The kernel knows one rule: everybody. With swap areas of their own, programs get into trouble apart
from each other, and two more can be asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from swapfast.core import area_table
from swapfast.kernel.choices import OOM_SCOPES
from swapfast.kernel.state import Kernel, SwapArea, Task

__all__ = ["areas_allowed", "suspects"]

EVERYBODY, NAMESPACE, OWNER = OOM_SCOPES


def areas_allowed(task: Task) -> Sequence[SwapArea]:
    """Areas that pages of a task may go to, highest priority first."""
    return task.swap_ns.areas


def suspects(
    kernel: Kernel, current: Task, killable: Iterable[Task]
) -> tuple[str, dict[Task, int]]:
    """Who may be chosen, where the machine has no page.

    Parameters
    ----------
    kernel : Kernel
    current : Task
        Who asked for the page.
    killable : iterable of Task
        Whom the kernel would choose from.

    Returns
    -------
    rule : {"kernel", "namespace", "owner-of-full-area"}
        What the option says; "kernel" where that leaves nobody.
    those : dict of Task to int
        Tasks, and how many slots each has in the full areas; 0 under the other rules.
    """
    everybody = dict.fromkeys(killable, 0)
    rule = kernel.options.oom_scope
    those: dict[Task, int] = {}
    if rule == NAMESPACE:
        those = {task: 0 for task in everybody if task.swap_ns is current.swap_ns}
    elif rule == OWNER:
        those = _owners(kernel, current, everybody)
    return (rule, those) if those else (EVERYBODY, everybody)


def _owners(kernel: Kernel, current: Task, tasks: Iterable[Task]) -> dict[Task, int]:
    """Those who have slots in the full areas that this one may use."""
    full = [area for area in areas_allowed(current) if _is_full(area)]
    tables = [area_table.owners(kernel.core, area.number) for area in full]
    found: dict[Task, int] = {}
    for task in tasks:
        numbers = {m.number for m in task.mm.mappings.values()}
        numbers |= {m.object.number for m in task.mm.mappings.values() if m.object is not None}
        slots = sum(int(table[number]) for table in tables for number in numbers)
        if slots:
            found[task] = slots
    return found


def _is_full(area: SwapArea) -> bool:
    info = area.info
    return info["inuse"] >= info["pages"]
