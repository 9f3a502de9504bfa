"""A measured device as one of this package: its settings, and a file of them.

- ``fit(service)``: a ``Fit``.
- ``samples(point, way)``: times of service, as a CSV file of an empirical distribution.
- ``toml(fit, ...)``: a ``[[disk]]`` for a file of scenarios.

A request holds a unit for its service time and then goes through a serial part: ``request``, and
``page`` for each 4 KiB of it. ``page`` is what a page takes in large requests. Service is what a
request at depth 1 takes beside the serial part. There are as many units as keep up the highest rate
that was seen. Reads and writes have the same number of units: the direction that is slower with so
many has a ``request`` that holds it at its highest rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swapfast.measure.device.service import Point, Service
from swapfast.measure.device.target import Facts
from swapfast.units import PAGE_SIZE, format_size

__all__ = ["Fit", "Way", "fit", "samples", "toml"]

MOST_UNITS, MOST_TAGS = 4096, 65_536
SLACK = 1.1  # so much faster than it was may be left as it is
MOST_ROWS = 1000  # of an empirical distribution


@dataclass(frozen=True, slots=True)
class Way:
    """One direction.

    Attributes
    ----------
    median, p99, mean : float
        Of the service, ns.
    request, page : float
        ns of the serial part.
    units : int
        Requests served at a time.
    """

    median: float
    p99: float
    mean: float
    request: float
    page: float
    units: int

    @property
    def serial(self) -> float:
        """How long a request of one page keeps all others waiting, ns."""
        return self.request + self.page

    def rate(self, depth: int) -> float:
        """Requests a second that such a device serves, so many at a time."""
        one = self.mean + self.serial
        return 1e9 * min(depth / one, self.units / self.mean, 1 / self.serial)


@dataclass(frozen=True, slots=True)
class Fit:
    """Settings of a device.

    Attributes
    ----------
    read, write : Way
        Writes are as reads where none were measured.
    wrote : bool
        Whether writes were measured.
    """

    read: Way
    write: Way
    wrote: bool


def fit(service: Service) -> Fit:
    """The settings that come nearest.

    Parameters
    ----------
    service : Service
        Its points by depth, the first of depth 1.
    """
    wrote = bool(service.of(True))
    ways = (False, True) if wrote else (False,)
    units = max(_units(service, write) for write in ways)
    found = [_way(service, write, units) for write in ways]
    return Fit(found[0], found[-1], wrote)


def _units(service: Service, write: bool) -> int:
    points = service.of(write)
    mean = float(_times(points[0], _page(service, write)).mean())
    deepest = max(point.depth for point in points)
    return min(max(round(_busiest(points) * mean / 1e9), 1), deepest, MOST_UNITS)


def _way(service: Service, write: bool, units: int) -> Way:
    points, page = service.of(write), _page(service, write)
    busiest, request = _busiest(points), 0.0
    times = _times(points[0], page)
    if 1e9 * units / float(times.mean()) > SLACK * busiest:
        shortest = float(np.quantile(times, 0.01))  # the serial part is in every request
        request = min(max(1e9 / busiest - page, 0.0), shortest)
    alone = _times(points[0], request + page)
    median, p99 = (float(q) for q in np.quantile(alone, (0.5, 0.99)))
    return Way(median, p99, float(alone.mean()), request, page, units)


def _busiest(points: tuple[Point, ...]) -> float:
    return max(point.rate for point in points)


def _page(service: Service, write: bool) -> float:
    return 1e9 * PAGE_SIZE / service.bandwidth[write]


def _times(point: Point, serial: float) -> NDArray[np.float64]:
    """Times without the serial part; never none at all."""
    return np.maximum(point.took.astype(float) - serial, 1.0)


def samples(point: Point, way: Way) -> str:
    """Times of service as CSV, ``us,weight``, at most a thousand lines.

    Parameters
    ----------
    point : Point
        At depth 1.
    way : Way
        Its direction.
    """
    times = np.sort(_times(point, way.serial))
    parts = np.array_split(times, min(len(times), MOST_ROWS))
    lines = (f"{part.mean() / 1e3:.4f},{len(part)}" for part in parts)
    return "\n".join(["us,weight", *lines, ""])


def toml(
    found: Fit,
    facts: Facts,
    *,
    name: str = "measured",
    size: int = 1 << 30,
    when: str = "",
    files: tuple[str, str] | None = None,
) -> str:
    """A ``[[disk]]``, with every setting that a preset would have.

    Parameters
    ----------
    found : Fit
    facts : Facts
    name : str
        Of the disk.
    size : int
        Bytes of the swap area on it.
    when : str
        Where and when it was measured, for the comment.
    files : tuple of str, optional
        Empirical distributions of reads and writes, in place of lognormal ones.
    """
    tags = '"unlimited"' if facts.tags is None else str(min(facts.tags, MOST_TAGS))
    read, write = (
        _distribution(way, files[i] if files else None)
        for i, way in enumerate((found.read, found.write))
    )
    told = when if found.wrote else f"{when}; reads only, and writes are taken to be like them"
    return "\n".join(
        [
            f"# {told}" if told else "# Measured.",
            "# O_DIRECT, 4 KiB, random places; the time of the system call is in it.",
            "# Not measured: duplex, and how reads and writes hinder each other.",
            "[[disk]]",
            f'name = "{name}"',
            f'size = "{format_size(size).replace(" ", "")}"',
            f"read = {read}",
            f"write = {write}",
            f"units = {found.read.units}",
            _both("request", found.read.request, found.write.request),
            _both("page", found.read.page, found.write.page),
            "latency = 0",
            "duplex = false",
            f"tags = {tags}",
            f"rotational = {str(facts.rotational).lower()}",
            "",
        ]
    )


def _both(key: str, read: float, write: float) -> str:
    return f'{key} = {{ read = "{round(read)}ns", write = "{round(write)}ns" }}'


def _distribution(way: Way, file: str | None) -> str:
    if file is not None:
        quoted = file.replace("\\", "\\\\").replace('"', '\\"')
        return f'{{ dist = "empirical", file = "{quoted}" }}'
    median = max(round(way.median), 1)
    p99 = max(round(way.p99), median + 1)
    return f'{{ dist = "lognormal", median = "{median}ns", p99 = "{p99}ns" }}'
