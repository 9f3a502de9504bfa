"""DynamoRIO's drmemtrace as it is stored: one thread's entries of 12 bytes.

- ``MEMREFS``: a line of the table of formats.

A file of a folder ``trace``, ``*.trace.gz`` or uncompressed. Those that are ``.trace.zip`` are to
be unpacked first; their members, one after the other, are such a file. A file begins with a header,
whose address is the version.
"""

from __future__ import annotations

import os
import struct

from swapfast.traces._records import Entries
from swapfast.traces.format import Format, Head, Options
from swapfast.traces.parsed import Begun, read_parsed
from swapfast.traces.streams import Progress, chunks
from swapfast.traces.trace import Trace

__all__ = ["HEADER", "MEMREFS", "read_memrefs"]

HEADER = 25  # the type of the first entry
VERSIONS = range(1, 100)


def read_memrefs(path: str | os.PathLike[str], options: Options) -> Trace:
    """Read entries of a 64-bit program; parameters and errors as `open_trace`.

    Prefetches and flushes are passed over. A trace that was filtered by a cache while it was
    recorded is of the kind "faults": it has what missed.
    """
    name = os.fspath(path)

    def begin(progress: Progress | None) -> Begun:
        reader = Entries(options.instructions, options.collapse)

        def kind() -> str:
            return "faults" if reader.filtered else "full"

        return Begun(reader, chunks(name, progress, text=False), kind=kind)

    return read_parsed(name, begin, "trace of drmemtrace", options)


def _is_memrefs(head: Head) -> bool:
    if len(head.data) < 24 or (head.size is not None and head.size % 12):
        return False
    kind, _, version = struct.unpack_from("<HHQ", head.data)
    return kind == HEADER and version in VERSIONS


MEMREFS = Format(
    "memrefs",
    read_memrefs,
    "full or faults",
    "drmemtrace's own file of a thread, 12 bytes an entry; fetches if asked for",
    "https://github.com/DynamoRIO/dynamorio/blob/master/clients/drcachesim/common/trace_entry.h",
    _is_memrefs,
)
