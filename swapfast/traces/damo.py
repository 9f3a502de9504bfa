"""What DAMON saw of a program, printed by ``damo report raw``.

- ``DAMO``: a line of the table of formats.

DAMON says of each region and interval in how many of its samples the region was found accessed. The
text does not say which page, nor in which order, so that references are made by a rule: a snapshot
becomes as many rounds as its most accessed region has accesses; in round r, each region with r
accesses or more is read from its first page to its last, in the order of the text. Nothing is
drawn; the same text gives the same references.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from swapfast.traces._regions import RegionParser
from swapfast.traces.format import Format, Head, Options
from swapfast.traces.parsed import Begun, read_parsed
from swapfast.traces.streams import Progress, chunks
from swapfast.traces.trace import Trace

__all__ = ["DAMO", "read_damo"]

LEAST = 1 << 16
HOLDS = 4  # references of one snapshot, in those that are kept in memory

Regions = NDArray[np.uint64]


def read_damo(path: str | os.PathLike[str], options: Options) -> Trace:
    """Read regions; parameters and errors as `open_trace`.

    A snapshot has at most four times as many references as are kept in memory (``hold``).
    """
    name = os.fspath(path)

    def begin(progress: Progress | None) -> Begun:
        parser = RegionParser(options.collapse)
        steps = _expanded(name, parser, HOLDS * max(options.hold, LEAST))
        return Begun(parser, chunks(name, progress), kind=lambda: "sampled", steps=steps)

    return read_parsed(name, begin, "text of damo report raw", options)


def _expanded(
    name: str, parser: RegionParser, most: int
) -> Callable[[Iterator[bytes]], Iterator[NDArray[np.uint32]]]:
    """What makes references of text, one snapshot after the other."""

    def steps(data: Iterator[bytes]) -> Iterator[NDArray[np.uint32]]:
        for snapshot in _snapshots(parser, data):
            yield from _rounds(name, parser, snapshot, most)

    return steps


def _snapshots(parser: RegionParser, data: Iterator[bytes]) -> Iterator[Regions]:
    """Regions of one snapshot after the other."""
    held = parser.regions()
    for chunk in data:
        parser.feed(chunk)
        held = np.concatenate([held, parser.regions()])
        *whole, held = np.split(held, np.flatnonzero(held[1:, 0] != held[:-1, 0]) + 1)
        yield from whole
    parser.finish()
    held = np.concatenate([held, parser.regions()])
    yield from np.split(held, np.flatnonzero(held[1:, 0] != held[:-1, 0]) + 1)


def _rounds(
    name: str, parser: RegionParser, regions: Regions, most: int
) -> Iterator[NDArray[np.uint32]]:
    together = int((regions[:, 2].astype(float) * regions[:, 3]).sum())
    if together > most:
        raise ValueError(
            f"{name}: snapshot {regions[0, 0]}: {together} references; {most} are taken"
        )
    for number in range(int(regions[:, 3].max(initial=0))):
        row, page = 0, 0
        while row < len(regions):
            row, page = parser.expand(regions, number, row, page)
            yield parser.take()


def _is_damo(head: Head) -> bool:
    lines = head.lines()
    return bool(lines) and lines[0].startswith((b"base_time_absolute:", b"monitoring_start:"))


DAMO = Format(
    "damo",
    read_damo,
    "sampled",
    "damo report raw: each region once a round, in as many rounds as it has accesses",
    "https://github.com/damonitor/damo/blob/next/USAGE.md",
    _is_damo,
)
