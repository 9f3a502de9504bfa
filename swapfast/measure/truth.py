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
from dataclasses import dataclass

from swapfast.measure.plan import Cell
from swapfast.publish import publish

__all__ = ["COLUMNS", "Counts", "Result", "write_truth"]

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
)


@dataclass(frozen=True, slots=True)
class Counts:
    """What one run cost, in events; None in place of it: killed by the group's OOM killer."""

    majflt: int
    pswpin: int
    pswpout: int


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
        return row


def _spread(values: Sequence[int]) -> str:
    """(max - min) / max(median, 200); "nan" of one run, which says nothing about it."""
    if len(values) < 2:
        return "nan"
    return f"{(max(values) - min(values)) / max(statistics.median(values), FLOOR):.5g}"


def write_truth(path: str | os.PathLike[str], results: Sequence[Result]) -> None:
    """Write a truth file; a reader sees the old one or the new one.

    Raises
    ------
    OSError
        No such folder, no room, a link, ...; the old file, if any, is as it was.
    """
    # Root writes into somebody's folder: never through a name that was there.
    with (
        publish(path, follow=False) as raw,
        io.TextIOWrapper(raw, encoding="utf-8", newline="") as file,
    ):
        rows = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        rows.writeheader()
        rows.writerows(r.row() for r in results)
