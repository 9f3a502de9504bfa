"""The OOM killer: who has to go.

- ``out_of_memory(kernel, current, group)``: choose, log, kill; returns the victim.
- ``badness_2_6_25(task)``, ``badness_6_18(task, pages)``: the two kernels' scores.

Sources: mm/oom_kill.c of 2.6.25 (badness, oom_kill_process) and 6.18 (oom_badness,
oom_kill_process).
"""

from __future__ import annotations

import errno
from math import isqrt

from swapfast import _core
from swapfast import flags as f
from swapfast.core import area_table, memcg_table
from swapfast.errors import KernelPanic, system_error
from swapfast.kernel.exit import die
from swapfast.kernel.mmap import count, counts
from swapfast.kernel.state import Kernel, Task
from swapfast.units import PAGE_SIZE

__all__ = ["badness_2_6_25", "badness_6_18", "no_page", "out_of_memory"]

SECOND = 1_000_000_000  # ns
OOM_DISABLE = -17
OOM_SCORE_ADJ_MIN = -1000
MOST = 1 << 63


def badness_2_6_25(task: Task) -> int:
    """Virtual pages, and half of each child's; less for long and busy lives and privilege.

    Parameters
    ----------
    task : Task

    Returns
    -------
    int
        0 is possible, and last of all.
    """
    if task.oom_victim_first:
        return MOST
    points = task.mm.total_vm
    if points == 0:
        return 0
    for child in task.children:
        if child.alive and child.mm is not task.mm:
            points += child.mm.total_vm // 2 + 1
    busy = isqrt(task.utime_ns // (8 * SECOND))
    if busy:
        points //= busy
    lived = isqrt(isqrt((task.kernel.now - task.start_ns) // (1024 * SECOND)))
    if lived:
        points //= lived
    if task.nice > 0:
        points *= 2
    if task.capable(f.CAP_SYS_ADMIN) or task.capable(f.CAP_SYS_RESOURCE):
        points //= 4
    if task.capable(f.CAP_SYS_RAWIO):
        points //= 4
    if task.oom_adj > 0:
        points = max(points, 1) << task.oom_adj
    elif task.oom_adj < 0:
        points >>= -task.oom_adj
    return points


def badness_6_18(task: Task, pages: int) -> int:
    """Resident pages, swap entries and page-table pages, plus oom_score_adj thousandths.

    Parameters
    ----------
    task : Task
    pages : int
        RAM and swap, or the group's limit: what oom_score_adj is a share of.

    Returns
    -------
    int
        At least 1.
    """
    if task.oom_victim_first:
        return MOST
    resident, swapped = counts(task.mm)
    tables = -(-task.mm.total_vm // 512)  # one page-table page for 512 entries
    points = resident + swapped + tables + task.oom_score_adj * pages // 1000
    return max(points, 1)


def _may_die_6_18(task: Task) -> bool:
    # oom_evaluate_task: who runs swapoff is taken before anybody's score is asked for.
    return task.oom_victim_first or task.oom_score_adj > OOM_SCORE_ADJ_MIN


def _candidates(kernel: Kernel, group: int | None) -> list[Task]:
    return [
        t
        for t in kernel.tasks.values()
        if t.alive and t.parent is not None and (group is None or t.group == group)
    ]


def out_of_memory(kernel: Kernel, current: Task, group: int | None = None) -> Task:
    """Kill the worst task and everybody who shares its mm.

    Parameters
    ----------
    kernel : Kernel
    current : Task
        Who asked for the page.
    group : int, optional
        Only tasks charged to this memory group.

    Returns
    -------
    Task
        The victim; its memory is free.

    Raises
    ------
    KernelPanic
        Nobody can be killed.
    OSError
        ENOMEM: nobody in the group can be killed. The kernel panics for the machine alone.
    """
    modern = kernel.profile.modern
    memory = kernel.core.memory()
    pages = memory["total"] + memory["total_swap"]
    if group is not None:
        pages = memcg_table.info(kernel.core, group)["limit"] or pages
    scores = [
        (badness_6_18(t, pages) if modern else badness_2_6_25(t), t)
        for t in _candidates(kernel, group)
        if (_may_die_6_18(t) if modern else t.oom_adj != OOM_DISABLE)
    ]
    if not scores and group is not None:
        limit = memcg_table.info(kernel.core, group)["limit"] * PAGE_SIZE
        raise system_error(
            errno.ENOMEM,
            f"process {current.pid} ({current.name}) is at its group's limit of {limit} bytes and "
            "no task there may be killed: raise the limit, or one's oom_score_adj",
        )
    if not scores:
        kernel.log.append("Kernel panic - not syncing: Out of memory and no killable processes...")
        raise KernelPanic("out of memory and no killable process: give the machine more memory")
    score, victim = max(scores, key=lambda s: s[0])
    if modern:
        _report_6_18(kernel, victim, group)
    else:
        kernel.log.append(
            f"Out of memory: kill process {victim.pid} ({victim.name}) score {score} or a child"
        )
        for child in victim.children:
            if child.alive and child.mm is not victim.mm and child.oom_adj != OOM_DISABLE:
                victim = child  # a child with an mm of its own goes first
                break
        kernel.log.append(f"Killed process {victim.pid} ({victim.name})")
    kernel.oom_kills += 1
    for sharer in sorted(victim.mm.users, key=lambda t: t.pid):
        if sharer.parent is not None:
            die(sharer, 0, f.SIGKILL)
    return victim


def _report_6_18(kernel: Kernel, victim: Task, group: int | None) -> None:
    resident, _ = counts(victim.mm)
    shared = sum(count(m)[0] for m in victim.mm.mappings.values() if m.shared)
    where = "Out of memory" if group is None else "Memory cgroup out of memory"
    kernel.log.append(
        f"{where}: Killed process {victim.pid} ({victim.name}) "
        f"total-vm:{victim.mm.total_vm * 4}kB, anon-rss:{(resident - shared) * 4}kB, "
        f"file-rss:0kB, shmem-rss:{shared * 4}kB, UID:{victim.uid} "
        f"pgtables:{-(-victim.mm.total_vm // 512) * 4}kB oom_score_adj:{victim.oom_score_adj}"
    )


def no_page(kernel: Kernel, current: Task, status: int) -> None:
    """No page was to be had: somebody dies.

    Raises
    ------
    OSError
        It was there, but could not be read back; or there was no room because the swapfile of
        the task's namespace is gone or took no more pages; or nobody in its memory group may be
        killed.
    TaskKilled
        It was the task that asked.
    KernelPanic
        There is nobody.
    """
    if status == _core.IO:
        raise kernel.files.io_error(kernel.areas.values())
    kernel.files.check_lost(current.swap_ns)
    for area in current.swap_ns.areas:
        if area.info["failed"]:
            number, slot, _ = area_table.bad_slot(kernel.core)
            where = f"slot {slot}" if number == area.number else "a slot"
            raise system_error(
                errno.EIO,
                f"{where} could not be written, it takes no more pages; swap it off and find "
                "out why",
                area.path,
            )
    with kernel.changes.of("the OOM killer"):
        out_of_memory(kernel, current, current.group if status == _core.OOM_GROUP else None)
    if not current.alive:
        raise current.killed()
