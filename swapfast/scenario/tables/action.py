"""``[[action]]``: what happens at a time, by somebody else's hand.

- ``ActionTable``.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from swapfast.scenario.tables.base import Duration, Size, Strict
from swapfast.scenario.tables.cgroup import Setting, check_files

__all__ = ["ActionTable", "CheckpointAction", "ReclaimAction", "SetAction"]

_THINGS = ("set", "reclaim", "swapon", "swapoff", "kill", "checkpoint")


class SetAction(Strict):
    """``set``: write to a file of a cgroup."""

    cgroup: str = Field(description="its path")
    file: str = Field(description="of the cgroup, like 'memory.max'")
    value: Setting = Field(description="what is written; amounts may be like '64MiB'")

    @model_validator(mode="after")
    def _there(self) -> SetAction:
        check_files({self.file: self.value})
        return self


class ReclaimAction(Strict):
    """``reclaim``: write to memory.reclaim."""

    cgroup: str = Field(description="its path")
    amount: Size = Field(alias="bytes", description="to reclaim")


class CheckpointAction(Strict):
    """``checkpoint``: of a login in a swap namespace of its own, to a folder that is removed."""

    login: str = Field(description="in a swap namespace of its own")
    kind: Literal["in-place", "pinned", "incremental", "snapshot"] = Field(
        default="pinned", description="of `swapfast.SwapNamespace.checkpoint`"
    )


class ActionTable(Strict):
    """``[[action]]``: a time, and one thing to do."""

    at: Duration = Field(description="simulated time at which it happens")
    set: SetAction | None = Field(default=None, description="write to a file of a cgroup")
    reclaim: ReclaimAction | None = Field(default=None, description="write to memory.reclaim")
    swapon: str | None = Field(default=None, description="a swapfile")
    swapoff: str | None = Field(default=None, description="a swapfile")
    kill: str | None = Field(default=None, description="a program")
    checkpoint: CheckpointAction | None = Field(
        default=None, description="checkpoint a login's swap namespace"
    )

    @model_validator(mode="after")
    def _one(self) -> ActionTable:
        given = self._given()
        if len(given) != 1:
            raise ValueError(f"an action is one of {', '.join(_THINGS)}, not {len(given)} of them")
        return self

    @property
    def what(self) -> str:
        """Its name."""
        return self._given()[0]

    def _given(self) -> list[str]:
        return [name for name in _THINGS if getattr(self, name) is not None]
