"""An image as its facts and columns, to be changed and packed again."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from swapfast.checkpoint.stored import pack

Members = dict[str, Any]


def members(path: Path) -> tuple[dict[str, Any], Members]:
    with np.load(path, allow_pickle=False) as arrays:
        columns = {name: arrays[name] for name in arrays.files}
    return json.loads(columns.pop("facts").tobytes()), columns


def canonical(facts: Any) -> bytes:
    return json.dumps(facts, separators=(",", ":"), sort_keys=True).encode()


def packed(facts: Any, columns: Members) -> bytes:
    text = facts if isinstance(facts, bytes) else canonical(facts)
    whole = {"facts": np.frombuffer(text, dtype=np.uint8), **columns}
    return b"".join(bytes(part) for part in pack(whole))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, one in items:
        found.append((*path, key))
        if isinstance(one, dict | list):
            found += places(one, (*path, key))
    return found


values = st.one_of(
    st.integers(-2, 5),
    st.integers(-(1 << 65), 1 << 65),
    st.sampled_from([1 << 31, (1 << 31) - 1, 1 << 20, 4096, 255]),
    st.booleans(),
    st.none(),
    st.text(max_size=5),
    st.just([]),
    st.just({}),
    st.just("delete"),
)


def change_facts(data: st.DataObject, facts: Any, least: int, most: int) -> None:
    """Some of the facts become something else, or go."""
    for _ in range(data.draw(st.integers(least, most))):
        path = data.draw(st.sampled_from(places(facts)))
        at = facts
        for step in path[:-1]:
            at = at[step]
        value = data.draw(values)
        if value == "delete":
            del at[path[-1]]
        else:
            at[path[-1]] = copy.deepcopy(value)


def change_column(data: st.DataObject, columns: Members) -> None:
    """Some numbers of one column become others, often the next ones."""
    name = data.draw(st.sampled_from(sorted(columns)))
    column = columns[name].copy()
    most = 255 if column.dtype == np.uint8 else (1 << 32) - 1
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, column.size - 1))
        old = int(column[at])
        near = st.sampled_from([max(old - 1, 0), min(old + 1, most), 0, most])
        column[at] = data.draw(st.one_of(near, st.integers(0, most)))
    columns[name] = column
