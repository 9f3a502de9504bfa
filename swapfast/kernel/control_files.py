"""The files of a cgroup: what each says, and what it does with a text.

- ``FILES``: those of every kernel; ``files_of(kernel)``: with those of its option ``swap_scope``.
- ``find(kernel, row, name)``: the file, or ENOENT with the nearest name.
- ``reclaim(kernel, row, pages)``: what a write to memory.reclaim frees.

Sources: mm/memcontrol.c (memory_files, swap_files, memory_max_write, memory_high_write,
memcg_stat_format), mm/vmscan.c (user_proactive_reclaim), kernel/cgroup/cgroup.c
(cgroup_procs_write), kernel/sched/psi.c (psi_show) of 6.18.
"""

from __future__ import annotations

import errno
import re
from collections import Counter
from collections.abc import Callable
from difflib import get_close_matches

from swapfast import _core
from swapfast.core import mapping_table, memcg_table
from swapfast.errors import system_error
from swapfast.kernel import scope_kinds
from swapfast.kernel.control_file import File, amount, memparse, pages_of, refuse, whole
from swapfast.kernel.groups import GroupRow
from swapfast.kernel.oom import kill_at_limit
from swapfast.kernel.state import Kernel, Task
from swapfast.units import PAGE_SIZE

__all__ = ["FILES", "files_of", "find", "move", "reclaim"]

_EVENTS = ("low", "high", "max", "oom", "oom_kill", "oom_group_kill")
_SWAP_EVENTS = {"high": "swap_high", "max": "swap_max", "fail": "swap_fail"}
# memory.stat in the kernel's order. The sizes come first; "pgscan" and "pgsteal" are sums.
_SIZES = ("anon", "shmem", "inactive_anon", "active_anon")
_COUNTS = (
    *("workingset_refault_anon", "workingset_activate_anon", "workingset_restore_anon"),
    *("pgscan", "pgsteal", "pswpin", "pswpout"),
    *("pgscan_kswapd", "pgscan_direct", "pgscan_proactive"),
    *("pgsteal_kswapd", "pgsteal_direct", "pgsteal_proactive"),
    *("pgfault", "pgmajfault", "pgrefill", "pgactivate", "pgdeactivate"),
)


def _kstrtoint(text: str, takes: str) -> int:
    match = re.fullmatch(r"([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)", text)
    if match is None:
        refuse(text, takes)
    value = whole(match[2]) * (-1 if match[1] == "-" else 1)
    if not -(1 << 31) <= value < 1 << 31:
        raise system_error(errno.ERANGE, f"{text:.60} has more than 32 bits; it is {takes}")
    return value


# ---------------------------------------------------------------- limits


def _limit(name: str, then: Callable[[Kernel, GroupRow, int | None], None] | None = None) -> File:
    def read(kernel: Kernel, row: GroupRow) -> str:
        info = memcg_table.info(kernel.core, row.number)
        return amount(info[name])  # type: ignore[literal-required]

    def write(kernel: Kernel, row: GroupRow, text: str) -> None:
        pages = pages_of(text)
        memcg_table.configure(kernel.core, row.number, **{name: pages})
        if then is not None:
            then(kernel, row, pages)

    return File(read, write)


def _over(kernel: Kernel, row: GroupRow, limit: int | None) -> int:
    usage = memcg_table.info(kernel.core, row.number)["usage"]
    return 0 if limit is None else max(usage - limit, 0)


def _fit(kernel: Kernel, row: GroupRow, limit: int | None) -> None:
    """Reclaim what is above a limit; some may be left."""
    over = _over(kernel, row, limit)
    if over:
        kernel.files.look(())
        _core.reclaim(kernel.core, row.number, over, asked=False)
        kernel.check_wiped(None)


def _fit_or_kill(kernel: Kernel, row: GroupRow, limit: int | None) -> None:
    """memory_max_write: when reclaim fails, tasks die until it fits, or nobody is left."""
    scope_kinds.hand_down(kernel, row)  # amounts may follow from it
    _fit(kernel, row, limit)
    while _over(kernel, row, limit):
        memcg_table.note(kernel.core, row.number, "oom")
        if kill_at_limit(kernel, kernel.init, row) is None:
            kernel.log.append("Out of memory and no killable processes...")
            break


# ---------------------------------------------------------------- what is counted


def _value(name: str) -> File:
    def read(kernel: Kernel, row: GroupRow) -> str:
        info = memcg_table.info(kernel.core, row.number)
        return amount(info[name])  # type: ignore[literal-required]

    return File(read)


def _peak(name: str) -> File:
    # A write is of one open file: a peak since then, for whoever reads from that file again.
    return File(_value(name).read, lambda kernel, row, text: None)


def _events(names: dict[str, str]) -> File:
    def read(kernel: Kernel, row: GroupRow) -> str:
        events = memcg_table.info(kernel.core, row.number)["events"]
        return "".join(f"{name} {events[of_core]}\n" for name, of_core in names.items())

    return File(read)


def _stat(kernel: Kernel, row: GroupRow) -> str:
    """memcg_stat_format, without what this machine has none of."""
    sums: Counter[str] = Counter()
    numbers = set()
    for one in row.below():
        info = memcg_table.info(kernel.core, one.number)
        numbers.add(one.number)
        sums.update(info["stat"])
        sums["inactive_anon"] += info["inactive"] * PAGE_SIZE
        sums["active_anon"] += info["active"] * PAGE_SIZE
        sums["pgfault"] += one.pgfault
        sums["pgmajfault"] += one.pgmajfault
    for shared in kernel.objects:
        if mapping_table.memcg(kernel.core, shared.number) in numbers:
            sums["shmem"] += mapping_table.count(kernel.core, shared.number)[0] * PAGE_SIZE
    sums["anon"] = memcg_table.info(kernel.core, row.number)["usage"] * PAGE_SIZE - sums["shmem"]
    for name in ("pgscan", "pgsteal"):
        sums[name] = sum(sums[f"{name}_{who}"] for who in ("kswapd", "direct", "proactive"))
    return "".join(f"{name} {sums[name]}\n" for name in (*_SIZES, *_COUNTS))


