"""System calls that must leave no trace.

- ``snapshot(machine, files)``: everything a system call could have changed.
- ``refused(errno, machine, *files)``: the block raises that errno and changes nothing.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import swapfast as sf
from tests.support.swapfiles import locked


def _task(task: sf.Task) -> dict[str, Any]:
    return {
        "identity": (task.name, task.ppid, task.uid, task.state, sorted(task.capabilities)),
        "children": [c.pid for c in task.children],
        "namespaces": (task.swap_ns, task.ipc_ns, dict(task.namespaces)),
        "mm": (task.mm, task.group, [(m.addr, m.ranges, m.count()) for m in task.mappings]),
        "faults": (task.min_flt, task.maj_flt, task.utime_ns),
        "segments": [(s.shmid, s.removed, str(s.status)) for s in task.ipc_ns.segments.values()],
        "areas": (list(task.swap_ns.areas), task.swap_ns.tasks, task.swap_ns.swapped_on),
        "sees": task.read_proc_swaps() if task.alive else "",
    }


def snapshot(machine: sf.Machine, files: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Everything that a system call could have changed, in a form that compares."""
    return {
        "swaps": machine.proc_swaps(),
        "areas": [(a.type, a.path, a.priority, a.orphaned, a.info) for a in machine.areas.values()],
        "least_priority": machine.kernel.ranks.least,
        "memory": machine.core.memory(),
        "counters": machine.core.counters(),
        "clock": machine.core.clock(),
        "objects": len(machine.kernel.objects),
        "log": list(machine.log),
        "tasks": {pid: _task(task) for pid, task in machine.tasks.items()},
        "files": {
            f: (f.read_bytes(), locked(f), f.stat().st_mode) if f.is_file() else f.exists()
            for f in files
        },
    }


@contextmanager
def refused(code: int, machine: sf.Machine, *files: Path) -> Iterator[None]:
    """The block raises ``OSError`` with this errno, and nothing is different afterwards."""
    before = snapshot(machine, files)
    with pytest.raises(OSError) as caught:
        yield
    name = errno.errorcode.get(caught.value.errno or 0)
    assert name == errno.errorcode[code], caught.value
    assert len(caught.value.strerror or "") > 10, "a sentence, not a bare number"
    machine.verify()
    after = snapshot(machine, files)
    for what, value in before.items():
        assert after[what] == value, what
