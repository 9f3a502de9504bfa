"""What a measurement would do, as data.

- ``make_plan(traces, out, ...)``: read the traces, look at the host; nothing is changed.
- ``Plan``: everything that will be made, set and run; ``Plan.lines()`` for people.
- ``Cell``: one trace under one limit.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from swapfast.measure.ground import HOST, Setting, ground_lines, make_ground, many, undo_lines
from swapfast.measure.host import Group, Host
from swapfast.replay import MEASURED_SLOTS
from swapfast.running import Running
from swapfast.traces import StreamedTrace, open_trace
from swapfast.units import PAGE_SIZE, format_size

__all__ = ["Cell", "Plan", "make_plan"]

PACKED = (".gz", ".xz", ".zst")


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
        Sysctls, the LRU, the controller of cgroup v2: set for all runs, and put back.
    running : Running
        The kernel before anything is set.
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
    running: Running
    cells: tuple[Cell, ...]
    runs: int
    out: Path

    @property
    def files(self) -> tuple[tuple[Path, int], ...]:
        """The swapfiles to make, and their bytes."""
        return ((self.swapfile, self.swap_bytes),)

    @property
    def memory(self) -> int:
        """Bytes that the largest run locks or may keep in memory, without the interpreter."""
        return max(8 * c.refs + c.limit * PAGE_SIZE for c in self.cells)  # read, then copied

    def lines(self) -> list[str]:
        """The plan for a person, with the commands that undo it should the machine stop."""
        cells = many(len(self.cells), "cell")
        return [
            f"swapfile  {self.swapfile}, {format_size(self.swap_bytes)}, on during each run",
            *ground_lines(self),
            f"runs      {len(self.cells) * self.runs}: {cells}, {self.runs} each",
            *(
                f"  {c.trace} {c.frac}: {c.refs} references to {c.pages} pages, limit {c.limit}"
                for c in self.cells
            ),
            *undo_lines(self),
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
    lru: str = HOST,
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
    lru : str
        "host" measures the LRU that is on; "classic", "mglru", or a mask for lru_gen/enabled is
        set for the measurement.
    host : Host, optional

    Raises
    ------
    ValueError
        A trace that is broken or too long, two of one name, a share or number out of range.
    OSError
        A trace that cannot be read.
    """
    host = host or Host()
    ground = make_ground(host, group, lru=lru, runs=runs, page_cluster=page_cluster)
    cells: list[Cell] = []
    for path in map(Path, traces):
        cells += _cells(path.absolute(), fracs, {c.trace for c in cells})
    if not cells:
        raise ValueError("no trace or no share: nothing to measure")
    slots = max(MEASURED_SLOTS, *(2 * c.pages + 1 for c in cells))
    target = Path(out).absolute()
    return Plan(
        ground.group,
        Path(f"{target}.swap") if swapfile is None else Path(swapfile).absolute(),
        (slots + 1) * PAGE_SIZE,  # one for the header
        ground.settings,
        ground.running,
        tuple(cells),
        runs,
        target,
    )


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
