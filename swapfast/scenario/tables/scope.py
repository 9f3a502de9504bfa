"""``[[scope]]``: which areas the pages of whom may go to, in which order, how much.

- ``ScopeTable``, ``DemoteTable``.
- ``KINDS``: what each kind takes.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from swapfast.scenario.tables.base import MOST_ITEMS, Size, Strict
from swapfast.scenario.tables.cgroup import Setting, check_files

__all__ = ["KINDS", "DemoteTable", "ScopeTable"]

#: kind -> keys that mean something to it, beside those of every kind
KINDS: dict[str, tuple[str, ...]] = {
    "shared": (),
    "swap_ns": ("map",),
    "private": ("map",),
    "priority": ("order",),
    "tiers": ("tiers",),
    "tiers-amount": ("tiers",),
}
_SETTINGS = ("map", "order", "tiers")


class DemoteTable(Strict):
    """``demote``: when pages in swap move from one tier, or area, to another."""

    when: Literal["on-full", "proactive", "on-refault"] = Field(
        description="the source is full; before it is; or a page is read and goes up"
    )
    source: str = Field(alias="from", description="a tier, or a swapfile")
    target: str = Field(alias="to", description="a tier, or a swapfile")
    batch: int = Field(default=64, ge=1, le=4096, description="pages that move at a time")
    high: float = Field(default=0.9, gt=0, le=1, description="proactive: begins at so much of it")
    low: float = Field(default=0.75, ge=0, le=1, description="proactive: ends there")
    rate: Size = Field(default=32 << 20, ge=4096, description="proactive: bytes a second")

    @model_validator(mode="after")
    def _agrees(self) -> DemoteTable:
        if self.source == self.target:
            raise ValueError("from and to are different tiers, or swapfiles")
        if self.low >= self.high:
            raise ValueError("low is less than high")
        return self


class ScopeTable(Strict):
    """``[[scope]]``: one column of a comparison."""

    name: str = Field(
        min_length=1, max_length=64, pattern=r"^[^\x00-\x1f|{}]+$", description="of the column"
    )
    kind: Literal["shared", "swap_ns", "private", "priority", "tiers", "tiers-amount"] = Field(
        description="the mechanism, see docs/scopes.md"
    )
    map: dict[str, tuple[str, ...]] | Literal["each"] | None = Field(
        default=None,
        description="swapfiles by login (swap_ns) or cgroup (private); 'each': all swapfiles are "
        "cut in equal parts, one for each login or cgroup",
    )
    order: dict[str, str] = Field(
        default_factory=dict,
        max_length=MOST_ITEMS,
        description="priority: by cgroup, like 'slow:10,fast:disabled'",
    )
    tiers: dict[str, dict[str, str]] = Field(
        default_factory=dict,
        max_length=MOST_ITEMS,
        description="tiers: by cgroup and tier, '0' or 'max'; tiers-amount: '32MiB', 'auto' too",
    )
    files: dict[str, dict[str, Setting]] = Field(
        default_factory=dict,
        alias="set",
        max_length=MOST_ITEMS,
        description="what is written to files of cgroups",
    )
    demote: DemoteTable | None = Field(default=None, description="pages in swap move")
    allowed_aware: bool | None = Field(default=None, description="the machine's by default")
    swap_cluster: Literal["per-owner", "per-cpu", "per-cpu-device", "per-cpu-tier"] | None = Field(
        default=None, description="the machine's by default"
    )
    oom_scope: Literal["kernel", "namespace", "owner-of-full-area"] | None = Field(
        default=None, description="the machine's by default"
    )

    @field_validator("files")
    @classmethod
    def _files_there(cls, value: dict[str, dict[str, Setting]]) -> dict[str, dict[str, Setting]]:
        for files in value.values():
            check_files(files)
        return value

    @model_validator(mode="after")
    def _of_its_kind(self) -> ScopeTable:
        for name in _SETTINGS:
            if getattr(self, name) and name not in KINDS[self.kind]:
                takes = ", ".join(KINDS[self.kind]) or "none of map, order and tiers"
                raise ValueError(f"a scope of kind {self.kind} has no {name}; it takes {takes}")
        if self.kind == "private" and not self.map:
            raise ValueError("a private scope says whose swapfile is whose: map")
        return self
