"""libCacheSim's traces: requests to a cache, by the number of an object.

- ``ORACLE``, ``LCS``: lines of the table of formats.

An object is a page, whatever its size: sizes and times are not read. oracleGeneral has no magic:
it is known by its first records, in which times do not go back, and the next request for an object
is later.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain

import numpy as np

from swapfast.traces._records import Objects
from swapfast.traces.format import Format, Head, Options
from swapfast.traces.parsed import Begun, read_parsed
from swapfast.traces.streams import Progress, chunks
from swapfast.traces.trace import Trace

__all__ = ["LCS", "ORACLE", "RECORD", "read_lcs", "read_oracle"]

RECORD = np.dtype(
    [("time", "<u4"), ("object", "<u8"), ("size", "<u4"), ("next", "<i8")]
)  # of oracleGeneral, and of lcs 1
MAGIC = bytes.fromhex("f0debc9a78563412")  # at both ends of lcs's header
HEADER = 8192
LAYOUTS = {  # version of lcs: bytes of a record, and where its operation is
    1: (24, 0),
    2: (28, 16),
    3: (36, 20),
    4: (40, 20),
    5: (44, 20),
    6: (52, 20),
    7: (68, 20),
    8: (100, 20),
}
LOOKED_AT = 1000  # records
LAST = (-1, np.iinfo(np.int64).max)  # no other request follows
LATEST = 1 << 40  # requests of a trace


def read_oracle(path: str | os.PathLike[str], options: Options) -> Trace:
    """Read oracleGeneral; parameters and errors as `open_trace`. All requests are reads."""
    name = os.fspath(path)

    def begin(progress: Progress | None) -> Begun:
        reader = Objects(RECORD.itemsize, 0, options.collapse)
        return Begun(reader, chunks(name, progress, text=False), kind=lambda: "objects")

    return read_parsed(name, begin, "trace in oracleGeneral", options)


def read_lcs(path: str | os.PathLike[str], options: Options) -> Trace:
    """Read lcs, versions 1 to 8; parameters and errors as `open_trace`.

    From version 2 on, requests that write are known; deletions are passed over.
    """
    name = os.fspath(path)

    def begin(progress: Progress | None) -> Begun:
        data = chunks(name, progress, text=False)
        version, rest = _header(name, data)
        reader = Objects(*LAYOUTS[version], options.collapse)
        return Begun(reader, chain([rest], data), HEADER, kind=lambda: "objects")

    return read_parsed(name, begin, "trace in lcs", options)


def _header(name: str, data: Iterator[bytes]) -> tuple[int, bytes]:
    """The version, and what was read beyond the header."""
    head = b""
    while len(head) < HEADER and (more := next(data, b"")):
        head += more
    if len(head) < HEADER or head[:8] != MAGIC or head[HEADER - 8 : HEADER] != MAGIC:
        raise ValueError(
            f"{name}: byte 0: no header of lcs: {HEADER} bytes, with a magic at its ends"
        )
    version = int.from_bytes(head[8:16], "little")
    if version not in LAYOUTS:
        raise ValueError(f"{name}: byte 8: lcs of version {version}; 1 to {max(LAYOUTS)} are read")
    return version, head[HEADER:]


def _is_oracle(head: Head) -> bool:
    count = min(len(head.data) // RECORD.itemsize, LOOKED_AT)
    if count < 2 or (head.size is not None and head.size % RECORD.itemsize):
        return False
    first = np.frombuffer(head.data, RECORD, count)
    later = first["next"]
    real = ~np.isin(later, LAST)
    if not ((later > np.arange(count)) & (later < LATEST))[real].all():
        return False
    return bool((np.diff(first["time"].astype(np.int64)) >= 0).all())


ORACLE = Format(
    "oracleGeneral",
    read_oracle,
    "objects",
    "libCacheSim: 24 bytes a request, the number of its object",
    "https://github.com/1a1a11a/libCacheSim/blob/develop/doc/quickstart_cachesim.md",
    _is_oracle,
)
LCS = Format(
    "lcs",
    read_lcs,
    "objects",
    "libCacheSim, versions 1 to 8: the number of the object, and whether it is written",
    "https://github.com/1a1a11a/libCacheSim/blob/develop/libCacheSim/traceReader/customizedReader/lcs.h",
    lambda head: head.data[:8] == MAGIC,
)
