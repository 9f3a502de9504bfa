"""Replacement policies alone: a memory, a trace, and who has to go.

No page tables, no slots, no kernel around it: every touched page takes a frame, and a fault evicts
when all are taken. This is what cache simulators compare, and it is fast.

- ``simulate(trace, frames, policy)``: the counts of one replay.
- ``Simulation``: the same by batches, compiled. ``POLICIES``: the compiled ones.
- ``PythonPolicy``: a policy written in Python, for experiments; ``own_policy("file.py:Class")``.
"""

from swapfast.replacement._replay import Simulation, names, needs_whole
from swapfast.replacement.named import is_own, own_policy
from swapfast.replacement.python_policy import PythonPolicy, PythonSimulation
from swapfast.replacement.simulate import Counts, simulate

__all__ = [
    "POLICIES",
    "Counts",
    "PythonPolicy",
    "PythonSimulation",
    "Simulation",
    "is_own",
    "needs_whole",
    "own_policy",
    "simulate",
]

POLICIES: tuple[str, ...] = names()
