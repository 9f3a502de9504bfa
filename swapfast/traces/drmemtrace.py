"""Accesses that DynamoRIO's drmemtrace has recorded, as its view tool prints them.

- ``VIEW``: a line of the table of formats.

``drrun -t drmemtrace -tool view -indir DIR 2> accesses.view``. All threads are taken to be of one
process, as they are in one folder of drmemtrace; prefetches and flushes are no accesses.
"""

from __future__ import annotations

import os
import re

from swapfast.traces._logs import ViewParser
from swapfast.traces.format import Format, Head, Options
from swapfast.traces.parsed import Begun, read_parsed
from swapfast.traces.streams import Progress, chunks
from swapfast.traces.trace import Trace

__all__ = ["VIEW", "read_view"]

LINE = re.compile(
    rb"\s*[0-9]+\s+[0-9]+: +\S+ (<marker: |(ifetch|read|write) +[0-9]+ byte\(s\) @ 0x)",
    re.MULTILINE,
)


def read_view(path: str | os.PathLike[str], options: Options) -> Trace:
    """Read what the view tool printed; parameters and errors as `open_trace`."""
    name = os.fspath(path)

    def begin(progress: Progress | None) -> Begun:
        return Begun(ViewParser(options.instructions, options.collapse), chunks(name, progress))

    return read_parsed(name, begin, "output of drmemtrace's view tool", options)


def _is_view(head: Head) -> bool:
    lines = head.lines()
    return bool(lines) and (lines[0] == b"Output format:" or LINE.match(lines[0]) is not None)


VIEW = Format(
    "drmemtrace",
    read_view,
    what="text of DynamoRIO's view tool: reads and writes; fetches if asked for",
    source="https://dynamorio.org/sec_drcachesim_format.html",
    begins=_is_view,
)
