"""A swap namespace that stands still: who is in it, and everything about it as plain values.

- ``Frozen(kernel, namespace)``: its tasks, address spaces, mappings and shared objects; refuses
  what cannot be taken apart.
- ``push_out(frozen)``: every page is in the area's slots afterwards.
- ``facts_of(frozen, ...)``: the small structure of an image; ``chained(...)``: its references.

Nothing outside may hold a part of it: a page, a shared object or an IPC namespace that somebody
else uses as well is EBUSY.
"""

from __future__ import annotations

import errno
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swapfast import _core
from swapfast.checkpoint.facts import CHAINED, FORMAT, PLAIN, VERSION
from swapfast.checkpoint.groups import group_facts
from swapfast.core import area_table, images, mapping_table, memcg_table, slot_pins
from swapfast.errors import system_error
from swapfast.kernel.options import DEFAULTS, KernelOptions
from swapfast.kernel.profile import MGLRU, PROFILES
from swapfast.kernel.shared import IpcNamespace, Segment, SharedObject
from swapfast.kernel.state import Kernel, Mapping, Mm, SwapArea, SwapNamespace, Task
from swapfast.swapfile import SwapBacking
from swapfast.units import PAGE_SIZE

__all__ = ["Frozen", "chained", "facts_of", "push_out"]


class Frozen:
    """What belongs to a namespace.

    Attributes
    ----------
    tasks : list of Task
        Zombies too, by pid.
    mms : list of Mm
    mappings : list of Mapping
        Mm after mm, in order of creation.
    objects : list of SharedObject
    ipcs : list of IpcNamespace
    area : SwapArea
    backing : SwapBacking
    """

    def __init__(self, kernel: Kernel, ns: SwapNamespace) -> None:
        self.kernel = kernel
        self.namespace = ns
        self.area, self.backing = _area_of(ns)
        if kernel.profile is not PROFILES.get(kernel.profile.name):
            raise system_error(errno.EOPNOTSUPP, "a machine of a profile of its own; it has a name")
        self.tasks: list[Task] = sorted(
            (t for t in kernel.tasks.values() if t.swap_ns is ns), key=lambda t: t.pid
        )
        running = [t for t in self.tasks if t.alive]
        if not running:
            raise system_error(errno.ESRCH, "no task runs in this swap namespace")
        self.mms: list[Mm] = list(dict.fromkeys(t.mm for t in running))
        self.mappings: list[Mapping] = [m for mm in self.mms for m in mm.mappings.values()]
        self.ipcs: list[IpcNamespace] = list(dict.fromkeys(t.ipc_ns for t in self.tasks))
        self.segments: list[Segment] = [s for i in self.ipcs for s in i.segments.values()]
        objects = [m.object for m in self.mappings if m.object is not None]
        objects += [s.object for s in self.segments]
        self.objects: list[SharedObject] = list(dict.fromkeys(objects))
        self.numbers = [m.number for m in self.mappings] + [o.number for o in self.objects]
        self._check_alone(running)

    def _check_alone(self, running: list[Task]) -> None:
        for ipc in self.ipcs:
            if ipc.tasks != sum(t.ipc_ns is ipc for t in running):
                raise system_error(
                    errno.EBUSY, f"IPC namespace {ipc.number} has tasks outside as well"
                )
        for one in self.objects:
            mine = sum(m.object is one for m in self.mappings)
            mine += sum(s.object is one for s in self.segments)
            if one.references != mine or self.payer_name(one) is None:
                raise system_error(
                    errno.EBUSY,
                    f"{one.pages} pages of shared memory are used outside the swap namespace as "
                    "well; unmap them there or here",
                )

    def payer_name(self, one: SharedObject) -> str | None:
        """Who pays for a shared object; None: another namespace, or two."""
        scope = mapping_table.scope(self.kernel.core, one.number)
        names = {
            self.namespace.scope: "namespace",
            self.kernel.init.swap_ns.scope: "initial",
            _core.UNSET: "unset",
        }
        return names.get(scope)

    def describe(self, number: int) -> str:
        """Whose mapping has this number."""
        for task in self.kernel.tasks.values():
            for mapping in task.mappings if task.alive else ():
                if mapping.number == number:
                    return f"process {task.pid} ({task.name}) at {mapping.addr:#x}"
        return "shared memory"


