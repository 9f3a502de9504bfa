"""One trace, one memory size, one replacement policy.

- ``simulate(trace, frames, policy)`` -> ``Counts``
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from swapfast.errors import Interrupted
from swapfast.replacement._replay import Simulation, names, needs_whole
from swapfast.replacement.named import is_own, own_policy
from swapfast.replacement.python_policy import PythonPolicy, PythonSimulation
from swapfast.results import Shown

if TYPE_CHECKING:
    from swapfast.traces import Trace

__all__ = ["Counts", "simulate"]

CHUNK = 1 << 24  # references between two reports of progress
CHUNK_OWN = 1 << 15  # the same of a policy in Python


@dataclass(frozen=True, slots=True)
class Counts(Shown):
    """What a simulation counted.

    Attributes
    ----------
    policy : str
    frames, pages : int
        Size of the memory, and pages of the trace.
    refs : int
    misses : int
        References that found their page not in memory.
    first : int
        Of these, the first touch of a page; the others are major faults.
    evicted : int
    written : int
        Of these, pages whose copy in swap was old or missing.
    scanned : int
        Pages looked at in the search for a victim; 0 for policies in Python.
    resident : int
        Pages in memory at the end.
    wall_s : float
        Time this took, seconds.
    """

    policy: str
    frames: int
    pages: int
    refs: int
    misses: int
    first: int
    evicted: int
    written: int
    scanned: int
    resident: int
    wall_s: float

    @property
    def miss_ratio(self) -> float:
        """Misses per reference."""
        return self.misses / self.refs if self.refs else 0.0

    def as_dict(self) -> dict[str, Any]:
        """The same, for JSON."""
        return {**asdict(self), "miss_ratio": self.miss_ratio}


def simulate(
    trace: Trace,
    frames: int,
    policy: str | PythonPolicy | object = "lru",
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Counts:
    """Replay a trace under a replacement policy, and nothing else.

    Parameters
    ----------
    trace : Trace
    frames : int
        Size of the memory in pages, at least 1.
    policy : str, capsule or PythonPolicy
        A name in ``POLICIES``, or "file.py:Class" (see `own_policy`); a compiled policy of your own
        as a capsule (see ``contract.pxd``); or an object with the methods of `PythonPolicy`.
    progress : callable, optional
        Called as ``progress(references done, all)``.

    Returns
    -------
    Counts

    Raises
    ------
    ValueError
        An unknown policy, or a size out of range.
    Interrupted
        A KeyboardInterrupt came, which ``progress`` may raise: its ``result`` has the Counts of
        the references done.
    """
    simulation: Simulation | PythonSimulation
    if isinstance(policy, str) and is_own(policy):
        policy = own_policy(policy)()
    if isinstance(policy, PythonPolicy):
        simulation = PythonSimulation(policy, frames, trace.pages)
    else:
        simulation = Simulation(policy, frames, trace.pages)
    n = len(trace)
    whole = isinstance(policy, str) and policy in names() and needs_whole(policy)
    chunk = CHUNK_OWN if isinstance(simulation, PythonSimulation) else CHUNK
    done = 0
    begin = time.perf_counter()
    interrupted = False
    try:
        for refs in [trace.refs] if whole else trace.chunks(chunk):
            if progress is not None:
                progress(done, n)
            simulation.run(refs, checked=not whole or trace.is_private)
            done += len(refs)
        if progress is not None:
            progress(n, n)
    except KeyboardInterrupt:
        interrupted = True
    counts = Counts(
        policy=simulation.name,
        frames=frames,
        pages=trace.pages,
        **simulation.counts(),
        wall_s=time.perf_counter() - begin,
    )
    if interrupted:
        raise Interrupted(counts)
    return counts
