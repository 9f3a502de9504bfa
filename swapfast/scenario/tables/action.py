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

    cgroup: str
    file: str
    value: Setting

    @model_validator(mode="after")
    def _there(self) -> SetAction:
        check_files({self.file: self.value})
        return self


class ReclaimAction(Strict):
    """``reclaim``: write to memory.reclaim."""

    cgroup: str
    amount: Size = Field(alias="bytes")


class CheckpointAction(Strict):
    """``checkpoint``: of a login in a swap namespace of its own, to a folder that is removed."""

    login: str
    kind: Literal["in-place", "pinned", "incremental", "snapshot"] = "pinned"


class ActionTable(Strict):
    """``[[action]]``: a time, and one thing to do."""

    at: Duration
    set: SetAction | None = None
    reclaim: ReclaimAction | None = None
    swapon: str | None = Field(default=None, description="a swapfile")
    swapoff: str | None = Field(default=None, description="a swapfile")
    kill: str | None = Field(default=None, description="a program")
    checkpoint: CheckpointAction | None = None

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
