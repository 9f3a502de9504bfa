"""What one sees of a machine, as plain values that compare."""

from __future__ import annotations

import contextlib
import hashlib
from typing import Any

import numpy as np

import swapfast as sf
from swapfast.core import images, mapping_table
from swapfast.machine import Machine
from tests.support.jobs import PAGE


def contents(machine: Machine) -> dict[Any, Any]:
    """What every task sees: of each mapping every byte. Reading may cost a task its life."""
    seen = {}
    for task in list(machine.tasks.values()):
        if not task.alive or task.parent is None:
            continue
        for mapping in task.mappings:
            for first, end in mapping.ranges:
                data = None
                with contextlib.suppress(sf.TaskKilled, OSError):
                    data = mapping.read(first * PAGE, (end - first) * PAGE)
                seen[task.pid, mapping.addr, first] = data
    return seen


def picture(machine: Machine) -> dict[str, Any]:
    """Everything but bytes: counters, clock, tasks, page tables."""
    core = machine.core
    tasks = {}
    for task in machine.tasks.values():
        if task.parent is None:
            continue
        tables = []
        for mapping in task.mappings if task.alive else ():
            pte, entry, mapped, swapped = mapping_table.state(
                core, mapping.number, 0, mapping.pages
            )
            base = task.swap_ns.areas[0].base if task.swap_ns.areas else 0
            slots = np.where(entry > 0, entry.astype(np.int64) - base, 0)
            tables.append(
                (
                    *(mapping.addr, mapping.name, mapping.ranges, mapping.readonly),
                    *(pte.tobytes(), slots.tobytes(), mapped.tobytes(), swapped.tobytes()),
                )
            )
        tasks[task.pid] = (
            task.name,
            task.ppid,
            task.state,
            task.uid,
            task.min_flt,
            task.maj_flt,
            task.utime_ns,
            task.start_ns,
            task.exit_code,
            [c.pid for c in task.children],
            tables,
        )
    areas = [
        {k: v for k, v in a.info.items() if k not in ("base", "scope")}
        for a in machine.areas.values()
    ]
    return {
        "state": images.machine_state(core),
        "vmstat": machine.vmstat(),
        "memory": core.memory(),
        "groups": [images.memcg_state(core, 0)],
        "areas": areas,
        "tasks": tasks,
    }


def lists(machine: Machine) -> dict[str, Any]:
    """The order in which slots are given next."""
    number = next(iter(machine.areas.values())).number
    state, unused, partly, limbo = images.area_state(machine.core, number)
    return {
        "state": state,
        "unused": unused.tolist(),
        "partly": partly.tolist(),
        "limbo": limbo.tolist(),
    }


def digest(machine: Machine) -> str:
    """One word for everything that the tasks see."""
    whole = hashlib.sha256()
    for key, data in contents(machine).items():
        whole.update(repr(key).encode() + (data or b"-"))
    return whole.hexdigest()
