"""What all tables share.

- ``Strict``: a table without keys that nobody knows.
- ``Size``, ``Memory``, ``Duration``: bytes and ns, written as "64MiB" and "20us".
- ``NAME``, ``COUNTED``, ``CGROUP_PATH``: how things are called; ``{i}`` counts copies from 0.
- ``MOST_ITEMS``, ``MOST_COPIES``: more is a mistake.
- ``copies(pattern, count)``: a name for each copy.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

from swapfast.units import parse_duration, parse_size, without_unit

__all__ = [
    "CGROUP_PATH",
    "COUNTED",
    "MOST_COPIES",
    "MOST_ITEMS",
    "NAME",
    "Duration",
    "Memory",
    "Size",
    "Strict",
    "copies",
]

MOST_ITEMS = 1000  # logins, programs of a login, ...
MOST_COPIES = 100_000
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_COPY = r"\{i\}"
_PART = rf"(?:[A-Za-z0-9]|{_COPY})(?:[A-Za-z0-9._-]|{_COPY}){{0,63}}"
COUNTED = rf"^{_PART}$"
CGROUP_PATH = rf"^(?:/{_PART}){{1,14}}$"


def _size(value: Any) -> int:
    return parse_size(value)


def _memory(value: Any) -> int:
    hint = without_unit(value, share=False)
    if hint is not None:
        raise ValueError(hint)
    return parse_size(value)


def _duration(value: Any) -> int:
    if isinstance(value, bool):
        raise ValueError(f"a duration is like '20us', not {value}")
    return parse_duration(value)


def _written(what: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": ["string", "integer"], "examples": [example], "title": what})


Size = Annotated[int, BeforeValidator(_size), _written("bytes", "64MiB")]
Memory = Annotated[int, BeforeValidator(_memory), _written("bytes", "64MiB")]  # at least a page
Duration = Annotated[int, BeforeValidator(_duration), _written("ns", "20us")]


class Strict(BaseModel):
    """A table that has no other keys than these, and does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def copies(pattern: str, count: int) -> list[str]:
    """The name of each copy: ``{i}`` is its number."""
    return [pattern.replace("{i}", str(i)) for i in range(count)]
