"""``[[login]]``: a task, and what it runs.

- ``Login``.
- ``parse_start(text)``: when a program starts: a time, or a range that it is drawn from.
"""

from __future__ import annotations

from pydantic import Field, field_validator

from swapfast.scenario.tables.base import (
    CGROUP_PATH,
    COUNTED,
    MOST_COPIES,
    MOST_ITEMS,
    Duration,
    Strict,
)
from swapfast.scenario.tables.programs import Program
from swapfast.units import parse_duration

__all__ = ["Login", "parse_start"]

DRAWN = 1_000_000_000  # ns that a start "random" is drawn from


def parse_start(text: str) -> tuple[int, int]:
    """First and last ns of a start: equal, unless it is drawn.

    Raises
    ------
    ValueError
        Not "2s", "random" or "random 0s..20s".
    """
    word, _, span = text.partition(" ")
    if word != "random":
        at = parse_duration(text)
        return at, at
    if not span:
        return 0, DRAWN
    first, dots, last = span.partition("..")
    if not dots:
        raise ValueError(f"a start is like '2s', 'random' or 'random 0s..20s', not {text!r:.60}")
    begin, end = parse_duration(first.strip()), parse_duration(last.strip())
    if end < begin:
        raise ValueError(f"a start is drawn from a range that does not run back, not {text!r:.60}")
    return begin, end


class Login(Strict):
    """``[[login]]``: a task, in a child swap namespace unless ``namespace = false``."""

    name: str = Field(pattern=COUNTED, description="of the login; '{i}' is the number of a copy")
    namespace: bool = Field(default=True, description="in a child swap namespace of its own")
    swapon: tuple[str, ...] = Field(
        default=(), max_length=MOST_ITEMS, description="swapfiles that it turns on, in order"
    )
    priority: int | None = Field(
        default=None, ge=0, le=32767, description="of its swapon calls; the kernel's by default"
    )
    program: tuple[Program, ...] = Field(
        default=(), max_length=MOST_ITEMS, description="what it runs"
    )
    cgroup: str | None = Field(default=None, pattern=CGROUP_PATH, description="who pays")
    count: int | None = Field(default=None, ge=1, le=MOST_COPIES, description="copies, '{i}'")
    start: str = Field(default="0s", description="'2s', or drawn: 'random 0s..20s'")
    stop: Duration | None = Field(default=None, description="the run's by default")

    @field_validator("start")
    @classmethod
    def _a_time(cls, value: str) -> str:
        parse_start(value)
        return value
