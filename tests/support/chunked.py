"""Files that a compiled reader takes in pieces.

- ``fed(reader, data, step, found=...)``: what comes out of pieces of one size, be it an error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from swapfast.traces._lines import BrokenLine
from swapfast.traces._records import BrokenRecord


def references(reader: Any) -> Any:
    return reader.take().tolist(), reader.addresses().tolist()


def fed(reader: Any, data: bytes, step: int, found: Callable[[Any], Any] = references) -> Any:
    """What a reader has made of all; or of its error all that it says."""
    try:
        for at in range(0, len(data), step):
            reader.feed(data[at : at + step])
        reader.finish()
    except (BrokenLine, BrokenRecord) as error:
        return type(error), error.args, vars(error)
    return found(reader)
