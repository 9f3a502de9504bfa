"""Predicted against measured: how far is a policy from a real kernel?

- ``read_truth(path)``: the cells that a kernel was asked, as ``Cell`` objects.
- ``validate(truth, traces, policies, ...)``: replay every cell; a ``Validation``.
- ``Validation.summary(policy)``: median, 90th percentile and maximum of the error.

A truth file is CSV: ``trace, frac, pages, refs, majflt, majflt_spread, pswpin, pswpout,
pswpout_spread`` and what else it likes; one line a trace and share of memory, from runs of a real
kernel. The limit of a cell is floor(pages x frac) pages. Errors are relative to what was measured,
or to 200 events where there were fewer, so that a handful of faults does not count as a
catastrophe.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from swapfast.errors import Interrupted
from swapfast.inputs import open_input
from swapfast.kernel.options import TIMES, Keywords
from swapfast.kernel.profile import CLASSIC, MGLRU
from swapfast.replay import MEASURED_SLOTS, replay
from swapfast.traces import Trace, open_trace
from swapfast.units import PAGE_SIZE

__all__ = [
    "OBSERVED_NS",
    "Cell",
    "Prediction",
    "Validation",
    "read_truth",
    "truth_bytes",
    "validate",
]

FLOOR = 200  # events
COUNTS = ("majflt", "pswpin", "pswpout")
REQUIRED = ("trace", "frac", "pages", "refs", *COUNTS)
# Between each 64 references ``swapfast measure`` has the kernel add up its statistics and flush the
# TLB: 25.8 us on two virtual CPUs of an AMD EPYC with Linux 6.18, with all pages in memory.
OBSERVED_NS, OBSERVED_REFS = TIMES["reference"], 64
TOLERANCE = 0.01  # of the measured value, or the kernel's own spread if that is larger
MOST_CELLS = 100_000
MOST_BYTES = 1 << 26


@dataclass(frozen=True, slots=True)
class Cell:
    """One question that a kernel was asked.

    Attributes
    ----------
    trace : str
        Name of the trace file, without its suffix.
    frac : Fraction
        Limit as a share of the trace's pages, exactly as written.
    pages, refs : int
    measured : dict of str to float
        majflt, pswpin, pswpout.
    spread : dict of str to float
        (max - min) / max(median, 200) over the kernel's runs; 0 where there was one run.
    line : int
        In the truth file.
    """

    trace: str
    frac: Fraction
    pages: int
    refs: int
    measured: dict[str, float]
    spread: dict[str, float]
    line: int

    @property
    def limit(self) -> int:
        """Pages the program may use."""
        return int(self.pages * self.frac)

    @property
    def real(self) -> bool:
        """A program's trace rather than a synthetic one, by its name."""
        return self.trace.startswith("real-")


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a policy said about a cell, and how wrong it was (0.01 = 1 %)."""

    cell: Cell
    policy: str
    predicted: dict[str, int]
    error: dict[str, float]

    def within(self, count: str) -> bool:
        """Within 1 %, or within the kernel's own spread."""
        return abs(self.error[count]) <= max(TOLERANCE, self.cell.spread.get(count, 0.0))


