"""An axis: a count that grows, and what one unit costs at each point.

- ``Axis``: its points, and the work at one of them.
- ``Work``: what was done there: seconds of it, and in how many units.
- ``Point``: the same, with the memory of the process that did it.
- ``measure(axis, count)``: one point, in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Axis", "Point", "Work", "measure"]

ROOT = Path(__file__).parents[2]
LONGEST = 900  # s of one point
ENOUGH = 0.3  # s of work, unless it was done so often
OFTEN = 20


@dataclass(frozen=True)
class Work:
    """What was done at a point.

    Attributes
    ----------
    seconds : float
        CPU time of the work; what is set up before is not in it.
    units : int
        Of what the cost is told by: references, pages, namespaces, ...
    """

    seconds: float
    units: int


@dataclass(frozen=True)
class Point:
    """One point of an axis.

    Attributes
    ----------
    count : int
    ns : float
        Cost of a unit.
    mib : float
        The most memory that the process had, less what it had before the work.
    """

    count: int
    ns: float
    mib: float


@dataclass(frozen=True)
class Axis:
    """A count that grows.

    Attributes
    ----------
    title, unit : str
        What grows; what the cost is told by.
    counts : tuple of int
    work : callable
        Does the work for a count, checks that it was done, and tells how long it took.
    flat : bool
        Nothing but the count grows, so that a unit is to cost the same everywhere.
    limit : str
        What keeps the axis from going on.
    """

    title: str
    unit: str
    counts: tuple[int, ...]
    work: Callable[[int], Work]
    flat: bool = True
    limit: str = ""


def measure(name: str, count: int, times: int = 1) -> Point:
    """One point of an axis, in a process of its own; the quickest of some.

    Raises
    ------
    RuntimeError
        The process did not come to its end; what it said is in the error.
    """
    found = [_one(name, count) for _ in range(times)]
    return min(found, key=lambda point: point.ns)


def _one(name: str, count: int) -> Point:
    command = [sys.executable, "-m", "bench.scale", "--point", name, str(count)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LONGEST)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        raise RuntimeError(f"{name} at {count:,}: {lines[-1]}")
    return Point(**json.loads(done.stdout))


def tell(axis: Axis, count: int) -> str:
    """The work of one point here, as JSON of its Point; what is over soon is done again."""
    axis.work(axis.counts[0])  # the first time is about imports and caches
    before, spent, costs = _resident("VmRSS"), 0.0, list[float]()
    while not costs or (spent < ENOUGH and len(costs) < OFTEN):
        work = axis.work(count)
        spent += work.seconds
        costs.append(work.seconds / work.units * 1e9)
    mib = max(0.0, _resident("VmHWM") - before)
    return json.dumps(asdict(Point(count, min(costs), mib)))


def _resident(line: str) -> float:
    """MiB of this process: VmRSS now, VmHWM at most (proc(5))."""
    text = Path("/proc/self/status").read_text("ascii")
    return next(int(row.split()[1]) / 1024 for row in text.splitlines() if row.startswith(line))
