"""``[[cgroup]]``: a cgroup, and what is written to its files.

- ``CgroupTable``.
- ``Setting``: a value of a file; ``text_for(file, value)``: what is written.
- ``check_files(files)``: refuse what cannot be written.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from swapfast.kernel.control import LIMITS, text_of
from swapfast.kernel.control_files import FILES
from swapfast.scenario.tables.base import CGROUP_PATH, MOST_COPIES, NAME, Size

__all__ = ["LIMITED", "CgroupTable", "Setting", "check_files", "text_for"]

Setting = str | int | bool
LIMITED = "limited"
_AMOUNTS = frozenset(LIMITS.values())
_KNOWN = tuple(name for name, file in FILES.items() if file.write is not None)


def check_files(files: Mapping[str, Setting]) -> None:
    """Refuse a file that no cgroup has, and a value that is no text for it.

    Raises
    ------
    ValueError
        With the nearest name.
    """
    for name, value in files.items():
        if name not in _KNOWN:
            near = get_close_matches(name, _KNOWN, 1, 0.5)
            hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(_KNOWN)}"
            raise ValueError(f"a cgroup has no file {name!r:.60}{hint}")
        text_for(name, value)


def text_for(name: str, value: Setting) -> str:
    """What is written to a file; amounts may be like "64MiB".

    Raises
    ------
    ValueError
        Not an amount, where one is wanted.
    """
    if name == "memory.swap.max" and value == LIMITED:
        return LIMITED
    if name in _AMOUNTS and not isinstance(value, bool):
        return text_of(value)
    return str(int(value)) if isinstance(value, bool) else str(value)


class CgroupTable(BaseModel):
    """``[[cgroup]]``: other keys are its files, like "memory.max"."""

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)

    path: str = Field(pattern=CGROUP_PATH, description="like '/pods/web'; parents are made")
    count: int | None = Field(default=None, ge=1, le=MOST_COPIES, description="copies, '{i}'")
    watch: bool = Field(default=False, description="its series are kept, and its latencies")
    kind: str | None = Field(
        default=None, alias="class", pattern=NAME, description="fairness is told within a class"
    )
    request: Size | None = Field(
        default=None, description="Kubernetes' memory request, for 'memory.swap.max' = 'limited'"
    )

    @property
    def files(self) -> dict[str, Setting]:
        """What is written to which file."""
        return dict(self.model_extra or {})

    @field_validator("path")
    @classmethod
    def _not_a_file(cls, value: str) -> str:
        for part in value.split("/"):
            if part in FILES:
                raise ValueError(f"{part} is a file of every cgroup; take another name")
        return value

    @model_validator(mode="before")
    @classmethod
    def _plain_values(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            for name, value in data.items():
                if "." in str(name) and not isinstance(value, Setting):
                    raise ValueError(f"{name!s:.60} is a text, a number, true or false")
        return data

    @model_validator(mode="after")
    def _files_there(self) -> CgroupTable:
        check_files(self.files)
        if self.files.get("memory.swap.max") == LIMITED and self.request is None:
            raise ValueError("'memory.swap.max' = 'limited' is a share of the swap: say request")
        return self
