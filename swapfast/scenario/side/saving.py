"""Checkpoints within a run, and what each of them cost.

- ``Saver``: makes them in a folder beside the swapfiles.

The programs do not wait: the cost is told, and it is not part of their time. ``freeze_s`` is how
long the job would stand still: its device is busy with pages that are written out, and with those
that a copy reads and writes, at the speed of its pipe.
"""

from __future__ import annotations

import os
from pathlib import Path

from swapfast.kernel.records import Kind
from swapfast.scenario.side.stage import Stage
from swapfast.units import PAGE_SIZE

__all__ = ["Saver"]


class Saver:
    """Checkpoints of logins.

    Parameters
    ----------
    stage : Stage
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._count = 0
        self._last: dict[str, Path] = {}

    def save(self, login: str, kind: Kind) -> dict[str, float]:
        """Make a checkpoint; returns its cost: pages, bytes and seconds.

        Raises
        ------
        OSError
            As `swapfast.machine.Machine.checkpoint`.
        """
        stage = self._stage
        namespace = stage.logins[login].swap_ns
        assert stage.folder is not None, "a checkpoint is of bytes"
        folder = stage.folder / "checkpoints"
        folder.mkdir(exist_ok=True)
        path = folder / f"{login}-{self._count}.ckpt"
        self._count += 1
        parent = self._last.get(login) if kind == "incremental" else None
        area = namespace.areas[0] if namespace.areas else None
        resident, swapped = (
            (0, 0) if area is None else (sum(_resident(stage, login)), int(area.info["inuse"]))
        )
        before = _written(stage)
        stage.machine.checkpoint(namespace, path, kind=kind, parent=parent)
        pages, busy = (a - b for a, b in zip(_written(stage), before, strict=True))
        copied = sum(
            entry.stat().st_blocks * 512
            for entry in os.scandir(folder)
            if entry.name.startswith(path.name) and entry.name != path.name
        )
        if kind == "incremental" or kind == "snapshot":
            self._last[login] = path
        image = path.stat().st_size
        return {
            "pushed_pages": pages,
            "resident_pages": resident,
            "in_swap_pages": swapped,
            "image_bytes": image,
            "copied_bytes": copied,
            "written_bytes": pages * PAGE_SIZE + copied + image,
            "freeze_s": busy / 1e9 + copied / PAGE_SIZE * self._each_page(login) / 1e9,
        }

    def _each_page(self, login: str) -> int:
        """ns for a page that is read and written again on the device of a login."""
        name = self._stage.division.of_login[login].device
        if name is None:
            return 0
        config = self._stage.devices[name].config
        return config.read_page + config.write_page


def _resident(stage: Stage, login: str) -> list[int]:
    from swapfast.kernel.mmap import counts

    tasks = {
        id(task.mm): task.mm
        for task in stage.machine.tasks.values()
        if task.alive and task.swap_ns is stage.logins[login].swap_ns
    }
    return [counts(mm)[0] for mm in tasks.values()]


def _written(stage: Stage) -> tuple[int, int]:
    """Pages, and ns of devices, so far."""
    told = [device.counters() for device in stage.devices.values()]
    return sum(one["pages_out"] for one in told), sum(one["busy_ns"] for one in told)
