"""``[run]``: programs side by side. A file without it runs them one after the other.

- ``RunTable``, and ``[[plot]]``: ``Plot``, what a report draws.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from swapfast.scenario.tables.base import MOST_ITEMS, Duration, Strict

__all__ = ["Plot", "RunTable"]


class RunTable(Strict):
    """``[run]``: how programs run side by side."""

    stop: Duration = Field(ge=1, description="simulated time at which everything ends")
    quantum: Duration = Field(default=20_000, description="how far hits may run ahead")
    seed: int = Field(default=0, ge=0, lt=1 << 32, description="the first of the seeds")
    seeds: int = Field(default=5, ge=1, le=10_000, description="runs that compare makes a column")
    sample: Duration | None = Field(
        default=None, ge=1, description="a point of the series each time; a 200th of stop"
    )
    jitter: Duration = Field(default=1_000_000, description="programs start up to so much later")
    alone: bool = Field(
        default=False, description="each program runs alone, too, and its slowdown is told"
    )
    contents: bool = Field(default=False, description="real bytes in real swapfiles")
    scope: str | None = Field(default=None, description="that `run` plays; the first by default")
    metrics: tuple[str, ...] = Field(
        default=(), max_length=MOST_ITEMS, description="rows of compare's table, like 'oom_kills.*'"
    )
    sentence: str = Field(default="", max_length=1000, description="of one run: '{metric}'")
    answer: str = Field(
        default="", max_length=2000, description="of all scopes: '{scope|metric}', '{a/b|metric}'"
    )

    @field_validator("metrics")
    @classmethod
    def _short(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not 0 < len(one) <= 200 for one in value):
            raise ValueError("a metric is a name like 'programs.db.p99_us', '*' for any part of it")
        return value


class Plot(Strict):
    """``[[plot]]``: a picture of a report."""

    kind: Literal["bars", "lines", "scatter"] = Field(description="what is drawn")
    title: str = Field(default="", max_length=200, description="above the picture")
    metric: str | None = Field(default=None, description="bars: one a scope, with its spread")
    series: str | None = Field(default=None, description="lines: of what, like 'tiers.zram'")
    column: str | None = Field(default=None, description="lines: which column of it")
    x: str | None = Field(default=None, description="scatter: a metric; a point a seed")
    y: str | None = Field(default=None, description="scatter: the other metric")

    @model_validator(mode="after")
    def _whole(self) -> Plot:
        needed = {"bars": ("metric",), "lines": ("series", "column"), "scatter": ("x", "y")}
        for name in ("metric", "series", "column", "x", "y"):
            if (getattr(self, name) is not None) != (name in needed[self.kind]):
                wanted = " and ".join(needed[self.kind])
                raise ValueError(f"a plot of {self.kind} has {wanted}, and no other such key")
        return self
