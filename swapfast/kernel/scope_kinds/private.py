"""Swapfiles of cgroups (2014): memory.swapfile.

An area that is turned on with SWAP_FLAG_PRIVATE is used by those cgroups alone that name it, and
they use no other: when it is full, a page stays in memory. Half full, which is when a page that is
read back gives its slot up, is a question to each private area; the public ones answer together.

Source: Yu Zhao, Suleiman Souhlal, Jamie Liu, "Per-cgroup swap file support", v2, 2 April 2014.
"""

from __future__ import annotations

import errno
import os
from typing import ClassVar

from swapfast import flags as f
from swapfast.errors import system_error
from swapfast.kernel.control_file import File, refuse
from swapfast.kernel.group_scopes import Table
from swapfast.kernel.groups import GroupRow
from swapfast.kernel.scope_kinds.kind import Kind, effective
from swapfast.kernel.state import Kernel, SwapArea

__all__ = ["Private"]

AREA, NONE = "area", "none"  # words: the type of an area, and that there is none


def _private_area(kernel: Kernel, path: str) -> SwapArea:
    area = kernel.area_of_file.get(path)  # a simulated device
    if area is None:
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            status = None
        if status is not None:
            area = kernel.area_of_file.get((status.st_dev, status.st_ino))
    if area is None or not area.private:
        refuse(path, 'a swapfile that is on with SWAP_FLAG_PRIVATE, "default" or "none"')
    return area


def _write(kernel: Kernel, row: GroupRow, text: str) -> None:
    if not kernel.init.capable(f.CAP_SYS_ADMIN):
        raise system_error(errno.EPERM, "memory.swapfile needs CAP_SYS_ADMIN")
    chosen = kernel.groups.chosen
    if text == "default":
        chosen.pop(row.number, None)
    elif text == "none":
        chosen[row.number] = {NONE: ""}
    else:
        chosen[row.number] = {AREA: _private_area(kernel, text).type}


def _read(kernel: Kernel, row: GroupRow) -> str:
    words = kernel.groups.chosen.get(row.number, {})
    if AREA in words:
        return f"{kernel.areas[int(words[AREA])].path}\n"
    return "none\n" if NONE in words else "default\n"


class Private(Kind):
    """memory.swapfile."""

    files: ClassVar = {"memory.swapfile": File(_read, _write)}
    swapon_flags = f.SWAP_FLAG_PRIVATE

    def table(self, kernel: Kernel, row: GroupRow, shared: Table) -> Table:
        """The one area, or none; what the nearest group says that says something."""
        words = effective(kernel, row)
        if AREA in words:
            return Table((kernel.areas[int(words[AREA])].number,), (0,))
        return Table() if NONE in words else shared

    def area_goes(self, kernel: Kernel, area: SwapArea) -> None:
        """swapoff: who names the area says "default" again."""
        chosen = kernel.groups.chosen
        for number in [n for n, words in chosen.items() if words.get(AREA) == area.type]:
            del chosen[number]
