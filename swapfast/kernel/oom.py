"""The OOM killer: who has to go.

- ``out_of_memory(kernel, current, level)``: choose, log, kill; returns the victim.
- ``kill_at_limit(kernel, current, level)``: the same, or None if nobody may be killed.
- ``badness_2_6_25(task)``, ``badness_6_18(task, pages)``: the two kernels' scores.

Sources: mm/oom_kill.c of 2.6.25 (badness, oom_kill_process) and 6.18 (oom_badness,
oom_kill_process, oom_kill_memcg_member), mm/memcontrol.c of 6.18 (mem_cgroup_get_oom_group).
"""

from __future__ import annotations

import errno
from collections.abc import Container
from dataclasses import dataclass
from math import isqrt

from swapfast import _core
from swapfast import flags as f
from swapfast.core import area_table, memcg_table
from swapfast.errors import KernelPanic, system_error
from swapfast.kernel.exit import die
from swapfast.kernel.groups import GroupRow
from swapfast.kernel.mmap import count, counts
from swapfast.kernel.oom_scope import EVERYBODY, areas_allowed, suspects
from swapfast.kernel.records import OomRecord
from swapfast.kernel.state import Kernel, Task
from swapfast.units import PAGE_SIZE

__all__ = ["badness_2_6_25", "badness_6_18", "kill_at_limit", "no_page", "out_of_memory"]

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


def _tasks(kernel: Kernel, level: GroupRow | None) -> list[Task]:
    """Who runs in a group or below it, or in the machine; not init."""
    numbers = None if level is None else {row.number for row in level.below()}
    return [
        t
        for t in kernel.tasks.values()
        if t.alive and t.parent is not None and (numbers is None or t.group in numbers)
    ]


def _killable(kernel: Kernel, level: GroupRow | None) -> list[Task]:
    modern = kernel.profile.modern
    return [
        t
        for t in _tasks(kernel, level)
        if (_may_die_6_18(t) if modern else t.oom_adj != OOM_DISABLE)
    ]


@dataclass(frozen=True)
class _Choice:
    """Who is chosen, among whom, and by which rule."""

    score: int
    victim: Task
    among: Container[Task]
    rule: str


def _choose(kernel: Kernel, current: Task, level: GroupRow | None) -> _Choice | None:
    """The worst score and whose it is (select_bad_process)."""
    modern = kernel.profile.modern
    memory = kernel.core.memory()
    pages = memory["total"] + memory["total_swap"]
    if level is not None:
        pages = memcg_table.info(kernel.core, level.number)["limit"] or pages
    rule, those = EVERYBODY, dict.fromkeys(_killable(kernel, level), 0)
    if level is None:
        rule, those = suspects(kernel, current, those)
    if not those:
        return None
    score = {t: badness_6_18(t, pages) if modern else badness_2_6_25(t) for t in those}
    # Who runs swapoff goes first under every rule.
    victim = max(those, key=lambda t: (score[t] == MOST, those[t], score[t]))
    return _Choice(score[victim], victim, those, rule)


