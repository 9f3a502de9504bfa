"""Requests to disks that others have published as CSV, by preset.

- ``MSR``, ``ALIBABA``, ``TENCENT``: lines of the table of formats.

Each request is a reference to every page of 4096 bytes that it touches; each volume has pages of
its own. In ``addresses``, the bits from 40 on count the volumes from 0.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence

from swapfast.traces._blocks import BlockParser
from swapfast.traces.format import Format, Head, Options
from swapfast.traces.parsed import Begun, read_parsed
from swapfast.traces.streams import Progress, chunks
from swapfast.traces.trace import Trace

__all__ = ["ALIBABA", "MSR", "TENCENT", "read_blocks"]

PIECE = 1 << 14  # bytes that are parsed at a time: a request may have 16,384 pages
SECTOR = 512
LINES = 2  # that tell a preset


def read_blocks(
    path: str | os.PathLike[str], options: Options, columns: Sequence[str], unit: int = 1
) -> Trace:
    """Read requests; parameters and errors as `open_trace`, columns as `BlockParser`."""
    name = os.fspath(path)

    def begin(progress: Progress | None) -> Begun:
        parser = BlockParser(columns, unit, options.collapse)
        return Begun(parser, _cut(chunks(name, progress)), kind=lambda: "sectors")

    return read_parsed(name, begin, "table of requests to disks", options)


def _cut(data: Iterator[bytes]) -> Iterator[bytes]:
    for chunk in data:
        for at in range(0, len(chunk), PIECE):
            yield chunk[at : at + PIECE]


def _preset(
    name: str, columns: Sequence[str], unit: int, line: bytes, what: str, source: str
) -> Format:
    """A format whose first lines match; a header may be before them."""
    pattern = re.compile(line)

    def read(path: str, options: Options) -> Trace:
        return read_blocks(path, options, columns, unit)

    return Format(name, read, "sectors", what, source, _like(pattern))


def _like(pattern: re.Pattern[bytes]) -> Callable[[Head], bool]:
    def begins(head: Head) -> bool:
        lines = head.lines()
        if len(lines) > 1 and not lines[0][:1].isdigit():
            lines = lines[1:]
        return bool(lines) and all(pattern.fullmatch(line) for line in lines[:LINES])

    return begins


MSR = _preset(
    "msr",
    ("time", "volume", "volume", "op", "offset", "size", "response"),
    1,
    rb"[0-9]{10,20},[^,]{1,64},[0-9]{1,6},(Read|Write),[0-9]{1,19},[0-9]{1,19},[0-9]{1,19}",
    "MSR Cambridge: time, host, disk, type, offset, size, response",
    "http://iotta.snia.org/traces/block-io/388",
)
ALIBABA = _preset(
    "alibaba",
    ("volume", "op", "offset", "size", "time"),
    1,
    rb"[0-9]{1,10},[RW],[0-9]{1,19},[0-9]{1,19},[0-9]{10,20}",
    "Alibaba 2020: device, opcode, offset, length, time",
    "https://github.com/alibaba/block-traces",
)
TENCENT = _preset(
    "tencent",
    ("time", "offset", "size", "write", "volume"),
    SECTOR,
    rb"[0-9]{10},[0-9]{1,19},[0-9]{1,10},[01],[0-9]{1,10}",
    "Tencent CBS: time, offset and size in sectors, type, volume",
    "http://iotta.snia.org/traces/parallel/27917",
)
