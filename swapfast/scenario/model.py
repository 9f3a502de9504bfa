"""What a scenario file may say. Every key, its type, its default and its meaning are here.

- ``Scenario``: the whole file: ``[machine]``, ``[[swapfile]]``, ``[[login]]``.
- Programs of a login, by ``kind``: ``LtpProgram``, ``TraceProgram``, ``GeneratorProgram``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from swapfast.kernel.options import KernelOptions
from swapfast.kernel.profile import PROFILES
from swapfast.kernel.rules import Rules
from swapfast.traces import GENERATORS, HOLD, generate
from swapfast.units import parse_share, parse_size

__all__ = [
    "GeneratorProgram",
    "Login",
    "LtpProgram",
    "MachineModel",
    "Program",
    "Scenario",
    "Swapfile",
    "TraceProgram",
]

MOST_ITEMS = 1000  # logins, programs of a login, ...: more is a mistake
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


def _size(value: Any) -> int:
    return parse_size(value)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MachineModel(_Strict):
    """``[machine]``: the computer."""

    memory: int = Field(default=256 << 20, description="RAM, like '256MiB'")
    profile: Literal["2.6.25", "6.18", "6.18-mglru"] = Field(default="2.6.25", description="kernel")
    cache: int | None = Field(default=None, description="page cache at boot; a 32nd of the memory")
    bits: Literal[32, 64] = 64
    overcommit: Literal[0, 1, 2] = 0
    swappiness: int = Field(default=60, ge=0, le=200)
    page_cluster: int | None = Field(default=None, ge=0, le=5)
    lru_gen: int | None = Field(
        default=None, ge=0, le=7, description="6.18-mglru: /sys/kernel/mm/lru_gen/enabled"
    )
    lru_gen_rule: Literal["always", "fault", "ticks"] = Field(
        default="always", description="6.18-mglru: which programs an aging walks"
    )
    rules: dict[str, str] = Field(default_factory=dict, description="what the RFC leaves open")

    _sizes = field_validator("memory", "cache", mode="before")(
        lambda value: None if value is None else _size(value)
    )

    @field_validator("memory")
    @classmethod
    def _enough(cls, value: int) -> int:
        if not 1 << 20 <= value <= 1 << 40:
            raise ValueError("memory is between 1MiB and 1TiB")
        return value

    @model_validator(mode="after")
    def _generations(self) -> MachineModel:
        KernelOptions(
            self.memory, self.profile, lru_gen=self.lru_gen, lru_gen_rule=self.lru_gen_rule
        )
        return self

    @model_validator(mode="after")
    def _less_than_memory(self) -> MachineModel:
        if self.cache is not None and self.cache >= self.memory:
            raise ValueError("cache is less than the memory")
        return self

    @field_validator("rules")
    @classmethod
    def _known_rules(cls, value: dict[str, str]) -> dict[str, str]:
        known = [f.name for f in fields(Rules)]
        unknown = sorted(set(value) - set(known))
        if unknown:
            raise ValueError(f"no rule {', '.join(unknown)}; there are {', '.join(known)}")
        Rules(**value)  # type: ignore[arg-type]  # it checks the values itself
        return value


class Swapfile(_Strict):
    """``[[swapfile]]``: a file to make."""

    name: str = Field(pattern=NAME)
    size: int
    label: str | None = Field(default=None, max_length=15)
    wipe: Literal["none", "on-free", "on-swapoff"] = Field(
        default="none", description="whether old bytes in it are overwritten"
    )

    _sizes = field_validator("size", mode="before")(_size)

    @field_validator("size")
    @classmethod
    def _ten_pages(cls, value: int) -> int:
        if value < 10 * 4096:
            raise ValueError("a swapfile has at least 10 pages of 4096 bytes")
        return value


class _Program(_Strict):
    expect: Literal["done", "killed"] = Field(
        default="done", description="killed: by the OOM killer; anything else is then not ok"
    )


class LtpProgram(_Program):
    """``kind = "ltp"``: the simulated LTP of 2008."""

    kind: Literal["ltp"]
    tests: tuple[str, ...] | None = Field(default=None, max_length=MOST_ITEMS)
    scale: float | None = Field(
        default=None, gt=0, le=1, description="of LTP's sizes; the memory's share of 2 GiB"
    )


class _Memory(_Program):
    memory: int | str | None = Field(
        default=None, description="limit of the program's memory group: '64MiB' or '50%'"
    )

    @field_validator("memory")
    @classmethod
    def _share(cls, value: int | str | None) -> int | str | None:
        if value is not None:
            parse_share(value, 1 << 20)
        return value


class TraceProgram(_Memory):
    """``kind = "trace"``: a page trace of a real program, with contents."""

    kind: Literal["trace"]
    path: str | None = Field(
        default=None, pattern=r"^[^\x00]+$", description="the file; the bundled trace by default"
    )


class GeneratorProgram(_Memory):
    """``kind = "generator"``: a seeded synthetic program."""

    kind: Literal["generator"]
    pattern: str
    pages: int = Field(ge=1, le=1 << 28)
    refs: int = Field(ge=1, le=HOLD, description="they are made before the first is played")
    write_ratio: float = Field(default=0.3, ge=0, le=1)
    seed: int = Field(default=0, ge=0)
    options: dict[str, float] = Field(default_factory=dict, max_length=MOST_ITEMS)

    @field_validator("pattern")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in GENERATORS:
            raise ValueError(f"no pattern {value!r}; there are {', '.join(sorted(GENERATORS))}")
        return value

    @model_validator(mode="after")
    def _options_fit(self) -> GeneratorProgram:
        generate(self.pattern, pages=1, refs=1, fill=False, options=self.options)  # it checks them
        return self


Program = Annotated[LtpProgram | TraceProgram | GeneratorProgram, Field(discriminator="kind")]


class Login(_Strict):
    """``[[login]]``: a task, in a child swap namespace unless ``namespace = false``."""

    name: str = Field(pattern=NAME)
    namespace: bool = True
    swapon: tuple[str, ...] = Field(default=(), max_length=MOST_ITEMS)
    priority: int | None = Field(default=None, ge=0, le=32767)
    program: tuple[Program, ...] = Field(default=(), max_length=MOST_ITEMS)


class Scenario(_Strict):
    """A whole scenario file."""

    title: str = "scenario"
    machine: MachineModel = Field(default_factory=MachineModel)
    swapfile: tuple[Swapfile, ...] = Field(default=(), max_length=MOST_ITEMS)
    login: tuple[Login, ...] = Field(min_length=1, max_length=MOST_ITEMS)

    @model_validator(mode="after")
    def _names_agree(self) -> Scenario:
        files = [f.name for f in self.swapfile]
        for what, names in (("swapfile", files), ("login", [g.name for g in self.login])):
            twice = sorted(n for n, times in Counter(names).items() if times > 1)
            if twice:
                raise ValueError(f"{what} {', '.join(twice)} is there more than once")
        for login in self.login:
            missing = [n for n in login.swapon if n not in files]
            if missing:
                raise ValueError(
                    f"login {login.name} turns on {', '.join(missing)}; the swapfiles are "
                    f"{', '.join(files) or 'none'}"
                )
        if len(self.swapfile) > PROFILES[self.machine.profile].max_swapfiles:
            raise ValueError(f"more swapfiles than Linux {self.machine.profile} can turn on")
        return self
