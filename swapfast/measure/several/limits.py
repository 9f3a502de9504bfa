"""Limits of a scenario as files of the kernel: pages of the programs, on top of what is there.

- ``paths(scenario)``: the groups to make, each after the one above it.
- ``limits(scenario, top)``: (file, text) in the order in which they are written.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from swapfast.contention.setup import ScenarioSetup
from swapfast.measure.host import Group
from swapfast.units import PAGE_SIZE

__all__ = ["FILES_V2", "has_groups_below", "limits", "paths"]

#: Key of a scenario's cgroup -> file of cgroup v2.
FILES_V2 = {
    "max": "memory.max",
    "high": "memory.high",
    "low": "memory.low",
    "min": "memory.min",
    "swap_max": "memory.swap.max",
    "swap_high": "memory.swap.high",
    "oom_group": "memory.oom.group",
}
SWAP = ("swap_max", "swap_high")  # nothing is swapped out yet: no more is there


def paths(scenario: ScenarioSetup) -> list[str]:
    """Groups of a scenario below that of the measurement, those above a group before it."""
    found: dict[str, None] = {}
    for group in scenario.cgroup:
        parts = group.path.strip("/").split("/")
        found |= dict.fromkeys("/".join(parts[: i + 1]) for i in range(len(parts)))
    return sorted(found, key=lambda path: path.count("/"))


def has_groups_below(path: str, every: list[str]) -> bool:
    """Whether a group is no end of the tree."""
    return any(other.startswith(f"{path}/") for other in every)


def limits(scenario: ScenarioSetup, top: Group) -> Iterator[tuple[Path, str]]:
    """What is written once all programs are ready.

    Raises
    ------
    OSError, KeyError
        The statistics of a group cannot be read, or lack a name.
    """
    for row in scenario.cgroup:
        group = top.child(row.path)
        held = group.charged()
        for name, file in FILES_V2.items():
            value = getattr(row, name)
            if name == "oom_group":
                if value:
                    yield group.path / file, "1"
            elif value is not None:
                size = value * PAGE_SIZE + (0 if name in SWAP else held)
                yield group.limit if name == "max" else group.path / file, str(size)
