"""Which runs a comparison needs: scopes, devices and kernels as columns, seeds as their runs.

- ``plan(work, ...)``: a ``Plan``: columns, what each is held against, seeds, the scenario.
"""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from swapfast.compare.cells import Cell, Work
from swapfast.compare.columns import Column, baselines, names_of
from swapfast.devices import PRESETS
from swapfast.scenario import Scenario, open_scenario

__all__ = ["Plan", "plan"]

MOST_CELLS = 100_000


@dataclass(frozen=True)
class Plan:
    """What is to be run.

    Attributes
    ----------
    work : Work
    scenario : Scenario
        The scenario as it is without replacing anything but ``sets``.
    columns : tuple of Column
    against : tuple of int
        As `swapfast.compare.comparison.Comparison.against`.
    seeds : int
    first : int
        The first seed.
    """

    work: Work
    scenario: Scenario
    columns: tuple[Column, ...]
    against: tuple[int, ...]
    seeds: int
    first: int = 0

    @property
    def cells(self) -> list[Cell]:
        """All runs: the first seed of every column, then the second, and so on."""
        return [
            self.work.cell(dict(column.params), column.scope, seed)
            for seed in range(self.first, self.first + self.seeds)
            for column in self.columns
        ]


def plan(
    work: Work,
    *,
    scopes: Sequence[str] = (),
    devices: Sequence[str] = (),
    profiles: Sequence[str] = (),
    sets: Mapping[str, str] | None = None,
    seeds: int | None = None,
    baseline: str | None = None,
) -> Plan:
    """Lay out a comparison; every column is checked before anything runs.

    Parameters
    ----------
    work : Work
    scopes : sequence of str
        Names of scopes; by default all of the scenario.
    devices : sequence of str
        Presets that take the place of every device that is not compressed memory.
    profiles : sequence of str
        Kernels.
    sets : mapping
        Keys of the scenario, and what takes the place of their values in all columns.
    seeds : int, optional
        How many; by default what the scenario says.
    baseline : str, optional
        A scope, against which others of the same device and kernel are held; or a whole column.
        By default the first.

    Raises
    ------
    ValueError
        Something that is not there. A ScenarioError for keys.
    """
    opened = open_scenario(work.source)
    sets = dict(sets or {})
    scenario = opened.scenario(sets)
    wanted = list(scenario.scopes)
    if scopes:
        wanted = [name for text in scopes for name in names_of("scope", text, scenario.scopes)]
    presets = [name for text in devices for name in names_of("device", text, list(PRESETS))]
    kernels = [name.strip() for text in profiles for name in text.split(",")]
    columns = []
    for preset, kernel in itertools.product(presets or [""], kernels or [""]):
        params = dict(sets)
        if preset:
            params |= dict.fromkeys(_device_keys(work.text), preset)
        if kernel:
            params["machine.profile"] = f'"{kernel}"'  # or 6.18 would be a number
        opened.scenario(params)
        for scope in wanted:
            label = " ".join(filter(None, (scope, preset, kernel)))
            columns.append(Column(scope, tuple(params.items()), label))
    count = scenario.seeds if seeds is None else seeds
    first = 0 if scenario.run is None else scenario.run.seed
    if len(columns) * count > MOST_CELLS:
        raise ValueError(f"{len(columns) * count:,} runs: {MOST_CELLS:,} are the most")
    return Plan(work, scenario, tuple(columns), baselines(columns, baseline), count, first)


def _device_keys(text: str) -> list[str]:
    """Keys of the presets of all devices that have a queue."""
    found = []
    for device in tomllib.loads(text).get("device", []):
        preset = PRESETS.get(device.get("preset", "lab"))
        compressed = preset is not None and preset.keys.get("synchronous", False)
        if not device.get("synchronous", compressed):
            found.append(f"device.{device.get('name')}.preset")
    if not found:
        raise ValueError("device: the scenario has no device whose preset could be replaced")
    return found
