"""An image as its facts and columns, to be changed and packed again."""

from __future__ import annotations

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
