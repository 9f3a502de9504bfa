"""Programs side by side: machines, traces and facts as their tests need them.

- ``machine_of(...)``: one without contents, where only limits press.
- ``faulting(pages, rounds)``: a trace whose references all fault, once it has filled its memory.
- ``FREE``: times of a machine where only devices and references take any.
- ``counted(machine, mapping)``: all that a machine counts, and where the pages of a mapping are.
- ``seen(program)``: all that a program counts.
- ``check(run)``: what holds after every run.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import swapfast as sf
from swapfast.core import mapping_table
from swapfast.kernel.choices import TIMES
from swapfast.together import Program, Together
from swapfast.traces import Trace
from swapfast.units import PAGE_SIZE

WRITE = np.uint32(1 << 31)
FREE = {name: 0 for name in TIMES if name != "reference"}
AREA = 131_072 * PAGE_SIZE  # never half full


def machine_of(memory: int = 1 << 16, **options: Any) -> sf.Machine:
    """A machine of so many pages, without an area."""
    options = {"contents": False, "cache": 0, "overcommit": 1, "page_cluster": 0, **options}
    return sf.Machine(memory * PAGE_SIZE, **options)


def faulting(pages: int, rounds: int) -> Trace:
    """Writes each page once, then reads all in turn: FIFO with less memory never hits."""
    fill = np.arange(pages, dtype=np.uint32)
    return Trace(np.concatenate([fill | WRITE, np.tile(fill, rounds)]), pages)


def counted(machine: sf.Machine, *mappings: sf.Mapping) -> tuple[object, ...]:
    core = machine.core
    where = [mapping_table.count(core, one.number) for one in mappings]
    return core.counters(), core.clock(), core.memory(), where


def seen(program: Program) -> dict[str, object]:
    told: dict[str, object] = {
        name: getattr(program, name)
        for name in ("start", "end", "wall", "references", "rounds", "majors", "minors", "times")
    }
    latencies = {"latency": program.latency, "minor_latency": program.minor_latency}
    return {**told, **latencies, "killed": program.killed}


def check(machine: sf.Machine, run: Together) -> None:
    """Structures agree, and no ns of a program is lost or counted twice."""
    machine.verify()
    for program in run.programs:
        if not program.alive:
            assert sum(program.times.values()) == program.wall, program
