"""Accesses that Intel Pin's example tool has written: pinatrace.out.

- ``PIN``: a line of the table of formats.

A line is ``IP: R ADDRESS`` or ``IP: W ADDRESS``; newer versions of the tool add the size, and what
was read or written.
"""

from __future__ import annotations

import os
import re

from swapfast.traces._logs import PinParser
from swapfast.traces.format import Format, Head, Options
from swapfast.traces.parsed import Begun, read_parsed
from swapfast.traces.streams import Progress, chunks
from swapfast.traces.trace import Trace

__all__ = ["PIN", "read_pin"]

LINE = re.compile(rb"\s*(0x)?[0-9a-fA-F]+: [RW] +(0x)?[0-9a-fA-F]+(\s|$)")


def read_pin(path: str | os.PathLike[str], options: Options) -> Trace:
    """Read pinatrace.out; parameters and errors as `open_trace`."""
    name = os.fspath(path)

    def begin(progress: Progress | None) -> Begun:
        return Begun(PinParser(options.collapse), chunks(name, progress))

    return read_parsed(name, begin, "pinatrace.out", options)


def _is_pin(head: Head) -> bool:
    lines = head.lines()
    return bool(lines) and LINE.match(lines[0]) is not None


PIN = Format(
    "pin",
    read_pin,
    what="pinatrace.out: reads and writes, with the size if it is there",
    source="https://software.intel.com/sites/landingpage/pintool/docs/98830/Pin/doc/html/",
    begins=_is_pin,
)
