"""Memory groups: tasks under one limit.

- ``MemoryGroup``: made by ``Machine.memory_group(max=...)``; ``add(task)`` puts a task in.

A page is charged to the group that its mapping was made in. At the limit the group reclaims from
itself; when nothing can be freed its own tasks face the OOM killer. Sources: mm/memcontrol.c,
try_charge_memcg and mem_cgroup_out_of_memory (6.18), mem_cgroup_charge_common (2.6.25).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from swapfast.core import memcg_table
from swapfast.units import PAGE_SIZE

if TYPE_CHECKING:
    from swapfast.machine import Machine
    from swapfast.tasks import Task

__all__ = ["MemoryGroup"]


class MemoryGroup:
    """A set of tasks with a limit on the pages they hold in memory.

    Attributes
    ----------
    number : int
        Its number in the core.
    policy : str
        Its replacement policy.
    """

    def __init__(self, machine: Machine, limit: int, policy: str) -> None:
        self._machine = machine
        self.policy = policy
        self.number = memcg_table.add(machine.core, policy, limit)

    def add(self, task: Task) -> None:
        """Charge what the task's address space maps from now on to this group.

        What it has mapped already stays where it is, as in Linux without move_charge.
        """
        self._machine.check_usable()
        task.mm.group = self.number

    @property
    def max(self) -> int:
        """The limit in bytes, 0 for none."""
        return int(memcg_table.info(self._machine.core, self.number)["limit"]) * PAGE_SIZE

    @property
    def current(self) -> int:
        """Bytes in memory that are charged here."""
        return int(memcg_table.info(self._machine.core, self.number)["usage"]) * PAGE_SIZE

    def close(self) -> None:
        """Forget the group; nothing may be charged to it any more.

        Raises
        ------
        ValueError
            Mappings are still charged to it, or tasks are in it.
        """
        self._machine.check_usable()
        for task in self._machine.tasks.values():
            if task.alive and task.group == self.number:
                raise ValueError(f"process {task.pid} is in memory group {self.number}")
        with self._machine.changes.of("removing a memory group"):
            memcg_table.remove(self._machine.core, self.number)
