"""Everything that is counted, with its unit and meaning, from `swapfast/data/counters.toml`.

- ``page()``; ``untold()``.
- ``TABLES``: the tables of that file, by name.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from swapfast.kernel.choices import TIMES
from tools.reference.table import cell, code, table

__all__ = ["TABLES", "page", "untold"]

SOURCE = Path(__file__).parents[2] / "swapfast" / "data" / "counters.toml"
TABLES: dict[str, dict[str, Any]] = tomllib.loads(SOURCE.read_text("utf-8"))

HEAD = """# Counters and metrics

Every number that a run tells, where it is read, its unit, and what it means. Pages have 4096 bytes.

"""


def untold() -> Iterator[str]:
    """Counters without a unit or a meaning."""
    for name, group in TABLES.items():
        for counter, (unit, meaning) in group["names"].items():
            if not (unit and meaning):
                yield f"{name}.{counter}"


def _section(name: str, group: dict[str, Any]) -> str:
    head = ("name", "unit", "what") + (("default",) if name == "costs" else ())
    rows = [
        (code(counter), unit, cell(meaning)) + ((f"{TIMES[counter]:,}",) if name == "costs" else ())
        for counter, (unit, meaning) in group["names"].items()
    ]
    about = f"{cell(group['about'])}\n\nRead by: {code(group['read'])}\n\n"
    return f"## {group['title']}\n\n{about}{table(head, rows)}"


def page() -> str:
    """The page."""
    return HEAD + "".join(_section(name, group) for name, group in TABLES.items())
