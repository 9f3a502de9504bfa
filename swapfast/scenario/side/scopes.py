"""How a scope divides the swapfiles, and what it writes to the files of cgroups.

- ``Division``: which areas are common, and which are one login's or one cgroup's.
- ``divide(scenario, plan, scope)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from swapfast.scenario.plan import Area, Plan, expanded
from swapfast.scenario.tables import Scenario
from swapfast.scenario.tables.cgroup import Setting
from swapfast.scenario.tables.scope import ScopeTable
from swapfast.units import PAGE_SIZE, parse_size

if TYPE_CHECKING:
    from swapfast.kernel.state import SwapArea
    from swapfast.machine import Machine
    from swapfast.together import Demotion

__all__ = ["Division", "divide"]

LEAST = 10 * PAGE_SIZE  # of a swapfile


class _Stage(Protocol):
    @property
    def machine(self) -> Machine: ...
    @property
    def areas(self) -> Mapping[str, SwapArea]: ...
    @property
    def cgroups(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Division:
    """Whose areas are whose.

    Attributes
    ----------
    scenario : Scenario
    scope : ScopeTable
    common : tuple of Area
        In the initial namespace, nobody's own.
    of_login : dict of str to Area
        Each in the child namespace of a login.
    of_cgroup : dict of str to Area
        Each private to a cgroup.
    """

    scenario: Scenario
    scope: ScopeTable
    common: tuple[Area, ...]
    of_login: Mapping[str, Area]
    of_cgroup: Mapping[str, Area]

    def files_of(self, path: str) -> dict[str, Setting]:
        """What the scope writes to plain files of a cgroup."""
        return _for(path, self.scope.files, self.scenario) or {}

    def settle(self, stage: _Stage) -> Demotion | None:
        """Write what the scope has of its own, once areas and cgroups are there."""
        machine, scope = stage.machine, self.scope
        if self.scenario.tier and scope.kind.startswith("tiers"):
            starts = sorted(self.scenario.tier, key=lambda one: one.priority)
            machine.swap_tiers.write(" ".join(f"+{one.name}:{one.priority}" for one in starts))
        for path, cgroup in stage.cgroups.items():
            if path in self.of_cgroup:
                cgroup["memory.swapfile"] = stage.areas[self.of_cgroup[path].name].path
            order = _for(path, scope.order, self.scenario)
            if order:
                cgroup["memory.swap.priority"] = _order(order, stage.areas)
            for tier, most in (_for(path, scope.tiers, self.scenario) or {}).items():
                cgroup["memory.swap.tiers.max"] = f"{tier} {_amount(most)}"
        told = scope.demote
        if told is None:
            return None
        return machine.demote(
            told.when,
            source=self._end(stage, told.source),
            target=self._end(stage, told.target),
            batch=told.batch,
            high=told.high,
            low=told.low,
            rate=told.rate,
        )

    def _end(self, stage: _Stage, name: str) -> list[SwapArea]:
        """The areas of a tier, or one area."""
        if name in stage.areas:
            return [stage.areas[name]]
        return [stage.areas[one] for one in areas_of_tiers(self.scenario, stage.areas)[name]]


def areas_of_tiers(scenario: Scenario, areas: Mapping[str, SwapArea]) -> dict[str, list[str]]:
    """Names of areas by tier: from its priority on, up to the next one's."""
    starts = sorted(((one.priority, one.name) for one in scenario.tier), reverse=True)
    found: dict[str, list[str]] = {one.name: [] for one in scenario.tier}
    for name, area in areas.items():
        for start, tier in starts:
            # Default priorities are below -1 and count as it.
            if max(area.priority, -1) >= start:
                found[tier].append(name)
                break
    return found


def _for(path: str, given: Mapping[str, Any], scenario: Scenario) -> Any:
    """What is given for a cgroup by its own path, or by the pattern of its copies."""
    if path in given:
        return given[path]
    for one in scenario.cgroup:
        if one.path in given and path in expanded(one.path, one.count):
            return given[one.path]
    return None


def _order(order: str, areas: Mapping[str, SwapArea]) -> str:
    parts = []
    for part in order.split(","):
        name, _, priority = part.partition(":")
        parts.append(f"{areas[name.strip()].type}:{priority.strip()}")
    return ",".join(parts)


def _amount(most: str) -> str:
    return most if most in ("max", "auto") else str(parse_size(most))


def divide(scenario: Scenario, plan: Plan, scope: ScopeTable) -> Division:
    """Whose areas are whose under a scope."""
    logins = [one.name for one in plan.members]
    paths = [one.path for one in plan.groups]
    of_login: dict[str, Area] = {}
    of_cgroup: dict[str, Area] = {}
    common = list(plan.areas)
    if scope.map == "each":
        owners = logins if scope.kind == "swap_ns" else paths
        parts = dict(zip(owners, _cut(plan.areas, owners), strict=True))
        of_login, of_cgroup = (parts, {}) if scope.kind == "swap_ns" else ({}, parts)
        common = []
    elif scope.kind == "swap_ns" and scope.map is None:
        named = {one.name: one for one in plan.areas}
        own = [one for one in plan.members if one.namespace and one.swapon]
        of_login = {one.name: named[one.swapon[0]] for one in own}
    elif isinstance(scope.map, dict):
        named = {one.name: one for one in plan.areas}
        given = {owner: named[files[0]] for owner, files in scope.map.items()}
        of_login, of_cgroup = (given, {}) if scope.kind == "swap_ns" else ({}, given)
    taken = {one.name for one in (*of_login.values(), *of_cgroup.values())}
    return Division(
        scenario,
        scope,
        tuple(one for one in common if one.name not in taken),
        of_login,
        of_cgroup,
    )


def _cut(areas: Iterable[Area], owners: list[str]) -> list[Area]:
    """All swapfiles in equal parts, one for each owner, on the devices in turn."""
    whole = list(areas)
    size = sum(one.size for one in whole) // max(len(owners), 1) // PAGE_SIZE * PAGE_SIZE
    return [
        Area(f"{_stem(owner)}-swap", max(size, LEAST), whole[i % len(whole)].device, None)
        for i, owner in enumerate(owners)
    ]


def _stem(owner: str) -> str:
    return owner.strip("/").replace("/", "-")
