"""Whether the outcome of a run that came from a file is one.

- ``check(outcome)``: a ValueError names what is not.

A file of runs may have been edited, cut together or written by another version: what reads it is to
say so, instead of failing later at some number.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from swapfast.scenario import Outcome

__all__ = ["check"]

_KILL_TEXTS = ("victim", "cgroup", "trigger", "level")
_KILL_NUMBERS = (
    *("time_s", "rss_pages", "swap_pages", "free_pages", "free_slots", "free_slots_allowed"),
)


def check(outcome: Outcome) -> None:
    """Look at the types of all that is shown of an outcome.

    Raises
    ------
    ValueError
        With the name of the part that is wrong.
    """
    for name, fits in _PARTS.items():
        if not fits(getattr(outcome, name)):
            raise ValueError(f"its {name} is not that of a run")


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _number(value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) < 1e300 and not math.isnan(value)


def _table(value: Any, fits: Callable[[Any], bool]) -> bool:
    return isinstance(value, dict) and all(map(fits, value.values()))


def _rows(value: Any, fits: Callable[[Any], bool]) -> bool:
    return isinstance(value, list) and all(map(fits, value))


def _series(value: Any) -> bool:
    return _table(value, lambda columns: _table(columns, lambda list_: _rows(list_, _number)))


def _kill(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and all(_text(value.get(name)) for name in _KILL_TEXTS)
        and all(_number(value.get(name)) for name in _KILL_NUMBERS)
    )


def _device(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and _text(value.get("name"))
        and _text(value.get("preset"))
        and _flag(value.get("calibrated"))
    )


_PARTS: dict[str, Callable[[Any], bool]] = {
    "title": _text,
    "scope": _text,
    "sentence": _text,
    "simulated_ns": _number,
    "drawn": _flag,
    "interrupted": _flag,
    "metrics": lambda value: _table(value, _number),
    "series": _series,
    "kills": lambda value: _rows(value, _kill),
    "devices": lambda value: _rows(value, _device),
}
