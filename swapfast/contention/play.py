"""One run of a scenario, simulated.

- ``play(setup, scenario, traces, starts, history)``: an ``Outcome``.
- ``histories(machine, lru, mask)``: what a run may have depended on, beside its programs.
- ``Traces``: those of a folder, by name, each read once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from swapfast.contention.setup import GroupSetup, LatencySetup, MachineSetup, ScenarioSetup, Setup
from swapfast.kernel.control import LIMITS, Amount, Limits
from swapfast.latency import UPPER, Latency
from swapfast.machine import Machine
from swapfast.together import Device, Program, Together
from swapfast.traces import Trace, open_trace
from swapfast.units import PAGE_SIZE
from swapfast.validate import LRUS, RULES

__all__ = ["History", "Outcome", "Traces", "histories", "play"]


@dataclass(frozen=True, slots=True)
class History:
    """What decides beside the programs, and no truth knows.

    Attributes
    ----------
    lru : str
        "classic" or "mglru".
    phase : int or None
        First refresh of stale statistics in ns; None: they are exact.
    lru_gen : int or None
        Of mglru: the mask.
    rule : str
        Of mglru: which programs an aging walks.
    """

    lru: str = "classic"
    phase: int | None = None
    lru_gen: int | None = None
    rule: str = RULES[0]


EXACT = History()


def histories(machine: MachineSetup, lru: str, lru_gen: int | None) -> tuple[History, ...]:
    """Those that a run may have had: phases of the statistics, or rules of generations.

    The generations read no statistics. Of the rules, the one that is asked for comes first.
    """
    if lru == "classic":
        return tuple(History(lru, phase) for phase in machine.first_refreshes)
    if lru_gen is not None and not lru_gen & 2:
        return (History(lru, lru_gen=lru_gen),)
    rules = dict.fromkeys((machine.lru_gen_rule, *RULES))
    return tuple(History(lru, lru_gen=lru_gen, rule=rule) for rule in rules)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a simulated run did.

    Attributes
    ----------
    killed : dict of str to bool
        By program.
    counts : dict of str to dict
        By program, and by the names of `truth.COUNTS`; times in us.
    disks : dict of str to dict
        By disk, and by the names of `truth.DISK_COUNTS`.
    """

    killed: dict[str, bool]
    counts: dict[str, dict[str, float]]
    disks: dict[str, dict[str, float]]


class Traces:
    """Traces of a folder by name, without their suffix.

    Parameters
    ----------
    folder : path
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._loaded: dict[str, Trace] = {}

    def __getitem__(self, name: str) -> Trace:
        """A trace.

        Raises
        ------
        OSError, ValueError
            There is none, or it is broken.
        """
        if name not in self._loaded:
            found = sorted(self.folder.glob(f"{name}.*"))
            if not found:
                raise FileNotFoundError(2, f"no trace {name}.npz there", os.fspath(self.folder))
            self._loaded[name] = open_trace(found[0])
        return self._loaded[name]


def play(
    setup: Setup,
    scenario: ScenarioSetup,
    traces: Traces,
    starts: Mapping[str, int],
    history: History = EXACT,
) -> Outcome:
    """Simulate one run.

    Parameters
    ----------
    setup : Setup
    scenario : ScenarioSetup
        One of it.
    traces : Traces
    starts : mapping
        ns at which each program begins.
    history : History
        Which LRU, and what it depends on.
    """
    wanted = setup.machine
    machine = Machine(
        wanted.memory,
        contents=False,
        cache=0,
        overcommit=1,
        policy=LRUS[history.lru],
        page_cluster=wanted.page_cluster,
        swappiness=wanted.swappiness,
        times={**wanted.times, "reference": wanted.think},
        statistics="exact" if history.phase is None else "stale",
        statistics_phase=history.phase,
        lru_gen=history.lru_gen if history.lru == "mglru" else None,
        lru_gen_rule=history.rule,
        cgroup="v2",
    )
    disks = _disks(machine, setup, scenario)
    groups = {one.path: machine.cgroup(one.path, **_limits(one)) for one in scenario.cgroup}
    for one in scenario.cgroup:
        groups[one.path].oom_group = one.oom_group
    run = machine.together(cpus=wanted.cpus, slice=wanted.slice)
    programs = {}
    for row in scenario.program:
        start = starts[row.name]
        programs[row.name] = run.program(
            row.name,
            traces[row.trace],
            cgroup=groups[row.cgroup],
            start=start,
            stop=None if row.stop is None else start + row.stop,
            loops=1 if row.stop is None else "forever",
        )
    run.until()
    stats = {path: group.stat() for path, group in groups.items()}
    return Outcome(
        {name: program.killed for name, program in programs.items()},
        {
            row.name: {
                "pswpout": float(stats[row.cgroup]["pswpout"]),
                **_counts(setup.latency, run, programs[row.name]),
            }
            for row in scenario.program
        },
        {name: _disk_counts(disk) for name, disk in disks.items()},
    )


def _disks(machine: Machine, setup: Setup, scenario: ScenarioSetup) -> dict[str, Device]:
    rows = {one.name: one for one in setup.disk}
    disks = {}
    for use in setup.swap_of(scenario):
        row = rows[use.disk]
        disk = machine.device(row.name, row.preset, **(row.model_extra or {}))
        machine.add_swap(row.size, priority=use.priority, device=disk)
        disks[row.name] = disk
    return disks


def _limits(group: GroupSetup) -> Limits:
    pages: dict[str, Amount] = {
        name: getattr(group, name) * PAGE_SIZE
        for name in LIMITS
        if getattr(group, name) is not None
    }
    return pages  # type: ignore[return-value]


def _counts(shown: LatencySetup, run: Together, program: Program) -> dict[str, float]:
    pressure = run.pressure(program.cgroup)
    slow = _slower(program.latency + program.minor_latency, shown.slow)
    return {
        "majflt": float(program.majors),
        "refs": float(program.references),
        "wall": program.wall / 1e3,
        "p50": shown.as_shown(slow.p50),
        "p99": shown.as_shown(slow.p99),
        "psi memory": pressure["memory"].some / 1e3,
        "psi io": pressure["io"].some / 1e3,
    }


def _slower(latency: Latency, least: int) -> Latency:
    """Those that took longer, by buckets."""
    counts = np.where(least < UPPER, latency.counts, 0)
    if not counts.any():
        return Latency()
    return Latency(counts, sum=max(latency.sum, latency.max), max=latency.max)


def _disk_counts(disk: Device) -> dict[str, float]:
    told = disk.counters()
    return {
        "reads": float(told["reads"]),
        "writes": float(told["writes"]),
        "pages written": float(told["pages_out"]),
    }
