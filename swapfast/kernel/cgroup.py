"""Memory groups and cgroups: made, entered, read, written and removed.

- ``new_group``, ``enter``, ``close``: a group that has only a limit.
- ``make``, ``rmdir``: a directory of cgroup v2.
- ``list_files``, ``read``, ``write``, ``reclaim``: its files.

A page is charged to the group that its mapping was made in, and counts for all above. At a limit
the group reclaims from itself and from all below it; when nothing can be freed its own tasks face
the OOM killer. Sources: mm/memcontrol.c, try_charge_memcg and mem_cgroup_out_of_memory (6.18),
mem_cgroup_charge_common (2.6.25); kernel/cgroup/cgroup.c, cgroup_mkdir, cgroup_destroy_locked,
cgroup_file_write, cgroup_vet_subtree_control_enable (6.18).
"""

from __future__ import annotations

import errno
from typing import Unpack

from swapfast.core import memcg_table
from swapfast.errors import system_error
from swapfast.kernel import control_files, scope_kinds
from swapfast.kernel.control import LIMITS, Cgroup, Limits, MemoryGroup, text_of
from swapfast.kernel.control_file import pages_of
from swapfast.kernel.groups import MOST_DEPTH, GroupRow, check_name
from swapfast.kernel.lru_gen import policy_of
from swapfast.kernel.state import Kernel, Task
from swapfast.units import PAGE_SIZE, parse_size

__all__ = [
    "close",
    "enter",
    "list_files",
    "make",
    "new_group",
    "read",
    "reclaim",
    "rmdir",
    "write",
]


def new_group(kernel: Kernel, max: int | str = 0, policy: str | None = None) -> MemoryGroup:
    """A group with a limit; see `Machine.memory_group`."""
    with kernel.changes.of("making a memory group"):
        limit = parse_size(max) // PAGE_SIZE
        return MemoryGroup(kernel, kernel.groups.add(policy or policy_of(kernel), limit))


def enter(group: GroupRow, task: Task) -> None:
    """Charge what a task maps from now on to a group; see `MemoryGroup.add`."""
    control_files.move(group, task)


def close(kernel: Kernel, group: GroupRow) -> None:
    """Forget a group; see `MemoryGroup.close`."""
    pid = _task_in(kernel, group)
    if pid is not None:
        raise ValueError(f"process {pid} is in memory group {group.number}")
    with kernel.changes.of("removing a memory group"):
        kernel.groups.remove(group)


def make(kernel: Kernel, path: str, **limits: Unpack[Limits]) -> Cgroup:
    """A cgroup, and all above it that are not there yet; see `Machine.cgroup`."""
    kernel.check_usable()
    if not kernel.profile.modern:
        raise system_error(
            errno.ENODEV,
            f"Linux {kernel.profile.name} has no cgroup v2; machine.memory_group(max) has a limit",
        )
    names = _names(kernel, path)
    texts = _texts(limits)
    with kernel.changes.of("making a cgroup"):
        row = kernel.groups.root
        _check_place(kernel, row, names)
        if not memcg_table.is_v2(kernel.core):
            memcg_table.use_v2(kernel.core)
        for name in names:
            row = row.children.get(name) or kernel.groups.add(
                policy_of(kernel), parent=row.number, name=name
            )
    for file, text in texts.items():
        write(kernel, row, file, text)
    return Cgroup(kernel, row)


def _names(kernel: Kernel, path: str) -> list[str]:
    if not path.startswith("/"):
        raise ValueError(f'the path of a cgroup begins with "/", unlike {path!r:.60}')
    names = [name for name in path.split("/") if name]
    for name in names:
        check_name(name)
        if name in control_files.files_of(kernel):
            raise system_error(errno.EEXIST, f"{name} is a file of every cgroup; take another name")
    return names


def _texts(limits: Limits) -> dict[str, str]:
    """What is written to which file, looked at before anything is made."""
    for name in limits:
        if name not in LIMITS:
            raise TypeError(f"a cgroup has no {name!r}; there are {', '.join(LIMITS)}")
    texts = {}
    for name, file in LIMITS.items():
        if name in limits:
            texts[file] = text_of(limits[name])  # type: ignore[literal-required]
            pages_of(texts[file])
    return texts


def _check_place(kernel: Kernel, row: GroupRow, names: list[str]) -> None:
    """Refuse to make what cannot be made, before anything is."""
    if len(names) > MOST_DEPTH:
        raise system_error(
            errno.EAGAIN,
            f"a cgroup is at most {MOST_DEPTH} levels below the root, not {len(names)}",
        )
    for name in names:
        if name not in row.children:
            break
        row = row.children[name]
    else:
        return
    if row.parent is None or row.children:  # with children it has no tasks
        return
    pid = _task_in(kernel, row)
    if pid is not None:
        raise system_error(
            errno.EBUSY,
            f"process {pid} is in {row.path}, and a cgroup has tasks or children; move it "
            "elsewhere first",
        )


def _task_in(kernel: Kernel, group: GroupRow) -> int | None:
    for task in kernel.tasks.values():
        if task.alive and task.group == group.number:
            return task.pid
    return None


def rmdir(kernel: Kernel, group: GroupRow) -> None:
    """Remove a cgroup; see `Cgroup.close`."""
    _check_there(group)
    why = ""
    pid = _task_in(kernel, group)
    if group.parent is None:
        why = "it is the root"
    elif group.children:
        why = f"{next(iter(group.children))} is below it; remove that first"
    elif pid is not None:
        why = f"process {pid} is in it; move it elsewhere, or wait until it ends"
    if why:
        raise system_error(errno.EBUSY, f"{group.path} stays: {why}")
    try:
        with kernel.changes.of("removing a cgroup"):
            kernel.groups.remove(group)
    except ValueError as error:  # Linux would keep a dead memcg until the last page is gone
        raise system_error(errno.EBUSY, f"{group.path} stays: {error}; munmap them") from None


def list_files(kernel: Kernel, group: GroupRow) -> list[str]:
    """Names of the files of a cgroup, sorted."""
    _check_there(group)
    files = control_files.files_of(kernel)
    return [n for n, file in files.items() if group.parent is not None or file.on_root]


def read(kernel: Kernel, group: GroupRow, name: str) -> str:
    """The text of a file; see `Cgroup`."""
    _check_there(group)
    file = control_files.find(kernel, group, name)
    if file.read is None:
        raise system_error(errno.EINVAL, f"{name} can only be written")
    return file.read(kernel, group)


def write(kernel: Kernel, group: GroupRow, name: str, text: str) -> None:
    """Write to a file; see `Cgroup`."""
    _check_there(group)
    file = control_files.find(kernel, group, name)
    if file.write is None:
        raise system_error(errno.EINVAL, f"{name} can only be read")
    with kernel.changes.of(f"writing to {name}"):
        file.write(kernel, group, text.strip())
        if name in scope_kinds.kind_of(kernel).files:
            scope_kinds.hand_down(kernel, group)


def reclaim(kernel: Kernel, group: GroupRow, pages: int) -> int:
    """Pages that a write to memory.reclaim frees; see `Cgroup.reclaim`."""
    _check_there(group)
    with kernel.changes.of("writing to memory.reclaim"):
        return control_files.reclaim(kernel, group, pages)


def _check_there(group: GroupRow) -> None:
    if group.gone:
        raise system_error(
            errno.ENOENT, f"{group.path} was removed; machine.cgroup makes one of that name again"
        )
