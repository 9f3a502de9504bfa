"""What the small structure of an image may look like.

- ``integer(low, high)``, ``text(most)``, ``flag``, ``choice(...)``, ``listing(item)``,
  ``optional(item)``, ``record(...)``: checks; each is called with a value and its place.
- ``later(item)``: a field of a record that older images do not have; ``later(item, since)``: one of
  several that came at once, and are all there or none.

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
    """A field that may be missing, alone or with the others of the same ``since``."""

    def __init__(self, item: Check, since: str) -> None:
        self._item = item
        self.since = since

    def __call__(self, value: Any, where: str) -> None:
        self._item(value, where)


def later(item: Check, since: str = "") -> Check:
    """The item, in a field that images of older versions do not have.

    Parameters
    ----------
    item : Check
    since : str
        What it came with: all fields of a record that say the same are there, or none is.
    """
    return _Later(item, since)


def record(**fields: Check) -> Check:
    """An object with exactly these fields; those that came `later` may be missing."""
    came = {name: item.since for name, item in fields.items() if isinstance(item, _Later)}
    may_miss = came.keys()
    together: dict[str, set[str]] = {}
    for name, since in came.items():
        if since:
            together.setdefault(since, set()).add(name)

    def check(value: Any, where: str) -> None:
        if type(value) is not dict:
            raise ValueError(f"{where}: not an object")
        odd_keys = (value.keys() ^ fields.keys()) - (may_miss - value.keys())
        if odd_keys:
            odd = sorted(map(str, odd_keys))[0]
            raise ValueError(f"{where}: field {odd!r:.40} is missing or unknown")
        for names in together.values():
            missing = sorted(names - value.keys())
            if missing and len(missing) < len(names):
                known = sorted(names & value.keys())[0]
                raise ValueError(f"{where}: field {missing[0]!r} is missing beside {known!r}")
        for name, one in fields.items():
            if name in value:
                one(value[name], f"{where}.{name}" if where else name)

    return check
