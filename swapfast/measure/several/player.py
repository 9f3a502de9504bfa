"""The process of one program among others: gets ready, waits for its start, plays, tells.

- ``python -m swapfast.measure.several.player ORDER``: JSON in, "ready", a start, JSON out.
- ``Order``: what it is to do. ``Told``: what it says.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from swapfast.latency import BUCKETS, Latency
from swapfast.measure._timed import play
from swapfast.measure.host import Group
from swapfast.measure.player import EVERY, SCRATCH, die_with, enter, major_faults

__all__ = ["READY", "Order", "Told", "main"]

READY = b"ready\n"
NEAR = 2_000_000  # ns before its start at which it stops sleeping
NO_TIMES = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Order:
    """What a program is to do.

    Attributes
    ----------
    name, trace : str
        Of the program; the file of its trace.
    group, stat : str
        Its group's folder; the statistics that are read between references, "" for none.
    version : int
        Of the group.
    cpus : tuple of int
        Where it may run.
    think, slow, start, stop : int
        ns: of a reference; from when on one is counted, -1 for none; after the common start; until
        when the trace is repeated, 0 for one pass.
    """

    name: str
    trace: str
    group: str
    version: int
    stat: str
    cpus: tuple[int, ...]
    think: int
    slow: int
    start: int
    stop: int

    def text(self, parent: int) -> str:
        """As an argument of the process."""
        return json.dumps({**asdict(self), "parent": parent})


@dataclass(frozen=True, slots=True)
class Told:
    """What a program says at its end.

    Attributes
    ----------
    refs, majflt : int
    began, ended : int
        ns on the monotonic clock.
    slow : Latency or None
        Of the references that took long, if they were counted.
    """

    refs: int
    majflt: int
    began: int
    ended: int
    slow: Latency | None

    @classmethod
    def of(cls, text: bytes) -> Told:
        """What the process printed."""
        told = json.loads(text)
        slow = None
        if told["counts"] is not None:
            counts = np.zeros(BUCKETS, np.uint64)
            for bucket, count in told["counts"]:
                counts[bucket] = count
            slow = Latency(counts, sum=told["sum"], max=told["max"])
        return cls(told["refs"], told["majflt"], told["began"], told["ended"], slow)


def main(argv: list[str]) -> int:
    """Play; the argument is an `Order`."""
    told = json.loads(argv[0])
    if not die_with(told.pop("parent")):
        return 1
    order = Order(**told)
    group = Group(Path(order.group), order.version)
    counts = np.ones(BUCKETS, np.uint64)
    counts[:] = 0  # its pages are there before the process moves
    stage = enter(
        order.trace, group, set(order.cpus), Path(order.stat) if order.stat else group.stat
    )
    os.write(1, READY)
    begin = int(sys.stdin.readline())
    time.sleep(max(begin - time.monotonic_ns() - NEAR, 0) / 1e9)
    while time.monotonic_ns() < begin:
        pass
    faults = major_faults()
    refs, _, total, longest, began, ended = play(
        stage.refs,
        stage.area.address,
        stage.scratch.address,
        SCRATCH,
        stage.stat if order.stat else -1,
        EVERY if order.stat else 0,
        order.think,
        NO_TIMES if order.slow < 0 else order.slow,
        order.stop,
        counts,
    )
    faults = major_faults() - faults
    stage.area.close()  # others have its memory and its swap at once
    used = [[int(b), int(counts[b])] for b in np.flatnonzero(counts)]
    counted = {"counts": None if order.slow < 0 else used, "sum": total, "max": longest}
    print(json.dumps({"refs": refs, "majflt": faults, "began": began, "ended": ended, **counted}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
