"""Checkpoints within a run, and what each of them cost.

- ``Saver``: makes them in a folder beside the swapfiles.

The programs do not wait: the cost is told, and it is not part of their time. ``freeze_s`` is how
long the job would stand still: each page that is written takes its time in the device's pipe, and a
page that is copied is read before.
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

from swapfast.errors import system_error
from swapfast.kernel.mmap import counts
from swapfast.kernel.records import Kind
from swapfast.scenario.side.stage import Stage
from swapfast.units import PAGE_SIZE

if TYPE_CHECKING:
    from swapfast.core.area_table import AreaInfo

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

    def save(self, login: str, kind: Kind) -> tuple[str, dict[str, float]]:
        """Make a checkpoint; returns its name, and its cost in pages, bytes and seconds.

        The first incremental one of a login is a whole copy, and its name is "copy".

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
        resident, swapped = _pages(stage, login)
        before = self._info(login)
        stage.machine.checkpoint(namespace, path, kind=kind, parent=parent)
        after = self._info(login)
        pushed = after["pswpout"] - before["pswpout"]
        if parent is not None:
            copied = _files_of(path) // PAGE_SIZE
        else:  # every page that the job has
            copied = resident + swapped if kind in ("snapshot", "incremental") else 0
        if kind == "incremental":
            self._last[login] = path
        image = path.stat().st_size
        write, read = self._each_page(login)
        return "copy" if kind == "incremental" and parent is None else kind, {
            "pushed_pages": pushed,
            "resident_pages": resident,
            "in_swap_pages": swapped,
            "image_bytes": image,
            "copied_bytes": copied * PAGE_SIZE,
            "written_bytes": (pushed + copied) * PAGE_SIZE + image,
            "freeze_s": (pushed * write + copied * (read + write)) / 1e9,
        }

    def _info(self, login: str) -> AreaInfo:
        areas = self._stage.logins[login].swap_ns.areas
        if not areas:
            raise system_error(errno.EINVAL, f"login {login} has no swapfile of its own")
        return areas[0].info

    def _each_page(self, login: str) -> tuple[int, int]:
        """ns of the device of a login for a page that is written, and for one that is read."""
        own = self._stage.division.of_login.get(login)
        if own is None or own.device is None:
            return 0, 0
        config = self._stage.devices[own.device].config
        return config.write_page, config.read_page


def _files_of(path: Path) -> int:
    """Bytes on the disk of what lies beside an image."""
    return sum(
        one.stat().st_blocks * 512
        for one in path.parent.iterdir()
        if one.name.startswith(path.name) and one != path
    )


def _pages(stage: Stage, login: str) -> tuple[int, int]:
    """Pages in memory, and in swap alone, of all tasks of a login."""
    mms = {
        id(task.mm): task.mm
        for task in stage.machine.tasks.values()
        if task.alive and task.swap_ns is stage.logins[login].swap_ns
    }
    each = [counts(mm) for mm in mms.values()]
    return sum(one[0] for one in each), sum(one[1] for one in each)
