"""What the scenarios of a truth of several programs were: every key of such a file.

- ``Setup``: the whole file: ``[machine]``, ``[latency]``, ``[[swap]]``, ``[[disk]]``,
  ``[[scenario]]``.
- ``ScenarioSetup``: one scenario, of ``SwapUse``, ``GroupSetup`` and ``ProgramSetup``.
- ``load(path)``: a ``Setup``, or a ``ScenarioError`` with every mistake and its place.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from swapfast.devices import DeviceConfig
from swapfast.kernel.choices import STATISTICS, TIMES
from swapfast.scenario.places import Layout, parse, read
from swapfast.units import parse_duration, parse_size
from swapfast.validate import LRUS

__all__ = [
    "DiskSetup",
    "GroupSetup",
    "LatencySetup",
    "MachineSetup",
    "ProgramSetup",
    "ScenarioSetup",
    "Setup",
    "SwapUse",
    "load",
]

MOST = 1000  # scenarios, programs of one, ...: more is a mistake
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
PATH = r"^(/[A-Za-z0-9][A-Za-z0-9._-]{0,63})+$"
Pages = int | None
_EIGHTHS = 3  # buckets of a power of two, as a power of two


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MachineSetup(_Strict):
    """``[machine]``: the computer, and what its kernel's work costs."""

    memory: int = Field(default=1 << 30, description="RAM, like '1GiB'")
    policy: str | None = Field(
        default=None, description="for each run that of its kernel; one alone plays no others"
    )
    lru_gen_rule: Literal["always", "fault", "ticks"] = Field(
        default="always", description="of linux-6.18-mglru: the rule whose errors are told"
    )
    cpus: int | None = Field(default=None, ge=1, le=4096, description="one a program by default")
    slice: int = Field(default=3_000_000, description="how long one runs before another")
    page_cluster: int = Field(default=0, ge=0, le=5)
    swappiness: int = Field(default=60, ge=0, le=200)
    statistics: Literal["exact", "stale"] = "exact"
    phases: int = Field(
        default=20, ge=1, le=1000, description="first refreshes of stale statistics, spread evenly"
    )
    think: int = Field(default=TIMES["reference"], ge=1, description="time of a reference")
    stagger: int = Field(
        default=0,
        description="all programs but the first start so much later in each repeat, where the "
        "truth does not say when",
    )
    times: dict[str, int] = Field(default_factory=dict, description="costs in ns")

    _memory = field_validator("memory", mode="before")(lambda value: parse_size(value))
    _durations = field_validator("slice", "think", "stagger", mode="before")(
        lambda value: parse_duration(value)
    )

    @field_validator("times")
    @classmethod
    def _known(cls, value: dict[str, int]) -> dict[str, int]:
        unknown = sorted(set(value) - set(TIMES))
        if unknown:
            raise ValueError(f"no cost {', '.join(unknown)}; there are {', '.join(TIMES)}")
        if any(not 0 <= ns < 1 << 32 for ns in value.values()):
            raise ValueError("a cost is 0 to 4.2 s, in ns")
        return value

    @field_validator("policy")
    @classmethod
    def _a_kernel(cls, value: str | None) -> str | None:
        if value not in (None, *LRUS.values()):
            raise ValueError(f"policy {value!r:.40} is not one of {', '.join(LRUS.values())}")
        return value

    @property
    def first_refreshes(self) -> tuple[int | None, ...]:
        """Phases of the statistics, in ns; one None where they are exact."""
        if self.statistics == STATISTICS[0]:
            return (None,)
        return tuple(i * 2_000_000_000 // self.phases for i in range(self.phases))


class LatencySetup(_Strict):
    """``[latency]``: which references the truth's quantiles are of, and how it shows them."""

    slow: int = Field(default=0, description="only those that took longer")
    unit: int = Field(
        default=1, description="buckets are eighths between powers of two of this unit"
    )
    shown: Literal["exact", "lower", "middle"] = Field(
        default="exact", description="a quantile is the lower edge or the middle of its bucket"
    )

    _durations = field_validator("slow", "unit", mode="before")(lambda value: parse_duration(value))

    def as_shown(self, ns: int) -> float:
        """A time in us as a truth shows it: exact, or the lower edge or middle of its bucket."""
        units = ns // self.unit
        if self.shown == "exact" or not units:
            return ns / 1e3
        width = 1 << max(units.bit_length() - 1 - _EIGHTHS, 0)
        lower = units // width * width
        return float(lower + (width / 2 if self.shown == "middle" else 0)) * self.unit / 1e3


class DiskSetup(BaseModel):
    """``[[disk]]``: a device with one area on it; other keys are those of `Machine.device`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str = Field(pattern=NAME)
    size: int
    preset: str = "lab"

    _size = field_validator("size", mode="before")(lambda value: parse_size(value))

    @model_validator(mode="after")
    def _settings(self) -> DiskSetup:
        DeviceConfig.of(self.preset, **(self.model_extra or {}))
        return self


class SwapUse(_Strict):
    """``swap``: a disk that is swapped to."""

    disk: str
    priority: int = Field(ge=0, le=32767)


class GroupSetup(_Strict):
    """``cgroup``: a cgroup with limits, in pages on top of what it holds without the programs."""

    path: str = Field(pattern=PATH)
    max: Pages = Field(default=None, ge=0)
    high: Pages = Field(default=None, ge=0)
    low: Pages = Field(default=None, ge=0)
    min: Pages = Field(default=None, ge=0)
    swap_max: Pages = Field(default=None, ge=0)
    swap_high: Pages = Field(default=None, ge=0)
    oom_group: bool = False


class ProgramSetup(_Strict):
    """``program``: one that touches the pages of a trace."""

    name: str = Field(pattern=NAME)
    trace: str = Field(pattern=NAME, description="the file's name without its suffix")
    cgroup: str = Field(pattern=PATH)
    start: int = Field(default=0, description="where the truth has no start_s")
    stop: int | None = Field(default=None, description="loops until so long after its start")

    _durations = field_validator("start", "stop", mode="before")(
        lambda value: None if value is None else parse_duration(value)
    )


class ScenarioSetup(_Strict):
    """``[[scenario]]``: programs that ran at once."""

    name: str = Field(pattern=NAME)
    swap: tuple[SwapUse, ...] | None = Field(default=None, max_length=MOST)
    cgroup: tuple[GroupSetup, ...] = Field(default=(), max_length=MOST)
    program: tuple[ProgramSetup, ...] = Field(min_length=1, max_length=MOST)
    killed: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="of a repeat under the classic LRU, programs without a line in the truth: the "
        "OOM killer took them",
    )

    @model_validator(mode="after")
    def _names_agree(self) -> ScenarioSetup:
        wrong = _twice("cgroup", (one.path for one in self.cgroup))
        wrong += _twice("program", (one.name for one in self.program))
        paths = {one.path for one in self.cgroup}
        for program in self.program:
            if program.cgroup not in paths:
                wrong.append(f"program {program.name} is in {program.cgroup}, which is no cgroup")
        names = {one.name for one in self.program}
        for repeat, dead in self.killed.items():
            wrong += [f"killed.{repeat}: no program {n}" for n in dead if n not in names]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self


class Setup(_Strict):
    """A whole file."""

    title: str = "programs side by side"
    machine: MachineSetup = Field(default_factory=MachineSetup)
    latency: LatencySetup = Field(default_factory=LatencySetup)
    swap: tuple[SwapUse, ...] = Field(default=(), description="where a scenario has no own")
    disk: tuple[DiskSetup, ...] = Field(min_length=1, max_length=MOST)
    scenario: tuple[ScenarioSetup, ...] = Field(min_length=1, max_length=MOST)

    @model_validator(mode="after")
    def _names_agree(self) -> Setup:
        wrong = _twice("disk", (one.name for one in self.disk))
        wrong += _twice("scenario", (one.name for one in self.scenario))
        disks = {one.name for one in self.disk}
        for scenario in self.scenario:
            for use in self.swap_of(scenario):
                if use.disk not in disks:
                    wrong.append(f"scenario {scenario.name} swaps to {use.disk}, which is no disk")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    def swap_of(self, scenario: ScenarioSetup) -> tuple[SwapUse, ...]:
        """What a scenario swaps to."""
        return self.swap if scenario.swap is None else scenario.swap

    def named(self, name: str) -> ScenarioSetup | None:
        """The scenario of that name, if there is one."""
        return next((one for one in self.scenario if one.name == name), None)


LAYOUT = Layout(
    Setup,
    {
        "machine": MachineSetup,
        "latency": LatencySetup,
        "swap": SwapUse,
        "disk": DiskSetup,
        "scenario": ScenarioSetup,
        "cgroup": GroupSetup,
        "program": ProgramSetup,
    },
)


def _twice(what: str, names: Iterable[str]) -> list[str]:
    return [f"{what} {n} is there more than once" for n, k in Counter(names).items() if k > 1]


def load(path: str | os.PathLike[str]) -> Setup:
    """Read a file of scenarios.

    Raises
    ------
    OSError
        The file cannot be read.
    ScenarioError
        Every mistake is named, with its place.
    """
    setup: Any = parse(read(path), os.fspath(path), LAYOUT)
    return setup  # type: ignore[no-any-return]