def _area_of(ns: SwapNamespace) -> tuple[SwapArea, SwapBacking]:
    if ns.initial:
        raise system_error(
            errno.EINVAL, "the host cannot be checkpointed; clone a task with CLONE_NEWSWAP"
        )
    if not ns.areas:
        raise system_error(errno.EINVAL, "no swapfile is on in this swap namespace; swapon one")
    area = ns.areas[0]
    if not isinstance(area.backing, SwapBacking):
        raise system_error(errno.EINVAL, "a simulated device holds no bytes; use a swapfile")
    return area, area.backing


def push_out(frozen: Frozen) -> NDArray[np.uint32]:
    """Put every page of the namespace into the area; returns the slots that were written.

    Raises
    ------
    OSError
        EBUSY: a page is somebody else's too; ENOSPC: the area has not enough free slots, counting
        those that an older checkpoint keeps (nothing has moved then); ENOMEM: pages that were
        inherited in another area do not fit into memory on their way; EIO: the file.
    """
    core, area = frozen.kernel.core, frozen.area
    _core.settle(core)
    found = images.survey(core, frozen.numbers, area.number)
    if found["outside"]:
        raise system_error(
            errno.EBUSY,
            f"pages of {frozen.describe(found['outside'])} are shared with a task outside the swap "
            "namespace; write to them, or unmap them, on one side",
        )
    info = area_table.info(core, area.number)
    free = info["pages"] - info["inuse"]
    if found["needed"] > free:
        kept = slot_pins.pinned(core, area.number).size
        hint = f"; {kept} slots are kept for the last checkpoint" if kept else ""
        raise system_error(
            errno.ENOSPC,
            f"{found['needed']} pages have to be swapped out and {free} slots are free{hint}; "
            "unmap memory, or use a larger swapfile",
            area.path,
        )
    scopes = {one: mapping_table.scope(core, one.number) for one in frozen.objects}
    for one in scopes:
        mapping_table.set_scope(core, one.number, frozen.namespace.scope)
    try:
        status, pushed = _core.push(core, frozen.numbers, area.number, frozen.backing.fileno())
    finally:
        for one, scope in scopes.items():
            mapping_table.set_scope(core, one.number, scope)
    if status == _core.IO:
        raise frozen.kernel.files.io_error(frozen.kernel.areas.values())
    if status != _core.OK:
        raise system_error(errno.ENOMEM, "no memory to move inherited pages through; free some")
    slots: NDArray[np.uint32] = pushed
    return slots


# ---------------------------------------------------------------- facts


def facts_of(
    frozen: Frozen,
    *,
    kind: str,
    checksums: bool,
    parent: dict[str, Any] | None,
    area: dict[str, Any],
) -> dict[str, Any]:
    """The small structure; ``parent`` and ``area`` have what `attempt` knows of them."""
    kernel, core = frozen.kernel, frozen.kernel.core
    used = {mm.group for mm in frozen.mms}
    used |= {mapping_table.memcg(core, n) for n in frozen.numbers}
    groups, group_index = group_facts(kernel, used)
    return {
        "format": FORMAT,
        **({"version": VERSION} if parent is None else chained(parent, None)),
        "page_size": PAGE_SIZE,
        "kind": kind,
        "checksums": checksums,
        "machine": _boot_facts(kernel),
        "rules": asdict(kernel.rules),
        "core": images.machine_state(core),
        "groups": groups,
        "namespace": {
            "number": frozen.namespace.number,
            "swapped_on": frozen.namespace.swapped_on,
        },
        "ipc": [_ipc_facts(frozen, ipc) for ipc in frozen.ipcs],
        "objects": [
            {
                "pages": one.pages,
                "owner": frozen.payer_name(one),
                "group": group_index[mapping_table.memcg(core, one.number)],
            }
            for one in frozen.objects
        ],
        "mms": [_mm_facts(frozen, mm, group_index) for mm in frozen.mms],
        "tasks": [_task_facts(frozen, task) for task in frozen.tasks],
        "area": area,
    }


