"""vscsi traces: SCSI commands of a virtual disk, as vscsiStats recorded them (CloudPhysics).

- ``VSCSI``: a line of the table of formats.

Each read or write is a reference to every page of 4096 bytes that it touches. A file is known by
the version that each record has.
"""

from __future__ import annotations

import os
from itertools import chain

import numpy as np

from swapfast.traces._records import Requests
from swapfast.traces.format import Format, Head, Options
from swapfast.traces.parsed import Begun, read_parsed
from swapfast.traces.streams import Progress, chunks
from swapfast.traces.trace import Trace

__all__ = ["LAYOUTS", "VSCSI", "read_vscsi"]

LAYOUTS = {
    1: np.dtype("<u4,<u4,<u4,<u2,<u2,<u8,<u8"),
    2: np.dtype("<u2,<u2,<u4,<u4,<u4,<u8,<u8,<u8"),
}
LAYOUTS[1].names = ("number", "bytes", "parts", "command", "version", "block", "time")
LAYOUTS[2].names = ("command", "version", "number", "bytes", "parts", "block", "time", "response")
LOOKED_AT = 100  # records


def read_vscsi(path: str | os.PathLike[str], options: Options) -> Trace:
    """Read SCSI commands; parameters and errors as `open_trace`."""
    name = os.fspath(path)

    def begin(progress: Progress | None) -> Begun:
        data = chunks(name, progress, text=False)
        first = next(data, b"")
        version = _version(first)
        if version is None:
            raise ValueError(f"{name}: byte 0: no records of vscsi, of neither version")
        reader = Requests(version, options.collapse)
        return Begun(reader, chain([first], data), kind=lambda: "sectors")

    return read_parsed(name, begin, "vscsi trace", options)


def _version(data: bytes) -> int | None:
    """What the first records agree on."""
    for version, layout in LAYOUTS.items():
        count = min(len(data) // layout.itemsize, LOOKED_AT)
        first = np.frombuffer(data, layout, count)
        if count and (first["version"] >> 8 == version).all() and (first["command"] < 256).all():
            return version
    return None


def _is_vscsi(head: Head) -> bool:
    version = _version(head.data)
    if version is None or len(head.data) < 2 * LAYOUTS[version].itemsize:
        return False
    return head.size is None or head.size % LAYOUTS[version].itemsize == 0


VSCSI = Format(
    "vscsi",
    read_vscsi,
    "sectors",
    "SCSI reads and writes, records of version 1 or 2",
    "https://github.com/1a1a11a/libCacheSim/blob/develop/libCacheSim/traceReader/customizedReader/vscsi.h",
    _is_vscsi,
)
