"""The truth file: what the kernel said, as `swapfast validate` reads it.

- ``Counts``: one run. ``Result``: the runs of one cell; medians and spreads.
- ``write_truth(path, results)``: CSV, whole or not at all.
"""

from __future__ import annotations

import csv
import io
import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from swapfast.measure.plan import Cell
from swapfast.measure.readings import MORE
from swapfast.publish import publish
from swapfast.running import Running

__all__ = [
    "COLUMNS",
    "KERNEL_COLUMNS",
    "Counts",
    "Result",
    "kernel_row",
    "write_rows",
    "write_truth",
]

FLOOR = 200  # events; spreads are relative to at least so many
COLUMNS = (
    "trace",
    "frac",
    "pages",
    "refs",
    "runs",
    "killed",
    "oom",
    "majflt",
    "majflt_spread",
    "pswpin",
    "pswpin_spread",
    "pswpout",
    "pswpout_spread",
    *MORE,
)
#: Which kernel it was; `swapfast validate` reads ``lru``.
KERNEL_COLUMNS = ("lru", "lru_gen", "cgroup", "kernel")


@dataclass(frozen=True, slots=True)
class Counts:
    """What one run cost, in events; None in place of it: killed by the group's OOM killer.

    ``more`` has what else this kernel says of the group, by the names of `MORE`.
    """

    majflt: int
    pswpin: int
    pswpout: int
    more: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """All runs of a cell."""

    cell: Cell
    runs: tuple[Counts | None, ...]

    def row(self) -> dict[str, str]:
        """A line of the truth file; killed runs are counted, and enter no median.

        ``oom`` is 1, and the counts are empty, where every run was killed.
        """
        alive = [r for r in self.runs if r is not None]
        row = {
            "trace": self.cell.trace,
            "frac": self.cell.frac,
            "pages": str(self.cell.pages),
            "refs": str(self.cell.refs),
            "runs": str(len(self.runs)),
            "killed": str(len(self.runs) - len(alive)),
            "oom": str(int(not alive)),
        }
        for count in ("majflt", "pswpin", "pswpout") if alive else ():
            values = [getattr(r, count) for r in alive]
            row[count] = f"{statistics.median(values):.12g}"
            row[f"{count}_spread"] = _spread(values)
        for name in MORE:
            values = [r.more[name] for r in alive if name in r.more]
            if values:
                row[name] = f"{statistics.median(values):.12g}"
        return row


def _spread(values: Sequence[int]) -> str:
    """(max - min) / max(median, 200); "nan" of one run, which says nothing about it."""
    if len(values) < 2:
        return "nan"
    return f"{(max(values) - min(values)) / max(statistics.median(values), FLOOR):.5g}"


def kernel_row(running: Running | None) -> dict[str, str]:
    """The columns that say which kernel it was; none where nobody knows."""
    if running is None:
        return {}
    return {
        "lru": running.lru,
        "lru_gen": "" if running.lru_gen is None else f"{running.lru_gen:#06x}",
        "cgroup": "" if running.cgroup is None else f"v{running.cgroup}",
        "kernel": running.kernel,
    }


def write_truth(
    path: str | os.PathLike[str], results: Sequence[Result], running: Running | None = None
) -> None:
    """Write a truth file; a reader sees the old one or the new one.

    Parameters
    ----------
    path : path
    results : sequence of Result
    running : Running, optional
        The kernel that was asked.

    Raises
    ------
    OSError
        No such folder, no room, a link, ...; the old file, if any, is as it was.
    """
    kernel = kernel_row(running)
    rows = [{**r.row(), **kernel} for r in results]
    write_rows(path, (*COLUMNS, *KERNEL_COLUMNS), rows)


def write_rows(
    path: str | os.PathLike[str], columns: Sequence[str], rows: Sequence[dict[str, str]]
) -> None:
    """Write lines of a CSV file, whole or not at all.

    Raises
    ------
    OSError
        As `write_truth`.
    """
    # Root writes into somebody's folder: never through a name that was there.
    with (
        publish(path, follow=False) as raw,
        io.TextIOWrapper(raw, encoding="utf-8", newline="") as file,
    ):
        lines = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        lines.writeheader()
        lines.writerows(rows)