def _boot_facts(kernel: Kernel) -> dict[str, Any]:
    options = kernel.options
    return {
        "profile": kernel.profile.name,
        "contents": kernel.contents,
        "bits": options.bits,
        "overcommit": kernel.overcommit,
        "policy": memcg_table.info(kernel.core, kernel.groups.root.number)["policy"],
        "max_swapfiles": options.max_swapfiles,
        "cache_at_boot": options.cached,
        "options": {
            "statistics": options.statistics,
            "statistics_phase": options.first_refresh,
            "tlb": options.tlb,
            "readahead": options.readahead,
            "plug": options.plug,
            "cgroup": "v2" if memcg_table.is_v2(kernel.core) else "v1",
            **_generations(kernel),
            **_chosen(options),
        },
        "oom_kills": kernel.oom_kills,
        "next_pid": kernel.next_pid,
        "next_namespace": kernel.next_namespace,
        "least_priority": kernel.ranks.least,
    }


def _chosen(options: KernelOptions) -> dict[str, Any]:
    # Older readers know an image without them.
    usual: dict[str, Any] = {**DEFAULTS}
    names = ("watermark_scale_factor", "oom_scope", "swap_scope", "swap_cluster", "allowed_aware")
    facts = {name: getattr(options, name) for name in names}
    return {name: value for name, value in facts.items() if value != usual[name]}


def _generations(kernel: Kernel) -> dict[str, Any]:
    # Older readers know an image without them.
    mask, options = memcg_table.lru_gen(kernel.core), kernel.options
    if not mask & 1:
        return {"lru_gen": mask} if kernel.profile.policy == MGLRU else {}
    facts: dict[str, Any] = {"lru_gen": mask, "lru_drain": options.lru_drain}
    return facts | ({"lru_gen_rule": options.lru_gen_rule} if mask & 2 else {})


def chained(parent: dict[str, Any] | None, folded: str | None) -> dict[str, Any]:
    """What the facts of an image say of others."""
    return {"version": CHAINED, "parent": parent, "folded": folded}


def _ipc_facts(frozen: Frozen, ipc: IpcNamespace) -> dict[str, Any]:
    segments = []
    for segment in ipc.segments.values():
        status = segment.status
        segments.append(
            {
                "shmid": segment.shmid,
                "object": frozen.objects.index(segment.object),
                "size": status.size,
                "cpid": status.cpid,
                "lpid": status.lpid,
                "mode": status.mode,
                "uid": status.uid,
                "key": status.key,
                "removed": segment.removed,
            }
        )
    return {"number": ipc.number, "sequence": ipc.sequence, "segments": segments}


def _mm_facts(frozen: Frozen, mm: Mm, group_index: dict[int, int]) -> dict[str, Any]:
    core = frozen.kernel.core
    mappings = []
    for mapping in mm.mappings.values():
        segment = mapping.segment
        mappings.append(
            {
                "addr": mapping.addr,
                "pages": mapping.pages,
                "name": mapping.name,
                "readonly": mapping.readonly,
                "ranges": [list(r) for r in mapping.ranges],
                "group": group_index[mapping_table.memcg(core, mapping.number)],
                "object": None if mapping.object is None else frozen.objects.index(mapping.object),
                "ipc": None if mapping.ipc is None else frozen.ipcs.index(mapping.ipc),
                "segment": None if segment is None else segment.shmid,
                "readahead": images.readahead_state(core, mapping.number),
            }
        )
    return {
        "group": group_index[mm.group],
        "next_address": mm.next_address,
        "token": images.mm_state(core, mm.number),
        "mappings": mappings,
    }


def _task_facts(frozen: Frozen, task: Task) -> dict[str, Any]:
    inside = {t.pid for t in frozen.tasks}
    return {
        "pid": task.pid,
        "name": task.name,
        "parent": task.ppid if task.ppid in inside else 1,
        "children": [c.pid for c in task.children if c.pid in inside],
        "mm": frozen.mms.index(task.mm) if task.alive else None,
        "ipc": frozen.ipcs.index(task.ipc_ns),
        "capabilities": sorted(task.capabilities),
        "namespaces": sorted([flag, number] for flag, number in task.namespaces.items()),
        **{name: getattr(task, name) for name in PLAIN},
    }
