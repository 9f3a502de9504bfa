"""What a kernel did with several programs at once: a CSV file, one line a program and run.

- ``is_several(path)``: by its columns. ``read_truth(path)``: its runs, as ``Run`` objects.
- ``COUNTS``: what is compared of a program, and its column.

Columns: ``scenario, program, majflt, pswpout`` and what else of ``COUNTS`` there is; ``lru`` and
``lru_gen`` as `swapfast.validate.truth`, ``rep`` (or a scenario that ends in ``.r0``), ``killed``,
``start_s``, and for each disk ``NAME_reads, NAME_writes, NAME_pages_written`` of all programs.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from swapfast.inputs import open_input
from swapfast.validate import lru_of, number_of, truth_rows

__all__ = ["COUNTS", "DISK_COUNTS", "Measured", "Run", "is_several", "read_truth"]

MOST_LINES = 100_000
REQUIRED = ("scenario", "program", "majflt", "pswpout")
#: Name -> column, and how many of its units are one of the column's. Times are in us.
COUNTS = {
    "majflt": ("majflt", 1.0),
    "pswpout": ("pswpout", 1.0),
    "refs": ("refs", 1.0),
    "wall": ("wall_s", 1e6),
    "p50": ("p50_us", 1.0),
    "p99": ("p99_us", 1.0),
    "psi memory": ("psi_mem_some_us", 1.0),
    "psi io": ("psi_io_some_us", 1.0),
}
DISK_COUNTS = {"reads": "reads", "writes": "writes", "pages written": "pages_written"}
_REPEAT = re.compile(r"(.*)\.(r\d+)\Z")
_DISK = re.compile(r"(\w+)_pages_written\Z")


@dataclass(frozen=True, slots=True)
class Measured:
    """A program of a run.

    Attributes
    ----------
    name : str
    killed : bool
        By the OOM killer.
    start : int or None
        ns after the first one, where it is known.
    counts : dict of str to float
        By the names of `COUNTS`; times in us.
    """

    name: str
    killed: bool
    start: int | None
    counts: dict[str, float]


@dataclass(slots=True)
class Run:
    """One run of one scenario.

    Attributes
    ----------
    lru, scenario, repeat : str
        The first is "classic" or "mglru".
    line : int
        The first one of it in the file.
    lru_gen : int or None
        The mask, where it is known.
    programs : dict of str to Measured
        By name, in the order of the file.
    disks : dict of str to dict
        By name, and by the names of `DISK_COUNTS`.
    """

    lru: str
    scenario: str
    repeat: str
    line: int
    lru_gen: int | None = None
    programs: dict[str, Measured] = field(default_factory=dict)
    disks: dict[str, dict[str, float]] = field(default_factory=dict)


def is_several(path: str | os.PathLike[str]) -> bool:
    """Whether a truth is one of several programs: its first line has their columns.

    A pipe can be read once only, and is never one.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    try:
        with open_input(path) as raw:
            head = raw.read(1 << 16) or b""
    except OSError:
        if os.path.isfile(path) or not os.path.exists(path):
            raise
        return False
    columns = head.split(b"\n", 1)[0].decode("utf-8", "replace").strip().split(",")
    return all(name in columns for name in REQUIRED)


def read_truth(path: str | os.PathLike[str]) -> list[Run]:
    """Read a truth of several programs.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        A broken line: file, line and cause.
    """
    name = os.fspath(path)
    runs: dict[tuple[str, str, str], Run] = {}
    for line, row in truth_rows(path, REQUIRED)[1]:
        if line > MOST_LINES:
            raise ValueError(f"{name}: more than {MOST_LINES} lines")
        _take(f"{name}:{line}", line, row, runs)
    if not runs:
        raise ValueError(f"{name}: no measured run in it")
    return list(runs.values())


def _take(
    where: str, line: int, row: dict[str, str], runs: dict[tuple[str, str, str], Run]
) -> None:
    lru, mask = lru_of(where, row)
    scenario, repeat = row["scenario"], row.get("rep") or "r0"
    if match := _REPEAT.match(scenario):
        scenario, repeat = match[1], match[2]
    if repeat.isdigit():
        repeat = f"r{repeat}"
    run = runs.setdefault((lru, scenario, repeat), Run(lru, scenario, repeat, line, mask))
    program = row["program"]
    if not scenario or not program:
        raise ValueError(f"{where}: no scenario or no program")
    if program in run.programs:
        raise ValueError(
            f"{where}: program {program:.40} is there twice in {scenario:.40} {repeat}"
        )
    counts = {
        name: number_of(where, row, column) * scale
        for name, (column, scale) in COUNTS.items()
        if row.get(column)
    }
    run.programs[program] = Measured(
        program,
        row.get("killed") == "1",
        round(number_of(where, row, "start_s") * 1e9) if row.get("start_s") else None,
        counts,
    )
    for disk in [match[1] for match in map(_DISK.match, filter(None, row)) if match]:
        columns = {what: f"{disk}_{end}" for what, end in DISK_COUNTS.items()}
        run.disks[disk] = {
            what: number_of(where, row, column)
            for what, column in columns.items()
            if row.get(column)
        }
