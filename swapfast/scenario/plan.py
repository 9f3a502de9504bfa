"""A scenario of programs side by side with its copies counted out: who there is, by name.

- ``plan(scenario)``: a ``Plan`` of ``Area``, ``Group``, ``Member`` (a login) and ``Runner`` (a
  program).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from swapfast.scenario.tables import Scenario
from swapfast.scenario.tables.base import copies
from swapfast.scenario.tables.cgroup import Setting
from swapfast.scenario.tables.login import Login, parse_start
from swapfast.scenario.tables.programs import LtpProgram, SideProgram

__all__ = ["Area", "Group", "Member", "Plan", "Runner", "expanded", "plan"]


@dataclass(frozen=True)
class Area:
    """A swapfile: bytes, the device by name, and its priority."""

    name: str
    size: int
    device: str | None
    priority: int | None


@dataclass(frozen=True)
class Group:
    """A cgroup: what is written to which file."""

    path: str
    files: Mapping[str, Setting]
    watch: bool
    kind: str | None
    request: int | None


@dataclass(frozen=True)
class Member:
    """A login: which swapfiles it turns on, in a namespace of its own where a scope says so."""

    name: str
    swapon: tuple[str, ...]
    cgroup: str | None
    namespace: bool


@dataclass(frozen=True)
class Runner:
    """A program.

    Attributes
    ----------
    name : str
        The login's, where that has one program; else with its number.
    login : str
    table : SideProgram
    place : tuple of int
        Its login and program in the file: copies share the references.
    cgroup : str or None
        Path; a group of its own below the login's, where it has a limit of its own.
    start : tuple of int
        First and last ns that its start is drawn from.
    stop : int
        ns.
    """

    name: str
    login: str
    table: SideProgram
    place: tuple[int, int]
    cgroup: str | None
    start: tuple[int, int]
    stop: int


@dataclass(frozen=True)
class Plan:
    """All of them, in the order of the file."""

    areas: tuple[Area, ...]
    groups: tuple[Group, ...]
    members: tuple[Member, ...]
    runners: tuple[Runner, ...]

    @property
    def watched(self) -> tuple[Group, ...]:
        """Cgroups that say ``watch``; where none does, all of them."""
        return tuple(group for group in self.groups if group.watch) or self.groups


def expanded(pattern: str, count: int | None) -> list[str]:
    """Names of the copies; without a count it is one name as it is."""
    return [pattern] if count is None else copies(pattern, count)


def plan(scenario: Scenario) -> Plan:
    """Count the copies out."""
    assert scenario.run is not None, "programs run one after the other there"
    areas = [
        Area(name, one.size, one.device, one.priority)
        for one in scenario.swapfile
        for name in expanded(one.name, one.count)
    ]
    groups = [
        Group(path, one.files, one.watch, one.kind, one.request)
        for one in scenario.cgroup
        for path in expanded(one.path, one.count)
    ]
    members: list[Member] = []
    runners: list[Runner] = []
    for number, login in enumerate(scenario.login):
        for i, name in enumerate(expanded(login.name, login.count)):
            cgroup = None if login.cgroup is None else _of_copy(login, login.cgroup, i)
            swapon = tuple(_of_copy(login, one, i) for one in login.swapon)
            members.append(Member(name, swapon, cgroup, login.namespace))
            runners += _runners(login, number, name, cgroup, scenario.run.stop)
    return Plan(tuple(areas), tuple(groups), tuple(members), tuple(runners))


def _of_copy(login: Login, pattern: str, i: int) -> str:
    return pattern if login.count is None else pattern.replace("{i}", str(i))


def _runners(
    login: Login, number: int, name: str, cgroup: str | None, stop: int
) -> Iterator[Runner]:
    tables = [table for table in login.program if not isinstance(table, LtpProgram)]
    for k, table in enumerate(tables):
        own = name if len(tables) == 1 else f"{name}.{k}"
        if table.name is not None:
            own = table.name if login.count is None else f"{name}.{table.name}"
        group = cgroup
        if table.memory is not None:
            group = f"{cgroup or ''}/{own}"
        yield Runner(
            own,
            name,
            table,
            (number, k),
            group,
            parse_start(login.start if table.start is None else table.start),
            min(stop, *(t for t in (login.stop, table.stop) if t is not None), stop),
        )
