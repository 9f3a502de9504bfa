"""``[[device]]``, ``[[swapfile]]`` and ``[[tier]]``: where pages go.

- ``DeviceTable``, ``Swapfile``, ``Tier``.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from swapfast.devices import PRESETS, DeviceConfig
from swapfast.scenario.tables.base import COUNTED, MOST_COPIES, NAME, Memory, Strict
from swapfast.units import PAGE_SIZE

__all__ = ["DeviceTable", "Swapfile", "Tier"]


class DeviceTable(BaseModel):
    """``[[device]]``: what swapfiles lie on; other keys are settings of a device."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str = Field(pattern=NAME, description="by which swapfiles name it")
    preset: str = Field(default="lab", description=f"one of {', '.join(PRESETS)}")

    @property
    def settings(self) -> dict[str, Any]:
        """What replaces the preset's, as `swapfast.devices.DeviceConfig.of` takes it."""
        return dict(self.model_extra or {})

    @model_validator(mode="after")
    def _can_be(self) -> DeviceTable:
        DeviceConfig.of(self.preset, **self.settings)
        return self


class Swapfile(Strict):
    """``[[swapfile]]``: a file to make."""

    name: str = Field(pattern=COUNTED, description="of the file; '{i}' is the number of a copy")
    size: Memory = Field(description="with its header; 10 pages at least")
    label: str | None = Field(
        default=None, max_length=15, description="in its header, as swaplabel shows it"
    )
    wipe: Literal["none", "on-free", "on-swapoff"] = Field(
        default="none", description="whether old bytes in it are overwritten"
    )
    device: str | None = Field(
        default=None, description="by default a disk with nothing else on it"
    )
    priority: int | None = Field(
        default=None, ge=0, le=32767, description="the kernel's by default"
    )
    count: int | None = Field(default=None, ge=1, le=MOST_COPIES, description="copies, '{i}'")

    @field_validator("size")
    @classmethod
    def _ten_pages(cls, value: int) -> int:
        if value < 10 * PAGE_SIZE:
            raise ValueError("a swapfile has at least 10 pages of 4096 bytes")
        return value


class Tier(Strict):
    """``[[tier]]``: areas from a priority on, up to the next tier's."""

    name: str = Field(pattern=r"^[A-Za-z0-9_]{1,32}$", description="as scopes name it")
    priority: int = Field(ge=-1, le=32767, description="the lowest tier begins at -1")
