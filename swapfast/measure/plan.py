"""What a measurement would do, as data.

- ``make_plan(traces, out, ...)``: read the traces, look at the host; nothing is changed.
- ``Plan``: everything that will be made, set and run; ``Plan.lines()`` for people.
- ``Cell``: one trace under one limit. ``Setting``: a sysctl and its two values.
"""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from swapfast.measure.host import Group, Host
from swapfast.replay import MEASURED_SLOTS
from swapfast.traces import StreamedTrace, open_trace
from swapfast.units import PAGE_SIZE, format_size

__all__ = ["Cell", "Plan", "Setting", "make_plan"]

PACKED = (".gz", ".xz", ".zst")
SWAPPINESS = 60
MOST_RUNS = 100


@dataclass(frozen=True, slots=True)
class Cell:
    """One question to the kernel.

    Attributes
    ----------
    trace : str
        Name in the truth file: that of the file without its suffixes.
    path : Path
    frac : str
        Share of the pages, as written.
    pages, refs : int
        Of the trace.
    """

    trace: str
    path: Path
    frac: str
    pages: int
    refs: int

    @property
    def limit(self) -> int:
        """Pages that the trace may keep in memory: floor(pages x frac)."""
        return int(self.pages * Fraction(self.frac))


@dataclass(frozen=True, slots=True)
class Setting:
    """A sysctl for the time of the measurement; ``before`` is None where it does not exist."""

    path: Path
    name: str
    before: str | None
    during: str


@dataclass(frozen=True, slots=True)
class Plan:
    """All that will be made, set and run.

    Attributes
    ----------
    group : Group or None
        Made for each run, and removed; None: this machine has no memory controller.
    swapfile : Path
        Made once, on for each run, and removed.
    swap_bytes : int
        Its size: the area of the published truth runs, or twice the longest trace's pages.
    settings : tuple of Setting
    cells : tuple of Cell
    runs : int
        For each cell.
    out : Path
        The truth file.
    """

    group: Group | None
    swapfile: Path
    swap_bytes: int
    settings: tuple[Setting, ...]
    cells: tuple[Cell, ...]
    runs: int
    out: Path

    @property
    def memory(self) -> int:
        """Bytes that the largest run locks or may keep in memory, without the interpreter."""
        return max(8 * c.refs + c.limit * PAGE_SIZE for c in self.cells)  # read, then copied

    def lines(self) -> list[str]:
        """The plan for a person, with the commands that undo it should the machine stop."""
        file = shlex.quote(str(self.swapfile))
        if self.group is None:
            group = "none: no memory controller found"
        else:
            group = f"{self.group.path} (cgroup v{self.group.version}), made for each run"
        undo = [f"swapoff {file}", f"rm {file}"]
        if self.group is not None:
            undo.append(f"rmdir {shlex.quote(str(self.group.path))}")
        undo += [f"sysctl {s.name}={s.before}" for s in self.settings if s.before is not None]
        return [
            f"swapfile  {self.swapfile}, {format_size(self.swap_bytes)}, on during each run",
            f"group     {group}",
            *(f"sysctl    {s.name} {s.before or 'missing'} -> {s.during}" for s in self.settings),
            f"runs      {len(self.cells) * self.runs}: {len(self.cells)} cells, {self.runs} each",
            *(
                f"  {c.trace} {c.frac}: {c.refs} references to {c.pages} pages, limit {c.limit}"
                for c in self.cells
            ),
            f"result    {self.out}",
            "after     everything above but the result is undone, on errors and signals as well;",
            "          should the machine stop in between:",
            *(f"            {command}" for command in undo),
        ]


def make_plan(
    traces: Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    fracs: Sequence[str] = ("0.25", "0.5", "0.75", "0.9"),
    runs: int = 2,
    page_cluster: int = 0,
    swapfile: str | os.PathLike[str] | None = None,
    group: str = "swapfast-measure",
    host: Host | None = None,
) -> Plan:
    """Plan a measurement. Traces and settings are read; nothing is changed.

    Parameters
    ----------
    traces : paths
        Page traces of any format that `open_trace` knows.
    out : path
        The truth file.
    fracs : sequence of str
        Limits as decimal shares of a trace's pages.
    runs : int
        Of each cell, for medians and spreads.
    page_cluster : int
        vm.page-cluster during the runs.
    swapfile : path, optional
        ``OUT.swap`` by default. Its file system must be able to hold one.
    group : str
        Name of the group, a single folder.
    host : Host, optional

    Raises
    ------
    ValueError
        A trace that is broken or too long, two of one name, a share or number out of range.
    OSError
        A trace that cannot be read.
    """
    host = host or Host()
    if not 1 <= runs <= MOST_RUNS:
        raise ValueError(f"runs is 1 to {MOST_RUNS}, not {runs}")
    if not 0 <= page_cluster <= 5:
        raise ValueError(f"page_cluster is 0 to 5, not {page_cluster}")
    if not group or "/" in group or group.startswith(".") or any(c.isspace() for c in group):
        raise ValueError(f"{group!r:.40} is not the name of a group: one word, without /")
    cells: list[Cell] = []
    for path in map(Path, traces):
        cells += _cells(path.absolute(), fracs, {c.trace for c in cells})
    if not cells:
        raise ValueError("no trace or no share: nothing to measure")
    slots = max(MEASURED_SLOTS, *(2 * c.pages + 1 for c in cells))
    target = Path(out).absolute()
    own = host.group(group)
    settings = [_setting(host, "vm.page-cluster", page_cluster)]
    if own is None or own.version == 2:  # a v1 group has a swappiness of its own
        settings.append(_setting(host, "vm.swappiness", SWAPPINESS))
    return Plan(
        own,
        Path(f"{target}.swap") if swapfile is None else Path(swapfile).absolute(),
        (slots + 1) * PAGE_SIZE,  # one for the header
        tuple(settings),
        tuple(cells),
        runs,
        target,
    )


def _setting(host: Host, name: str, during: int) -> Setting:
    file = f"proc/sys/{name.replace('.', '/')}"
    return Setting(host.path(file), name, host.text(file), str(during))


def _cells(path: Path, fracs: Sequence[str], taken: set[str]) -> list[Cell]:
    name = path.name
    for suffix in PACKED:
        name = name.removesuffix(suffix)
    name = os.path.splitext(name)[0]
    if name in taken:
        raise ValueError(f"{path}: a second trace with the name {name}; rename one")
    trace = open_trace(path)
    if isinstance(trace, StreamedTrace):
        raise ValueError(f"{path}: too long to be locked in memory; measure a part of it")
    return [Cell(name, path, _frac(f, trace.pages), trace.pages, len(trace)) for f in fracs]


def _frac(text: str, pages: int) -> str:
    text = text.strip()
    try:
        # A truth file has decimals: 1/3 is none. Nor is 1e-999999999, of so many digits.
        value = float(text)
        share = Fraction(text) if math.isnan(value) or 1e-15 < value <= 16 else Fraction(0)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"frac {text!r:.40} is not a decimal number such as 0.5") from None
    if int(pages * share) < 1:
        raise ValueError(f"frac {text} of {pages} pages is no limit")
    return text