@dataclass(slots=True)
class Validation:
    """All predictions.

    Attributes
    ----------
    truth : str
        The file.
    page_cluster : int
    predictions : list of Prediction
        Policy by policy, in the order of the file.
    skipped : list of str
        Lines without counts: runs that were killed.
    asked : int
        Predictions that were asked for.
    interrupted : bool
        Ctrl-C came before the last of them.
    """

    truth: str
    page_cluster: int
    predictions: list[Prediction] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    asked: int = 0
    interrupted: bool = False

    @property
    def policies(self) -> list[str]:
        """In order."""
        return list(dict.fromkeys(p.policy for p in self.predictions))

    def of(self, policy: str, kind: str = "all") -> list[Prediction]:
        """Predictions of one policy: of "all" cells, "synthetic" or "real" ones."""
        return [
            p
            for p in self.predictions
            if p.policy == policy and (kind == "all" or p.cell.real == (kind == "real"))
        ]

    def summary(self, policy: str, kind: str = "all") -> dict[str, dict[str, float]]:
        """For each count: cells, median, p90 and max of |error|, share within tolerance."""
        chosen = self.of(policy, kind)
        result = {}
        for count in COUNTS:
            errors = np.abs([p.error[count] for p in chosen])
            if not len(errors):
                continue
            result[count] = {
                "cells": float(len(errors)),
                "median": float(np.median(errors)),
                "p90": float(np.percentile(errors, 90)),
                "max": float(errors.max()),
                "within": float(np.mean([p.within(count) for p in chosen])),
            }
        return result

    def worst(self, policy: str, count: str = "majflt", n: int = 5) -> list[Prediction]:
        """The ``n`` predictions that are furthest off."""
        return sorted(self.of(policy), key=lambda p: -abs(p.error[count]))[:n]

    def as_dict(self) -> dict[str, Any]:
        """The same, for JSON."""
        return {
            "truth": self.truth,
            "page_cluster": self.page_cluster,
            "skipped": self.skipped,
            "interrupted": self.interrupted,
            "summary": {
                policy: {kind: self.summary(policy, kind) for kind in ("all", "synthetic", "real")}
                for policy in self.policies
            },
            "cells": [
                {**asdict(p), "cell": {**asdict(p.cell), "frac": float(p.cell.frac)}}
                for p in self.predictions
            ],
        }


def truth_bytes(path: str | os.PathLike[str]) -> bytes:
    """A truth file as it is.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It is larger than any.
    """
    with open_input(path, pipes=True) as raw:
        content = raw.read(MOST_BYTES + 1) or b""
    if len(content) > MOST_BYTES:
        raise ValueError(f"{os.fspath(path)}: larger than {MOST_BYTES} bytes: no truth file is")
    return content


def read_truth(path: str | os.PathLike[str]) -> tuple[list[Cell], list[str]]:
    """Read a truth file.

    Returns
    -------
    cells : list of Cell
    skipped : list of str
        Lines whose run was killed.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        A broken line: file, line and cause.
    """
    name = os.fspath(path)
    cells: list[Cell] = []
    skipped: list[str] = []
    content = truth_bytes(path)
    with io.TextIOWrapper(io.BytesIO(content), newline="", encoding="utf-8") as file:
        try:
            rows = csv.DictReader(file, strict=True)
            columns = rows.fieldnames or []
            missing = [c for c in REQUIRED if c not in columns]
            if missing:
                raise ValueError(f"{name}:1: no column {', '.join(missing)} in the header")
            for row in rows:
                where = f"{name}:{rows.line_num}"
                if len(cells) >= MOST_CELLS:
                    raise ValueError(f"{where}: more than {MOST_CELLS} cells")
                if row.get("oom") == "1":
                    skipped.append(f"{where}: killed by the group's OOM killer")
                else:
                    cells.append(_cell(where, rows.line_num, row))
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{name}: not a CSV file: {error}") from None
    if not cells:
        raise ValueError(f"{name}: no measured cell in it")
    return cells, skipped


def _cell(where: str, line: int, row: dict[str, str]) -> Cell:
    def number(column: str) -> float:
        try:
            value = float(row[column])
        except (TypeError, ValueError):
            raise ValueError(f"{where}: {column} is no number: {row[column]!r:.40}") from None
        if not 0 <= value < 1e15:
            raise ValueError(f"{where}: {column} is out of range: {value}")
        return value

    def spread(column: str) -> float:
        text = row.get(f"{column}_spread") or "nan"
        try:
            value = float(text)
        except ValueError:
            raise ValueError(f"{where}: {column}_spread is no number: {text!r:.40}") from None
        return 0.0 if math.isnan(value) else value

    trace = row["trace"]
    if not trace or "/" in trace or trace.startswith("."):
        raise ValueError(f"{where}: {trace!r:.40} is not the name of a trace")
    pages, share = int(number("pages")), number("frac")
    # An exponent of nine digits is a number of so many: only what a float can hold becomes one.
    frac = Fraction(row["frac"].strip()) if 1e-15 < share <= 16 else Fraction(0)
    if int(pages * frac) < 1:
        raise ValueError(f"{where}: frac {row['frac']} of {pages} pages is no limit")
    measured = {c: number(c) for c in COUNTS}
    spreads = {c: spread(c) for c in COUNTS}
    if row.get("pswpin_spread") is None and measured["pswpin"] == measured["majflt"]:
        spreads["pswpin"] = spreads["majflt"]  # without read-ahead they are the same events
    return Cell(trace, frac, pages, int(number("refs")), measured, spreads, line)