def out_of_memory(kernel: Kernel, current: Task, level: GroupRow | None = None) -> Task:
    """Kill the worst task and everybody who shares its mm.

    Parameters
    ----------
    kernel : Kernel
    current : Task
        Who asked for the page.
    level : GroupRow, optional
        Only tasks in this memory group and below it.

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
    victim = kill_at_limit(kernel, current, level)
    if victim is None and level is not None:
        limit = memcg_table.info(kernel.core, level.number)["limit"] * PAGE_SIZE
        raise system_error(
            errno.ENOMEM,
            f"process {current.pid} ({current.name}) is at its group's limit of {limit} bytes and "
            "no task there may be killed: raise the limit, or one's oom_score_adj",
        )
    if victim is None:
        kernel.log.append("Kernel panic - not syncing: Out of memory and no killable processes...")
        raise KernelPanic("out of memory and no killable process: give the machine more memory")
    return victim


def kill_at_limit(kernel: Kernel, current: Task, level: GroupRow | None) -> Task | None:
    """`out_of_memory`, but None if nobody can be killed (mem_cgroup_out_of_memory)."""
    chosen = _choose(kernel, current, level)
    if chosen is None:
        return None
    victim, rule = chosen.victim, chosen.rule
    if not kernel.profile.modern:
        kernel.log.append(
            f"Out of memory: kill process {victim.pid} ({victim.name}) score {chosen.score} "
            "or a child"
        )
        for child in victim.children:
            if child.mm is not victim.mm and child in chosen.among:
                victim = child  # a child with an mm of its own goes first
                break
    together = _oom_group(kernel, victim, level)
    _kill(kernel, current, victim, level, rule)
    if together is not None:
        memcg_table.note(kernel.core, together.number, "oom_group_kill")
        kernel.log.append(
            f"Tasks in {together.path} are going to be killed due to memory.oom.group set"
        )
        for task in _tasks(kernel, together):
            if task.alive and task.oom_score_adj != OOM_SCORE_ADJ_MIN:
                _kill(kernel, current, task, level, rule)
    return victim


def _oom_group(kernel: Kernel, victim: Task, level: GroupRow | None) -> GroupRow | None:
    """The highest group with memory.oom.group, from the victim's up to the level that is full."""
    found = None
    for row in kernel.groups[victim.group].upward():
        if row.oom_group:
            found = row
        if row is level:
            break
    return found


def _kill(kernel: Kernel, current: Task, victim: Task, level: GroupRow | None, rule: str) -> None:
    """__oom_kill_process: one victim, and everybody who shares its mm."""
    if kernel.profile.modern:
        _report_6_18(kernel, victim, level)
    else:
        kernel.log.append(f"Killed process {victim.pid} ({victim.name})")
    kernel.oom_kills += 1
    kernel.oom_records.append(_record(kernel, current, victim, level, rule))
    memcg_table.note(kernel.core, victim.group, "oom_kill")
    for sharer in sorted(victim.mm.users, key=lambda t: t.pid):
        if sharer.parent is not None:
            die(sharer, 0, f.SIGKILL)


def _record(
    kernel: Kernel, current: Task, victim: Task, level: GroupRow | None, rule: str
) -> OomRecord:
    memory, counters = kernel.core.memory(), kernel.core.counters()
    resident, swapped = counts(victim.mm)
    return OomRecord(
        time_ns=kernel.now,
        trigger_pid=current.pid,
        trigger_name=current.name,
        level="machine" if level is None else level.path,
        victim_pid=victim.pid,
        victim_name=victim.name,
        cgroup=kernel.groups[victim.group].path,
        rss=resident,
        swap=swapped,
        free=memory["free"],
        free_slots_allowed=_slots_allowed(kernel, current),
        free_slots=memory["free_swap"],
        scanned=counters["pgscan_kswapd"] + counters["pgscan_direct"],
        rule=rule,
    )


def _slots_allowed(kernel: Kernel, task: Task) -> int:
    """Free slots that a task could have (mem_cgroup_get_nr_swap_pages)."""
    infos = [area.info for area in areas_allowed(task)]
    slots = sum(info["pages"] - info["inuse"] for info in infos)
    for row in kernel.groups[task.group].upward():
        info = memcg_table.info(kernel.core, row.number)
        if info["swap_max"] is not None:
            slots = min(slots, max(info["swap_max"] - info["swap_usage"], 0))
    return slots


def _report_6_18(kernel: Kernel, victim: Task, level: GroupRow | None) -> None:
    resident, _ = counts(victim.mm)
    shared = sum(count(m)[0] for m in victim.mm.mappings.values() if m.shared)
    where = "Out of memory" if level is None else "Memory cgroup out of memory"
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
    level = None
    if status == _core.OOM_GROUP:
        level = kernel.groups[memcg_table.failed(kernel.core)]
    with kernel.changes.of("the OOM killer"):
        out_of_memory(kernel, current, level)
    if not current.alive:
        raise current.killed()
