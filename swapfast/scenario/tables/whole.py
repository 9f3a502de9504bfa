"""The whole file.

- ``Scenario``.
- ``LAYOUT``: its models by the names of their tables, for `swapfast.scenario.places`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from swapfast.scenario.places import Layout
from swapfast.scenario.tables.action import (
    ActionTable,
    CheckpointAction,
    ReclaimAction,
    SetAction,
)
from swapfast.scenario.tables.base import MOST_ITEMS, Strict
from swapfast.scenario.tables.cgroup import CgroupTable
from swapfast.scenario.tables.expect import ExpectTable
from swapfast.scenario.tables.login import Login
from swapfast.scenario.tables.machine import MachineModel
from swapfast.scenario.tables.programs import (
    GeneratorProgram,
    LaunchProgram,
    LtpProgram,
    PhasesProgram,
    PhaseTable,
    TraceProgram,
)
from swapfast.scenario.tables.run import Plot, RunTable
from swapfast.scenario.tables.scope import DemoteTable, ScopeTable
from swapfast.scenario.tables.storage import DeviceTable, Swapfile, Tier

__all__ = ["LAYOUT", "SHARED", "Scenario"]

SHARED = ScopeTable(name="shared", kind="shared")
"""The scope of a file that names none."""


class Scenario(Strict):
    """A whole scenario file."""

    title: str = Field(default="scenario", max_length=500, description="above what is shown")
    run: RunTable | None = None
    machine: MachineModel = Field(default_factory=MachineModel)
    device: tuple[DeviceTable, ...] = Field(default=(), max_length=MOST_ITEMS)
    swapfile: tuple[Swapfile, ...] = Field(default=(), max_length=MOST_ITEMS)
    cgroup: tuple[CgroupTable, ...] = Field(default=(), max_length=MOST_ITEMS)
    tier: tuple[Tier, ...] = Field(default=(), max_length=31)
    login: tuple[Login, ...] = Field(min_length=1, max_length=MOST_ITEMS)
    scope: tuple[ScopeTable, ...] = Field(default=(), max_length=MOST_ITEMS)
    action: tuple[ActionTable, ...] = Field(default=(), max_length=MOST_ITEMS)
    expect: tuple[ExpectTable, ...] = Field(default=(), max_length=MOST_ITEMS)
    plot: tuple[Plot, ...] = Field(default=(), max_length=MOST_ITEMS)

    @model_validator(mode="before")
    @classmethod
    def _kernel_side_by_side(cls, data: Any) -> Any:
        """The kernel of 2008 is the default of the letter's file alone."""
        if not isinstance(data, Mapping) or "run" not in data:
            return data
        machine = data.get("machine", {})
        if not isinstance(machine, Mapping) or "profile" in machine:
            return data
        return {**data, "machine": {**machine, "profile": "6.18"}}

    @property
    def side_by_side(self) -> bool:
        """Whether programs run at once, in virtual time."""
        return self.run is not None

    @property
    def scopes(self) -> tuple[str, ...]:
        """Names of its scopes; one at least."""
        return tuple(one.name for one in self.scope) or (SHARED.name,)

    @property
    def seeds(self) -> int:
        """How many runs make a column of a comparison."""
        return 1 if self.run is None else self.run.seeds

    @property
    def default_metrics(self) -> tuple[str, ...]:
        """Rows of a comparison, as patterns of metrics."""
        return () if self.run is None else self.run.metrics

    def scope_named(self, name: str) -> ScopeTable:
        """The scope of that name.

        Raises
        ------
        ValueError
            There is none.
        """
        for one in self.scope or (SHARED,):
            if one.name == name:
                return one
        raise ValueError(
            f"no scope {name!r:.60} in {self.title!r}; there are {_listed(self.scopes)}"
        )


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(repr(name) for name in names)


LAYOUT = Layout(
    Scenario,
    {
        "run": RunTable,
        "machine": MachineModel,
        "device": DeviceTable,
        "swapfile": Swapfile,
        "cgroup": CgroupTable,
        "tier": Tier,
        "login": Login,
        "ltp": LtpProgram,
        "trace": TraceProgram,
        "generator": GeneratorProgram,
        "phases": PhasesProgram,
        "phase": PhaseTable,
        "launch": LaunchProgram,
        "scope": ScopeTable,
        "demote": DemoteTable,
        "action": ActionTable,
        "set": SetAction,
        "reclaim": ReclaimAction,
        "checkpoint": CheckpointAction,
        "expect": ExpectTable,
        "plot": Plot,
    },
    kinds=frozenset(("ltp", "trace", "generator", "phases", "launch")),
)
