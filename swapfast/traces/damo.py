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

STEP = 1 << 20  # pages that are made at a time
LEAST = 1 << 16
HOLDS = 4  # references of one snapshot, in those that are kept in memory

Region = tuple[int, int, int, int]


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
        snapshot: list[Region] = []
        for region in _regions(parser, data):
            if snapshot and snapshot[-1][0] != region[0]:
                yield from _rounds(name, parser, snapshot, most)
                snapshot = []
            snapshot.append(region)
        yield from _rounds(name, parser, snapshot, most)

    return steps


def _regions(parser: RegionParser, data: Iterator[bytes]) -> Iterator[Region]:
    for chunk in data:
        parser.feed(chunk)
        yield from parser.regions()
    parser.finish()
    yield from parser.regions()


def _rounds(
    name: str, parser: RegionParser, regions: list[Region], most: int
) -> Iterator[NDArray[np.uint32]]:
    together = sum(pages * count for _, _, pages, count in regions)
    if together > most:
        raise ValueError(
            f"{name}: snapshot {regions[0][0]}: {together} references; {most} are taken"
        )
    for number in range(max((count for *_, count in regions), default=0)):
        for _, first, pages, count in regions:
            for at in range(0, pages if count > number else 0, STEP):
                parser.expand(first + at, min(STEP, pages - at))
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
