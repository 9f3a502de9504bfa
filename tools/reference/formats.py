"""Every format of traces, from the table of formats.

- ``page()``; ``untold()``.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from swapfast.traces import FORMATS
from swapfast.traces.kinds import KINDS
from tools.reference.table import cell, code, table

__all__ = ["page", "untold"]

HEAD = """# Formats of traces

What `swapfast trace --formats` prints: what a file is known by, in the order in which it is asked.
[Traces](../traces.md) says what is not read, what is decided for you, and how traces are recorded;
[How to add a reader](../add-a-reader.md) adds a row. *Processes*: the file says whose a reference
is, so that `--pid` has a meaning.

"""


def untold() -> Iterator[str]:
    """Formats and kinds without a text."""
    yield from (name for name, format in FORMATS.items() if not format.what)
    yield from (name for name, kind in KINDS.items() if not kind.what)


def _source(source: str) -> str:
    """A link that is as short as the site's name; our own formats are defined in a page of ours."""
    if source.startswith("docs/"):
        return f"[this documentation](../{source.removeprefix('docs/')})"
    return f"[{urlsplit(source).netloc}]({source})" if source else ""


def page() -> str:
    """The page."""
    rows = [
        (code(f.name), f.kind, cell(f.what), "yes" if f.pids else "", _source(f.source))
        for f in FORMATS.values()
    ]
    kinds = [
        (code(k.name), cell(k.what), cell(k.replay or "valid"), cell(k.curve or "valid"))
        for k in KINDS.values()
    ]
    return (
        HEAD
        + table(("format", "kind", "what is read", "processes", "defined in"), rows)
        + "## Kinds\n\nWhat the references of a trace are, and what that means for its use.\n\n"
        + table(("kind", "the references are", "a replay", "a miss-ratio curve"), kinds)
    )