# ---------------------------------------------------------------- what is asked for


def reclaim(kernel: Kernel, row: GroupRow, pages: int) -> int:
    """user_proactive_reclaim: free pages of a group and of all below it; how many there were."""
    kernel.files.look(())
    freed = _core.reclaim(kernel.core, row.number, pages)
    kernel.check_wiped(None)
    return freed


def _write_reclaim(kernel: Kernel, row: GroupRow, text: str) -> None:
    value, rest = memparse(text)
    swappiness = 1
    if rest == text:
        refuse(text, 'an amount such as "64M" or "64M swappiness=60"')
    for word in rest.split():
        key, _, number = word.partition("=")
        if key != "swappiness" or not re.fullmatch("max|0*([0-9]|[0-9]{2}|1[0-9]{2}|200)", number):
            refuse(word, 'a key of memory.reclaim; there is "swappiness=" with 0 to 200 or max')
        swappiness = 1 if number == "max" else int(number)
    pages = value // PAGE_SIZE
    # All pages are anonymous here: with swappiness 0 there is none to take.
    freed = reclaim(kernel, row, pages) if swappiness else 0
    if freed < pages:
        raise system_error(
            errno.EAGAIN,
            f"{freed} of {pages} pages were freed in {row.path}; ask for less, or add swap",
        )


def _write_oom_group(kernel: Kernel, row: GroupRow, text: str) -> None:
    value = _kstrtoint(text, "0 or 1")
    if value not in (0, 1):
        refuse(text, "0 or 1")
    row.oom_group = value == 1


def _procs(kernel: Kernel, row: GroupRow) -> str:
    pids = sorted(t.pid for t in kernel.tasks.values() if t.alive and t.group == row.number)
    return "".join(f"{pid}\n" for pid in pids)


def _write_procs(kernel: Kernel, row: GroupRow, text: str) -> None:
    pid = _kstrtoint(text, "a pid")
    if pid < 0:
        refuse(text, "a pid")
    if pid == 0:
        raise system_error(errno.EINVAL, "0 is whoever writes, who is no task here; give a pid")
    task = kernel.tasks.get(pid)
    if task is None or not task.alive:
        raise system_error(errno.ESRCH, f"no process {pid}")
    move(row, task)


def move(row: GroupRow, task: Task) -> None:
    """cgroup_attach_task: what a task maps from now on is charged to a group.

    Raises
    ------
    OSError
        EBUSY: the group has children (cgroup_migrate_vet_dst).
    """
    if row.children and row.parent is not None:
        raise system_error(
            errno.EBUSY,
            f"{row.path} has cgroups below it, and then it has no tasks of its own; move process "
            f"{task.pid} into one of {', '.join(list(row.children)[:5])}",
        )
    task.mm.group = row.number


def _pressure(resource: str) -> File:
    """psi_show: nobody has stalled where no programs have run side by side."""

    def read(kernel: Kernel, row: GroupRow) -> str:
        if kernel.groups.pressure_of is not None:
            return kernel.groups.pressure_of(row.number, resource)
        return "".join(
            f"{what} avg10=0.00 avg60=0.00 avg300=0.00 total=0\n" for what in ("some", "full")
        )

    return File(read, on_root=True)


FILES = {
    "cgroup.procs": File(_procs, _write_procs, on_root=True),
    "cpu.pressure": _pressure("cpu"),
    "io.pressure": _pressure("io"),
    "memory.current": _value("usage"),
    "memory.events": _events({name: name for name in _EVENTS}),
    "memory.high": _limit("high", _fit),
    "memory.low": _limit("low"),
    "memory.max": _limit("max", _fit_or_kill),
    "memory.min": _limit("min"),
    "memory.oom.group": File(lambda kernel, row: f"{row.oom_group:d}\n", _write_oom_group),
    "memory.peak": _peak("peak"),
    "memory.pressure": _pressure("memory"),
    "memory.reclaim": File(None, _write_reclaim, on_root=True),
    "memory.stat": File(_stat, on_root=True),
    "memory.swap.current": _value("swap_usage"),
    "memory.swap.events": _events(_SWAP_EVENTS),
    "memory.swap.high": _limit("swap_high"),
    "memory.swap.max": _limit("swap_max"),
    "memory.swap.peak": _peak("swap_peak"),
}


def files_of(kernel: Kernel) -> dict[str, File]:
    """All files of its cgroups, by name."""
    more = scope_kinds.kind_of(kernel).files
    return dict(sorted({**FILES, **more}.items())) if more else FILES


def find(kernel: Kernel, row: GroupRow, name: str) -> File:
    """The file of that name.

    Raises
    ------
    OSError
        ENOENT: there is none.
    """
    files = files_of(kernel)
    file = files.get(name)
    if file is None:
        near = get_close_matches(name, files, 1, 0)[0]
        raise system_error(
            errno.ENOENT, f"a cgroup has no file {name!r:.60}; the nearest is {near}"
        )
    if row.parent is None and not file.on_root:
        raise system_error(
            errno.ENOENT, f"the root has no {name}: it is the whole machine; ask a cgroup below it"
        )
    return file
