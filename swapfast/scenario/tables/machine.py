"""``[machine]``: the computer.

- ``MachineModel``.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Literal

from pydantic import Field, field_validator, model_validator

from swapfast.kernel.choices import PLUG, TIMES
from swapfast.kernel.options import KernelOptions
from swapfast.kernel.rules import Rules
from swapfast.scenario.tables.base import Duration, Memory, Size, Strict

__all__ = ["MachineModel"]


class MachineModel(Strict):
    """``[machine]``: the computer."""

    memory: Memory = Field(default=256 << 20, description="RAM, like '256MiB'")
    profile: Literal["2.6.25", "6.18", "6.18-mglru"] = Field(
        default="2.6.25", description="kernel; 6.18 where programs run side by side"
    )
    cache: Size | None = Field(
        default=None, description="page cache at boot; a 32nd of the memory by default"
    )
    bits: Literal[32, 64] = Field(default=64, description="of an address")
    overcommit: Literal[0, 1, 2] = Field(
        default=0, description="/proc/sys/vm/overcommit_memory: guess, always, never"
    )
    swappiness: int = Field(default=60, ge=0, le=200, description="/proc/sys/vm/swappiness")
    page_cluster: int | None = Field(
        default=None,
        ge=0,
        le=5,
        description="log2 of the swap read-ahead window; the kernel's by default",
    )
    lru_gen: int | None = Field(
        default=None, ge=0, le=7, description="6.18-mglru: /sys/kernel/mm/lru_gen/enabled"
    )
    lru_gen_rule: Literal["always", "fault", "ticks"] = Field(
        default="always", description="6.18-mglru: which programs an aging walks"
    )
    rules: dict[str, str] = Field(default_factory=dict, description="what the RFC leaves open")
    max_swapfiles: int | None = Field(
        default=None, ge=1, le=65536, description="MAX_SWAPFILES, if not the kernel's"
    )
    watermark_scale_factor: int = Field(
        default=10, ge=1, le=3000, description="6.18: distance of the watermarks, memory / 10000"
    )
    statistics: Literal["exact", "stale"] = Field(
        default="exact",
        description="6.18: sizes of lists as they are, or as they were up to 2 s ago",
    )
    readahead: Literal["cluster", "vma"] = Field(
        default="cluster", description="neighbours in the area, or in the address space"
    )
    plug: Literal["own", "nested"] | None = Field(
        default=None, description=f"{' or '.join(PLUG)}: when what reclaim writes is sent"
    )
    times: dict[str, Duration] = Field(default_factory=dict, description="costs, like '66us'")
    cpus: int | None = Field(
        default=None, ge=1, le=4096, description="processors; by default one for each program"
    )
    slice: Duration = Field(default=3_000_000, description="how long one runs before another")
    allowed_aware: bool = Field(
        default=False, description="free swap is what a cgroup's allowed areas have"
    )
    swap_cluster: Literal["per-owner", "per-cpu", "per-cpu-device", "per-cpu-tier"] = Field(
        default="per-owner", description="who has a current cluster of slots"
    )
    oom_scope: Literal["kernel", "namespace", "owner-of-full-area"] = Field(
        default="kernel", description="among whom the OOM killer chooses"
    )

    @field_validator("memory")
    @classmethod
    def _enough(cls, value: int) -> int:
        if not 1 << 20 <= value <= 1 << 40:
            raise ValueError("memory is between 1MiB and 1TiB")
        return value

    @model_validator(mode="after")
    def _kernel_takes_them(self) -> MachineModel:
        KernelOptions(
            self.memory,
            self.profile,
            lru_gen=self.lru_gen,
            lru_gen_rule=self.lru_gen_rule,
            statistics=self.statistics,
            readahead=self.readahead,
            plug=self.plug,
            watermark_scale_factor=self.watermark_scale_factor,
        )
        return self

    @model_validator(mode="after")
    def _less_than_memory(self) -> MachineModel:
        if self.cache is not None and self.cache >= self.memory:
            raise ValueError("cache is less than the memory")
        return self

    @field_validator("times")
    @classmethod
    def _known_times(cls, value: dict[str, int]) -> dict[str, int]:
        unknown = sorted(set(value) - set(TIMES))
        if unknown:
            raise ValueError(f"no cost {', '.join(unknown)}; there are {', '.join(TIMES)}")
        if any(ns >= 1 << 32 for ns in value.values()):
            raise ValueError("a cost is 0 to 4.2 s")
        return value

    @field_validator("rules")
    @classmethod
    def _known_rules(cls, value: dict[str, str]) -> dict[str, str]:
        known = [f.name for f in fields(Rules)]
        unknown = sorted(set(value) - set(known))
        if unknown:
            raise ValueError(f"no rule {', '.join(unknown)}; there are {', '.join(known)}")
        Rules(**value)  # type: ignore[arg-type]  # it checks the values itself
        return value