def validate(
    truth: str | os.PathLike[str],
    traces: str | os.PathLike[str],
    policies: Sequence[str] = ("linux-6.18",),
    *,
    page_cluster: int = 0,
    plug: str = "nested",
    reference_ns: int = OBSERVED_NS,
    progress: Callable[[str, int, int], None] | None = None,
) -> Validation:
    """Replay every cell of a truth file.

    Parameters
    ----------
    truth : path
        CSV, see `read_truth`.
    traces : path
        Folder with ``NAME.npz`` (or another trace format) for each trace.
    policies : sequence of str
    page_cluster : int
        Read-ahead of the runs, for the policies that are a kernel's.
    plug : {"own", "nested"}
        As `Machine`, for linux-6.18 and linux-6.18-mglru.
    reference_ns : int
        What a reference that hits took where it was measured, for the same: the kernel writes
        meanwhile. By default that of a program whose statistics are read all the time.
    progress : callable, optional
        Called as ``progress(what, cells done, cells)``.

    Raises
    ------
    OSError, ValueError
        A file that is missing or broken; a trace that is not the one that was measured.
    Interrupted
        A KeyboardInterrupt came, which ``progress`` may raise: its ``result`` is a Validation of
        the cells done.
    """
    cells, skipped = read_truth(truth)
    result = Validation(os.fspath(truth), page_cluster, skipped=skipped)
    loaded: dict[str, Trace] = {}
    modern: Keywords = {"plug": plug, "times": {"reference": reference_ns}}
    total = len(cells) * len(policies)
    result.asked = total
    try:
        for policy in policies:
            for cell in cells:
                if progress is not None:
                    progress(f"{policy}: {cell.trace}", len(result.predictions), total)
                if cell.trace not in loaded:
                    loaded = {cell.trace: _load(Path(traces), cell)}
                kernel: Keywords = {"policy": policy}
                if policy.startswith("linux-"):
                    kernel["page_cluster"] = page_cluster
                if policy in (CLASSIC, MGLRU):
                    kernel.update(modern)
                if policy == MGLRU and reference_ns == OBSERVED_NS:
                    kernel["lru_drain"] = OBSERVED_REFS
                result.predictions.append(_predict(cell, loaded[cell.trace], policy, kernel))
    except KeyboardInterrupt:
        result.interrupted = True
        raise Interrupted(result) from None
    return result


def _load(folder: Path, cell: Cell) -> Trace:
    found = sorted(folder.glob(f"{cell.trace}.*"))
    if not found:
        raise FileNotFoundError(2, f"no trace {cell.trace}.npz there", os.fspath(folder))
    trace = open_trace(found[0])
    if trace.pages != cell.pages or len(trace) != cell.refs:
        raise ValueError(
            f"{found[0]}: {len(trace)} references to {trace.pages} pages; line {cell.line} of the "
            f"truth file was measured with {cell.refs} to {cell.pages}"
        )
    return trace


def _predict(cell: Cell, trace: Trace, policy: str, kernel: Keywords) -> Prediction:
    area = max(MEASURED_SLOTS, 2 * trace.pages + 1) * PAGE_SIZE
    run = replay(trace, cell.limit * PAGE_SIZE, swap=area, **kernel)
    predicted = {"majflt": run.pgmajfault, "pswpin": run.pswpin, "pswpout": run.pswpout}
    error = {c: (predicted[c] - cell.measured[c]) / max(cell.measured[c], FLOOR) for c in COUNTS}
    return Prediction(cell, policy, predicted, error)
