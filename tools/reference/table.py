"""Tables of Markdown.

- ``table(head, rows)``; ``cell(text)``: plain text in one.
- ``code(text)``: as it is typed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

__all__ = ["cell", "code", "table"]

# What Markdown takes for a mark; backticks stay, so that texts may have code in them.
_MARKS = re.compile(r"([\\*_\[\]|])")
_CODE = re.compile(r"(`+[^`]+`+)")


def cell(text: str) -> str:
    """Plain text; what stands between backticks is code."""
    parts = _CODE.split(" ".join(text.split()))
    return "".join(
        part.replace("|", "\\|")
        if part.startswith("`")
        else _MARKS.sub(r"\\\1", part).replace("<", "&lt;")
        for part in parts
    )


def code(text: str) -> str:
    """What is typed as it stands."""
    return "`" + text.replace("|", "\\|") + "`"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, an empty line after it."""
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n\n"
