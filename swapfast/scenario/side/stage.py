"""The machine of a run, set up: devices, areas, cgroups and logins.

- ``Stage``: all of them, by name.
- ``set_stage(scenario, scope, seed, folder)``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from swapfast import flags as f
from swapfast.kernel.control import Cgroup
from swapfast.kernel.state import SwapArea, Task
from swapfast.machine import Machine
from swapfast.scenario.computer import make_machine
from swapfast.scenario.plan import Area, Plan
from swapfast.scenario.side.scopes import Division, divide
from swapfast.scenario.tables import Scenario
from swapfast.scenario.tables.cgroup import LIMITED, Setting, text_for
from swapfast.scenario.tables.scope import ScopeTable
from swapfast.swapfile import mkswap
from swapfast.units import PAGE_SIZE

if TYPE_CHECKING:
    from swapfast.together import Demotion, Device

__all__ = ["Stage", "set_stage"]


@dataclass
class Stage:
    """A machine before the first program starts.

    Attributes
    ----------
    machine : Machine
    scenario : Scenario
    plan : Plan
    scope : ScopeTable
    seed : int
    folder : Path or None
        Of the swapfiles, with contents.
    division : Division
        Whose areas are whose.
    devices, areas, cgroups, logins : dict
        By their names in the file; a cgroup by its path.
    demotion : Demotion or None
        What moves pages in swap, where the scope asks for it.
    """

    machine: Machine
    scenario: Scenario
    plan: Plan
    scope: ScopeTable
    seed: int
    folder: Path | None
    division: Division
    devices: dict[str, Device] = field(default_factory=dict)
    areas: dict[str, SwapArea] = field(default_factory=dict)
    cgroups: dict[str, Cgroup] = field(default_factory=dict)
    logins: dict[str, Task] = field(default_factory=dict)
    demotion: Demotion | None = None

    def turn_on(self, one: Area, task: Task | None = None, *, private: bool = False) -> SwapArea:
        """Make a swapfile and turn it on, for everybody or in the namespace of a task."""
        device = None if one.device is None else self.devices[one.device]
        if self.folder is None:
            area = self.machine.add_swap(
                one.size,
                priority=one.priority,
                device=device,
                task=task,
                private=private,
            )
        else:
            path = self.folder / one.name
            mkswap(path, size=one.size)
            flags = 0 if one.priority is None else f.SWAP_FLAG_PREFER | one.priority
            if private:
                flags |= f.SWAP_FLAG_PRIVATE
            (task or self.machine.init).swapon(path, flags)
            area = self.machine.kernel.area_of_file[_identity(path)]
            if device is not None:
                device.carry(area)
        self.areas[one.name] = area
        return area

    def write(self, path: str, file: str, value: Setting) -> None:
        """Write to a file of a cgroup."""
        text = text_for(file, value)
        if text == LIMITED:
            text = str(self._limited(path))
        self.cgroups[path][file] = text

    def _limited(self, path: str) -> int:
        """Kubernetes' LimitedSwap: the share of all swap that the request is of the memory."""
        request = next(one.request for one in self.plan.groups if one.path == path)
        assert request is not None, "it was asked for with the file"
        swap = sum(one.size for one in self.plan.areas)
        share = swap * request // self.scenario.machine.memory
        return share // PAGE_SIZE * PAGE_SIZE


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def set_stage(
    scenario: Scenario, plan: Plan, scope: ScopeTable, seed: int, folder: Path | None
) -> Stage:
    """A machine with everything on it but programs.

    Raises
    ------
    OSError
        Whatever a system call of the scenario said.
    """
    machine = make_machine(scenario.machine, contents=folder is not None, scope=scope)
    stage = Stage(machine, scenario, plan, scope, seed, folder, divide(scenario, plan, scope))
    for i, one in enumerate(scenario.device):
        stage.devices[one.name] = machine.device(
            one.name, one.preset, seed=seed * 4096 + i, **one.settings
        )
    later = {one.swapon for one in scenario.action if one.swapon is not None}
    division = stage.division
    for area in division.common:
        if area.name not in later:
            stage.turn_on(area)
    for group in plan.groups:
        stage.cgroups[group.path] = machine.cgroup(group.path)
    for area in division.of_cgroup.values():
        stage.turn_on(area, private=True)
    _log_in(stage)
    for group in plan.groups:
        for file, value in {**group.files, **division.files_of(group.path)}.items():
            stage.write(group.path, file, value)
    stage.demotion = division.settle(stage)
    return stage


def _log_in(stage: Stage) -> None:
    for member in stage.plan.members:
        own = stage.division.of_login.get(member.name)
        flags = f.SIGCHLD | (f.NEWSWAP | f.NEWIPC if own is not None else 0)
        task = stage.machine.init.clone(flags, member.name)
        task.oom_score_adj = -1000  # a shell: its programs are meant
        stage.logins[member.name] = task
        if own is not None:
            stage.turn_on(own, task)
