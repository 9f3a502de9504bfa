"""Memory groups: who is in one, and its end.

- ``new_group``, ``enter``, ``close``.

A page is charged to the group that its mapping was made in. At the limit the group reclaims from
itself; when nothing can be freed its own tasks face the OOM killer. Sources: mm/memcontrol.c,
try_charge_memcg and mem_cgroup_out_of_memory (6.18), mem_cgroup_charge_common (2.6.25).
"""

from __future__ import annotations

from swapfast.core import memcg_table
from swapfast.kernel.state import Kernel, MemoryGroup, Task
from swapfast.units import PAGE_SIZE, parse_size

__all__ = ["close", "enter", "new_group"]


def new_group(kernel: Kernel, max: int | str = 0, policy: str | None = None) -> MemoryGroup:
    """A group with a limit; see `Machine.memory_group`."""
    with kernel.changes.of("making a memory group"):
        return MemoryGroup(kernel, parse_size(max) // PAGE_SIZE, policy or kernel.options.policy)


def enter(group: MemoryGroup, task: Task) -> None:
    """Charge what a task maps from now on to a group; see `MemoryGroup.add`."""
    task.mm.group = group.number


def close(group: MemoryGroup) -> None:
    """Forget a group; see `MemoryGroup.close`."""
    kernel = group.kernel
    for task in kernel.tasks.values():
        if task.alive and task.group == group.number:
            raise ValueError(f"process {task.pid} is in memory group {group.number}")
    with kernel.changes.of("removing a memory group"):
        memcg_table.remove(kernel.core, group.number)
