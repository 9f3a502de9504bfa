"""What the small structure of an image may look like.

- ``integer(low, high)``, ``text(most)``, ``flag``, ``choice(...)``, ``listing(item)``,
  ``optional(item)``, ``record(...)``: checks; each is called with a value and its place.
- ``later(item)``: a field of a record that older images do not have.

A check raises ``ValueError`` with the place and the cause. Nothing is converted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = [
    "Check",
    "choice",
    "flag",
    "integer",
    "later",
    "listing",
    "optional",
    "record",
    "text",
]

Check = Callable[[Any, str], None]
UINT64 = (1 << 64) - 1


def integer(low: int = 0, high: int = UINT64) -> Check:
    """A whole number from ``low`` to ``high``."""

    def check(value: Any, where: str) -> None:
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"{where}: {value!r:.40} is not a number from {low} to {high}")

    return check


def text(most: int) -> Check:
    """A text of at most so many characters."""

    def check(value: Any, where: str) -> None:
        if type(value) is not str or len(value) > most:
            raise ValueError(f"{where}: {value!r:.40} is not a text of at most {most} characters")

    return check


def flag(value: Any, where: str) -> None:
    """True or false."""
    if type(value) is not bool:
        raise ValueError(f"{where}: {value!r:.40} is neither true nor false")


def choice(*values: Any) -> Check:
    """One of these."""

    def check(value: Any, where: str) -> None:
        if not any(type(value) is type(v) and value == v for v in values):
            known = ", ".join(repr(v) for v in values)
            raise ValueError(f"{where}: {value!r:.40} is not one of {known}")

    return check


def listing(item: Check, most: int = 1 << 20, least: int = 0) -> Check:
    """From ``least`` to ``most`` items."""

    def check(value: Any, where: str) -> None:
        if type(value) is not list or not least <= len(value) <= most:
            raise ValueError(f"{where}: not a list of {least} to {most} items")
        for i, one in enumerate(value):
            item(one, f"{where}[{i}]")

    return check


def optional(item: Check) -> Check:
    """The item, or null."""

    def check(value: Any, where: str) -> None:
        if value is not None:
            item(value, where)

    return check


class _Later:
    """A field that may be missing."""

    def __init__(self, item: Check) -> None:
        self._item = item

    def __call__(self, value: Any, where: str) -> None:
        self._item(value, where)


def later(item: Check) -> Check:
    """The item, in a field that images of older versions do not have."""
    return _Later(item)


def record(**fields: Check) -> Check:
    """An object with exactly these fields; those that came `later` may be missing."""
    may_miss = {name for name, item in fields.items() if isinstance(item, _Later)}

    def check(value: Any, where: str) -> None:
        if type(value) is not dict:
            raise ValueError(f"{where}: not an object")
        odd_keys = (value.keys() ^ fields.keys()) - (may_miss - value.keys())
        if odd_keys:
            odd = sorted(map(str, odd_keys))[0]
            raise ValueError(f"{where}: field {odd!r:.40} is missing or unknown")
        for name, one in fields.items():
            if name in value:
                one(value[name], f"{where}.{name}" if where else name)

    return check
