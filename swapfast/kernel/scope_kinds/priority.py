"""An order of areas for each cgroup (2025): memory.swap.priority.

A list of areas by the numbers of their types, each with a priority, or "disabled". Areas that the
list does not name come behind those that it does, by their global priority. The list of a cgroup
without one is that of the nearest one above.

Source: Youngjun Park, "mm/swap, memcg: support per-cgroup swap device priority", v1, 16 July 2025.
"""

from __future__ import annotations

import re
from typing import ClassVar

from swapfast import flags as f
from swapfast.kernel.control_file import File, refuse
from swapfast.kernel.group_scopes import Table
from swapfast.kernel.groups import GroupRow
from swapfast.kernel.scope_kinds.kind import Kind, effective
from swapfast.kernel.state import Kernel, SwapArea

__all__ = ["Priority"]

DISABLED = "disabled"
HIGHEST = f.SWAP_FLAG_PRIO_MASK
NAMED = 1 << 20  # above every global priority


def _write(kernel: Kernel, row: GroupRow, text: str) -> None:
    if not text:
        kernel.groups.chosen.pop(row.number, None)
        return
    words = dict(kernel.groups.chosen.get(row.number, {}))
    for item in re.split(r"\s*,\s*", text):
        match = re.fullmatch(r"([0-9]{1,9}):([0-9]{1,9}|disabled|none)", item)
        if match is None:
            refuse(item, '"id:priority", "id:disabled" or "id:none", separated by commas')
        area = kernel.areas.get(int(match[1]))
        if area is None or not area.namespace.initial:
            refuse(match[1], "the number of an area of the host that is on; see area.type")
        if match[2] == "none":
            words.pop(str(area.type), None)
        elif match[2] == DISABLED:
            words[str(area.type)] = DISABLED
        elif int(match[2]) <= HIGHEST:
            words[str(area.type)] = int(match[2])
        else:
            refuse(match[2], f"a priority from 0 to {HIGHEST}")
    if words:
        kernel.groups.chosen[row.number] = words
    else:
        kernel.groups.chosen.pop(row.number, None)


def _read(kernel: Kernel, row: GroupRow) -> str:
    words = kernel.groups.chosen.get(row.number, {})
    return ",".join(f"{id_}:{value}" for id_, value in words.items()) + "\n"


class Priority(Kind):
    """memory.swap.priority."""

    files: ClassVar = {"memory.swap.priority": File(_read, _write)}

    def table(self, kernel: Kernel, row: GroupRow, shared: Table) -> Table:
        """The own order, then the rest."""
        words = effective(kernel, row)
        if not words:
            return shared
        types = {area.number: str(area.type) for area in kernel.areas.values()}
        areas, ranks = [], []
        for area, rank in zip(shared.areas, shared.ranks, strict=True):
            own = words.get(types[area])
            if own != DISABLED:
                areas.append(area)
                ranks.append(rank if own is None else NAMED + int(own))
        return Table.of(areas, ranks)

    def area_goes(self, kernel: Kernel, area: SwapArea) -> None:
        """Lists forget the area; another one may have its number."""
        for number, words in list(kernel.groups.chosen.items()):
            words.pop(str(area.type), None)
            if not words:
                del kernel.groups.chosen[number]
