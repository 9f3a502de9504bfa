"""/proc/sys/vm/overcommit_memory: may a task map so many pages?

- ``check_overcommit(task, pages)``: ENOMEM if not.
- ``enough_memory(task, pages)``: the same as a question; swapoff asks it for a whole area.

Source: mm/mmap.c and mm/util.c, __vm_enough_memory, of 2.6.25 and 6.18.
"""

from __future__ import annotations

import errno

from swapfast import flags as f
from swapfast.errors import system_error
from swapfast.kernel.state import Task
from swapfast.units import PAGE_SIZE

__all__ = ["check_overcommit", "enough_memory"]


def check_overcommit(task: Task, pages: int) -> None:
    """Refuse a mapping that the overcommit policy does not allow.

    Raises
    ------
    OSError
        ENOMEM (mm/mmap.c, __vm_enough_memory).
    """
    if not enough_memory(task, pages):
        raise system_error(
            errno.ENOMEM,
            f"{pages * PAGE_SIZE} bytes are more than "
            f"overcommit_memory={task.kernel.overcommit} allows; free memory, add swap, "
            "or use overcommit=1",
        )


def enough_memory(task: Task, pages: int) -> bool:
    """security_vm_enough_memory: could memory and swap hold so many more pages?"""
    kernel = task.kernel
    overcommit = kernel.overcommit
    if overcommit == 1:
        return True
    if overcommit == 0 and kernel.profile.modern and pages <= kernel.options.pages:
        return True  # swap need not be looked at
    memory = kernel.core.memory()
    if overcommit == 2:
        committed = sum(t.total_vm for t in {t.mm for t in kernel.tasks.values() if t.alive})
        return committed + pages <= memory["total"] // 2 + memory["total_swap"]
    if kernel.profile.modern:
        return pages <= memory["total"] + memory["total_swap"]
    # What is reclaimable without swapping, swap, and free memory beyond the reserves; three per
    # cent of it stay for root.
    free = memory["file_cache"] + memory["free_swap"]
    spare = memory["free"] - kernel.options.watermarks[2]
    privileged = task.capable(f.CAP_SYS_ADMIN)
    if not privileged:
        free -= free // 32
        spare -= spare // 32
    return free > pages or (spare > 0 and free + spare > pages)
