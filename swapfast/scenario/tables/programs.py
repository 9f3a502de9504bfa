"""``[[login.program]]``: what a login runs, by ``kind``.

- ``LtpProgram``, ``TraceProgram``, ``GeneratorProgram``: one after the other, or side by side.
- ``PhasesProgram``, ``LaunchProgram``: side by side only.
- ``Program``: any of them.
- ``SIDE_BY_SIDE``: keys that mean something only there.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from swapfast.scenario.tables.base import COUNTED, MOST_ITEMS, NAME, Duration, Strict
from swapfast.traces import GENERATORS, HOLD, generate
from swapfast.units import parse_share

__all__ = [
    "SIDE_BY_SIDE",
    "GeneratorProgram",
    "LaunchProgram",
    "LtpProgram",
    "PhaseTable",
    "PhasesProgram",
    "Program",
    "SideProgram",
    "TraceProgram",
]

Forever = Literal["forever"]


class _Program(Strict):
    expect: Literal["done", "killed"] = Field(
        default="done", description="killed: by the OOM killer; anything else is then not ok"
    )


class LtpProgram(_Program):
    """``kind = "ltp"``: the simulated LTP of 2008."""

    kind: Literal["ltp"] = Field(description="the simulated LTP")
    tests: tuple[str, ...] | None = Field(
        default=None, max_length=MOST_ITEMS, description="by name; all by default"
    )
    scale: float | None = Field(
        default=None, gt=0, le=1, description="of LTP's sizes; the memory's share of 2 GiB"
    )


class _Memory(_Program):
    memory: int | str | None = Field(
        default=None, description="limit of the program's memory group: '64MiB' or '50%'"
    )
    # side by side
    name: str | None = Field(default=None, pattern=COUNTED, description="the login's by default")
    start: str | None = Field(
        default=None, description="'2s', or drawn: 'random 0s..20s'; the login's by default"
    )
    stop: Duration | None = Field(default=None, description="the login's by default")
    think: Duration | None = Field(default=None, ge=1, lt=1 << 32, description="of a reference")
    barrier: str | None = Field(
        default=None, pattern=NAME, description="programs wait here for others"
    )
    after: str | None = Field(default=None, description="begins when the program of that name ends")
    restart_after_oom: Duration | None = Field(
        default=None, description="begins again so long after it was killed"
    )

    @field_validator("memory")
    @classmethod
    def _share(cls, value: int | str | None) -> int | str | None:
        if value is not None:
            parse_share(value, 1 << 20)
        return value


class _Looped(_Memory):
    loops: int | Forever = Field(default=1, description="how often, or 'forever' until stop")
    phase: float | Literal["random"] = Field(
        default=0.0, description="where in the references it begins, 0 to 1, or 'random'"
    )

    @field_validator("loops")
    @classmethod
    def _some(cls, value: int | str) -> int | str:
        if isinstance(value, int) and not 1 <= value < 1 << 32:
            raise ValueError("loops is a number from 1 on, or 'forever'")
        return value

    @field_validator("phase")
    @classmethod
    def _within(cls, value: float | str) -> float | str:
        if not isinstance(value, str) and not 0 <= value < 1:
            raise ValueError("phase is from 0 to less than 1, or 'random'")
        return value


class TraceProgram(_Looped):
    """``kind = "trace"``: a page trace of a real program."""

    kind: Literal["trace"] = Field(description="a page trace")
    path: str | None = Field(
        default=None, pattern=r"^[^\x00]+$", description="the file; the bundled trace by default"
    )


class _Pattern(Strict):
    pattern: str = Field(description="of the references: a name of `swapfast.traces.GENERATORS`")
    refs: int = Field(ge=1, le=HOLD, description="they are made before the first is played")
    write_ratio: float = Field(default=0.3, ge=0, le=1, description="share that writes")
    options: dict[str, float] = Field(
        default_factory=dict,
        max_length=MOST_ITEMS,
        description="of the pattern, like {width = 0.1}",
    )

    @field_validator("pattern")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in GENERATORS:
            raise ValueError(f"no pattern {value!r}; there are {', '.join(sorted(GENERATORS))}")
        return value

    @model_validator(mode="after")
    def _options_fit(self) -> _Pattern:
        generate(self.pattern, pages=1, refs=1, fill=False, options=self.options)  # it checks them
        return self


class GeneratorProgram(_Pattern, _Looped):
    """``kind = "generator"``: a seeded synthetic program."""

    kind: Literal["generator"] = Field(description="references drawn from a pattern")
    pages: int = Field(ge=1, le=1 << 28, description="of 4096 bytes")
    seed: int = Field(default=0, ge=0, description="of its references, beside that of the run")
    fill: bool = Field(default=True, description="every page is written first, in order")


class PhaseTable(Strict):
    """``[[login.program.phase]]``: a pattern of references, or a rest."""

    name: str = Field(default="", description="under which its times are told")
    pattern: str | None = Field(default=None, description="none: the program only rests")
    refs: int | None = Field(default=None, ge=1, le=HOLD, description="references of the phase")
    write_ratio: float = Field(default=0.3, ge=0, le=1, description="share that writes")
    options: dict[str, float] = Field(
        default_factory=dict,
        max_length=MOST_ITEMS,
        description="of the pattern, like {width = 0.1}",
    )
    think: Duration | None = Field(
        default=None, ge=1, lt=1 << 32, description="of a reference; the program's by default"
    )
    idle: Duration = Field(default=0, description="it rests so long before")

    @model_validator(mode="after")
    def _something(self) -> PhaseTable:
        if self.pattern is None:
            if self.refs is not None or not self.idle:
                raise ValueError("a phase has a pattern with refs, or is idle for a time")
            return self
        if self.pattern not in GENERATORS:
            known = ", ".join(sorted(GENERATORS))
            raise ValueError(f"no pattern {self.pattern!r}; there are {known}")
        if self.refs is None:
            raise ValueError("a pattern has refs: how many references")
        generate(self.pattern, pages=1, refs=1, fill=False, options=self.options)
        return self


class PhasesProgram(_Memory):
    """``kind = "phases"``: one pattern after the other, on the same pages."""

    kind: Literal["phases"] = Field(description="patterns one after the other")
    pages: int = Field(ge=1, le=1 << 28, description="of 4096 bytes")
    phase: tuple[PhaseTable, ...] = Field(
        min_length=1, max_length=MOST_ITEMS, description="one after the other"
    )
    repeat: int | Forever = Field(default=1, description="how often all of them come")
    fill: bool = Field(default=True, description="every page is written first, in order")

    @field_validator("repeat")
    @classmethod
    def _some(cls, value: int | str) -> int | str:
        if isinstance(value, int) and not 1 <= value < 1 << 32:
            raise ValueError("repeat is a number from 1 on, or 'forever'")
        return value

    @model_validator(mode="after")
    def _touches(self) -> PhasesProgram:
        if all(phase.pattern is None for phase in self.phase):
            raise ValueError("a program has one phase at least that touches pages")
        return self


class LaunchProgram(_Memory):
    """``kind = "launch"``: every page is written once, in order, and that is all."""

    kind: Literal["launch"] = Field(description="every page written once")
    pages: int = Field(ge=1, le=1 << 28, description="of 4096 bytes")


Program = Annotated[
    LtpProgram | TraceProgram | GeneratorProgram | PhasesProgram | LaunchProgram,
    Field(discriminator="kind"),
]
SideProgram = TraceProgram | GeneratorProgram | PhasesProgram | LaunchProgram
SIDE_BY_SIDE = (
    *("name", "start", "stop", "think", "barrier", "after", "restart_after_oom"),
    *("loops", "phase", "fill"),
)
