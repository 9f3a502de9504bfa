"""Keys of a scenario that were given by hand: ``machine.memory=512MiB``.

- ``replace(tables, key, value)``: the tables with one key replaced.

A key is the name of a table, then of one of its items where there are several, then of the key:
``cgroup./db.memory.max``, ``login.job.program.0.write_ratio``, ``device.d0.preset``. An item goes
by its name, its path, or its number. Where there is one item only, it need not be named. ``count``
alone is the count of all that have one.
"""

from __future__ import annotations

import copy
import tomllib
from typing import Any

from pydantic import BaseModel

from swapfast.scenario.tables import LAYOUT

__all__ = ["replace", "value_of"]

_CALLED = ("name", "path", "metric", "at")


def value_of(text: str) -> Any:
    """A value as TOML has it, or the text itself: 512MiB needs no quotes on a command line."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError, ValueError):
        return text


def replace(tables: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """A copy of what a scenario says, with one key replaced, or added.

    Parameters
    ----------
    tables : dict
        As TOML gives it.
    key : str
    value : object
        A text is taken as `value_of` does.

    Raises
    ------
    ValueError
        The key leads nowhere: which part, and what there is.
    """
    tables = copy.deepcopy(tables)
    value = value_of(value) if isinstance(value, str) else value
    if key == "count":
        _set_counts(tables, value)
        return tables
    name, _, rest = key.partition(".")
    if not rest or name not in LAYOUT.whole.model_fields:
        known = ", ".join(n for n in LAYOUT.whole.model_fields if n != "title")
        raise ValueError(f"{key!r:.80} begins with no table; there are {known}")
    if isinstance(tables.get(name), list):
        _set_in_list(tables[name], name, rest, value, key)
    else:
        _set(tables.setdefault(name, {}), rest, value, key)
    return tables


def _set_counts(tables: dict[str, Any], value: Any) -> None:
    counted = [
        item
        for items in tables.values()
        if isinstance(items, list)
        for item in items
        if isinstance(item, dict) and "count" in item
    ]
    if not counted:
        raise ValueError("count: nothing in the scenario has one")
    for item in counted:
        item["count"] = value


def _set_in_list(items: list[Any], name: str, rest: str, value: Any, key: str) -> None:
    called = {
        str(item[by]): item
        for item in items
        if isinstance(item, dict)
        for by in _CALLED
        if by in item
    }
    called |= {str(i): item for i, item in enumerate(items)}
    for one in sorted(called, key=len, reverse=True):  # "/db" before "/"
        if rest.startswith(f"{one}."):
            _set(called[one], rest[len(one) + 1 :], value, key)
            return
    if len(items) == 1:
        _set(items[0], rest, value, key)
        return
    known = ", ".join(n for n in called if not n.isdigit()) or f"0 to {len(items) - 1}"
    raise ValueError(f"{key!r:.80}: no {name} of that name; there are {known}")


def _set(table: Any, rest: str, value: Any, key: str) -> None:
    if not isinstance(table, dict):
        raise ValueError(f"{key!r:.80}: there is no table to set it in")
    head, _, tail = rest.partition(".")
    inner = table.get(head)
    if tail and isinstance(inner, list):
        _set_in_list(inner, head, tail, value, key)
    elif tail and (isinstance(inner, dict) or _is_table(head)):
        _set(table.setdefault(head, {}), tail, value, key)
    else:
        table[rest] = value  # names of files have dots


def _is_table(name: str) -> bool:
    return issubclass(LAYOUT.tables.get(name, type), BaseModel) or name in ("options", "times")
