"""What a measurement of programs side by side would do, as data.

- ``make_several(scenarios, traces, out, ...)``: read the files, look at the host.
- ``SeveralPlan``: all that will be made, set and run; ``SeveralPlan.lines()`` for people.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from swapfast.contention.setup import ScenarioSetup, Setup, load
from swapfast.measure.ground import HOST, Setting, ground_lines, make_ground, many, undo_lines
from swapfast.measure.host import Group, Host
from swapfast.running import Running
from swapfast.traces import StreamedTrace, open_trace
from swapfast.units import PAGE_SIZE, format_ns, format_size

__all__ = ["SeveralPlan", "TraceFile", "make_several", "path_text"]

INTERPRETER = 64 << 20  # bytes that a process locks beside its trace


@dataclass(frozen=True, slots=True)
class TraceFile:
    """A trace: its file, and how much there is of it."""

    path: Path
    pages: int
    refs: int


@dataclass(frozen=True, slots=True)
class SeveralPlan:
    """All that will be made, set and run.

    Attributes
    ----------
    file : str
        That of the scenarios.
    setup : Setup
        All of it.
    scenarios : tuple of ScenarioSetup
        Those that are measured.
    traces : mapping of str to TraceFile
    group : Group or None
        Made for each run, with those of the scenario below it; None: no memory controller.
    disks : mapping of str to Path
        The swapfile of each disk that a scenario swaps to.
    settings : tuple of Setting
    running : Running
    runs : int
        Of each scenario.
    out : Path
    """

    file: str
    setup: Setup
    scenarios: tuple[ScenarioSetup, ...]
    traces: Mapping[str, TraceFile]
    group: Group | None
    disks: Mapping[str, Path]
    settings: tuple[Setting, ...]
    running: Running
    runs: int
    out: Path

    @property
    def files(self) -> tuple[tuple[Path, int], ...]:
        """The swapfiles to make, and their bytes."""
        sizes = {one.name: one.size for one in self.setup.disk}
        return tuple((path, sizes[name]) for name, path in self.disks.items())

    @property
    def memory(self) -> int:
        """Bytes that the largest scenario locks or may keep in memory."""
        return max(
            sum(
                INTERPRETER + 8 * trace.refs + trace.pages * PAGE_SIZE
                for trace in (self.traces[program.trace] for program in one.program)
            )
            for one in self.scenarios
        )

    def cpus(self, scenario: ScenarioSetup) -> int:
        """How many processors a scenario has."""
        return self.setup.machine.cpus or len(scenario.program)

    def lines(self) -> list[str]:
        """The plan for a person, with the commands that undo it should the machine stop."""
        sizes = dict(self.files)
        runs = len(self.scenarios) * self.runs
        machine = self.setup.machine
        observed = (
            "statistics are read every 64 references"
            if machine.statistics == "exact"
            else "nobody reads statistics"
        )
        return [
            *(
                f"swapfile  {path}, {format_size(sizes[path])}, disk {name}"
                for name, path in self.disks.items()
            ),
            *ground_lines(self),
            f"programs  think {format_ns(machine.think)} a reference; {observed}",
            f"runs      {runs}: {many(len(self.scenarios), 'scenario')}, {self.runs} each",
            *(line for one in self.scenarios for line in self._scenario_lines(one)),
            *undo_lines(self, nested=True),
        ]

    def _scenario_lines(self, one: ScenarioSetup) -> list[str]:
        swap = ", ".join(f"{use.disk} {use.priority}" for use in self.setup.swap_of(one))
        cpus = self.cpus(one)
        limited = [f"{group.path} {limits}" for group in one.cgroup if (limits := _limits(group))]
        return [
            f"  {one.name}: {many(cpus, 'processor')}, swap {swap}"
            + (f"; {', '.join(limited)}" if limited else ""),
            *(
                f"    {row.name} in {row.cgroup}: {row.trace}, {trace.refs} references to "
                f"{trace.pages} pages"
                + ("" if row.stop is None else f", repeated for {format_ns(row.stop)}")
                for row in one.program
                for trace in (self.traces[row.trace],)
            ),
        ]


def _limits(group: object) -> str:
    names = ("max", "high", "low", "min", "swap_max", "swap_high")
    said = [f"{name} {value}" for name in names if (value := getattr(group, name)) is not None]
    return " ".join(said)


def path_text(path: str) -> str:
    """A cgroup's path as that of a folder below the group of the measurement."""
    return path.strip("/")


def make_several(
    scenarios: str | os.PathLike[str],
    traces: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    only: Iterable[str] = (),
    runs: int = 2,
    disks: Mapping[str, str | os.PathLike[str]] | None = None,
    group: str = "swapfast-measure",
    lru: str = HOST,
    host: Host | None = None,
) -> SeveralPlan:
    """Plan a measurement of programs side by side. Nothing is changed.

    Parameters
    ----------
    scenarios : path
        TOML as ``swapfast validate --scenarios`` reads it.
    traces : path
        Folder with the traces that it names.
    out : path
        The truth file.
    only : iterable of str
        Names of scenarios; all of them by default.
    runs : int
        Of each.
    disks : mapping of str to path, optional
        Swapfiles by the names of disks; ``OUT.NAME.swap`` by default.
    group : str
        Name of the group, a single folder.
    lru : str
        As for `make_plan`.
    host : Host, optional

    Raises
    ------
    ValueError
        A broken file, a trace that is broken or too long, a name that is not there.
    OSError
        A file that cannot be read.
    """
    host, file = host or Host(), os.fspath(scenarios)
    setup = load(scenarios)
    chosen = _chosen(setup, list(only), file)
    target = Path(out).absolute()
    ground = make_ground(
        host,
        group,
        lru=lru,
        runs=runs,
        page_cluster=setup.machine.page_cluster,
        swappiness=setup.machine.swappiness,
    )
    used = dict.fromkeys(use.disk for one in chosen for use in setup.swap_of(one))
    given = dict(disks or {})
    unknown = [name for name in given if name not in used]
    if unknown:
        raise ValueError(f"{file}: no scenario swaps to {unknown[0]}; to {', '.join(used) or '-'}")
    return SeveralPlan(
        file,
        setup,
        chosen,
        _traces(Path(traces), chosen),
        ground.group,
        {name: Path(given.get(name, f"{target}.{name}.swap")).absolute() for name in used},
        ground.settings,
        ground.running,
        runs,
        target,
    )


def _chosen(setup: Setup, only: list[str], file: str) -> tuple[ScenarioSetup, ...]:
    found = [(name, setup.named(name)) for name in only]
    missing = [name for name, one in found if one is None]
    if missing:
        there = ", ".join(one.name for one in setup.scenario)
        raise ValueError(f"{file}: no scenario {missing[0]:.80}; there are {there}")
    return tuple(one for _, one in found if one is not None) or setup.scenario


def _traces(folder: Path, chosen: tuple[ScenarioSetup, ...]) -> dict[str, TraceFile]:
    found: dict[str, TraceFile] = {}
    for name in dict.fromkeys(row.trace for one in chosen for row in one.program):
        files = sorted(folder.glob(f"{name}.*"))
        if not files:
            raise FileNotFoundError(2, f"no trace {name}.npz there", os.fspath(folder))
        trace = open_trace(files[0])
        if isinstance(trace, StreamedTrace):
            raise ValueError(f"{files[0]}: too long to be locked in memory; measure a part of it")
        found[name] = TraceFile(files[0].absolute(), trace.pages, len(trace))
    return found
