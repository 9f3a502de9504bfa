"""Predicted against measured, cell by cell.

- ``validate(truth, traces, policies, ...)``: replay every cell of a truth; a ``Validation``.
- ``Validation.by_rule(rule)``: the same with the errors of another rule.

Errors are relative to what was measured, or to 200 events where there were fewer, so that a handful
of faults does not count as a catastrophe.

A kernel whose multi-generational LRU walks page tables decides by when it happened to run something
else, which no truth says. `RULES` are two answers: what was measured is compared with each, and
with their range.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from swapfast.errors import Interrupted
from swapfast.kernel.choices import TIMES
from swapfast.kernel.options import Keywords
from swapfast.kernel.profile import CLASSIC, MGLRU
from swapfast.replay import MEASURED_SLOTS, replay
from swapfast.traces import Trace, open_trace
from swapfast.units import PAGE_SIZE
from swapfast.validate.truth import COUNTS, Cell, read_truth

__all__ = [
    "BESIDE",
    "EVENTS",
    "FLOOR",
    "OBSERVED_NS",
    "RULES",
    "Prediction",
    "Validation",
    "validate",
]

FLOOR = 200  # events
# Between each 64 references ``swapfast measure`` has the kernel add up its statistics and flush the
# TLB: 25.8 us on two virtual CPUs of an AMD EPYC with Linux 6.18, with all pages in memory.
OBSERVED_NS, OBSERVED_REFS = TIMES["reference"], 64
TOLERANCE = 0.01  # of the measured value, or the kernel's own spread if that is larger
RULES = ("always", "fault")  # of lru_gen_rule
BESIDE, EVENTS = 0.01, 5  # of the range of the rules, and still within it


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a policy said about a cell, and how wrong it was (0.01 = 1 %).

    Attributes
    ----------
    cell : Cell
    policy : str
    predicted : dict of str to int
        By the rule whose errors are told, where the policy has rules.
    error : dict of str to float
    rules : dict of str to dict
        What each of `RULES` said, where the policy walks page tables; else empty.
    """

    cell: Cell
    policy: str
    predicted: dict[str, int]
    error: dict[str, float]
    rules: dict[str, dict[str, int]] = field(default_factory=dict)

    def within(self, count: str) -> bool:
        """Within 1 %, or within the kernel's own spread."""
        return abs(self.error[count]) <= max(TOLERANCE, self.cell.spread.get(count, 0.0))

    def in_range(self, count: str) -> bool:
        """Whether what was measured lies between the rules, or 1 % and 5 events beside them."""
        said = [self.predicted[count], *(one[count] for one in self.rules.values())]
        low, high = min(said) * (1 - BESIDE) - EVENTS, max(said) * (1 + BESIDE) + EVENTS
        return low <= self.cell.measured[count] <= high


@dataclass(slots=True)
class Validation:
    """All predictions.

    Attributes
    ----------
    truth : str
        The file.
    page_cluster : int
    rule : str
        Whose errors are told, of `RULES`.
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
    rule: str = RULES[0]
    predictions: list[Prediction] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    asked: int = 0
    interrupted: bool = False

    @property
    def policies(self) -> list[str]:
        """In order."""
        return list(dict.fromkeys(p.policy for p in self.predictions))

    @property
    def kernels(self) -> list[str]:
        """Those that were asked, of `KERNELS`."""
        return sorted({p.cell.kernel for p in self.predictions})

    @property
    def strange(self) -> dict[tuple[str, str], int]:
        """(LRU, policy): how many cells of a kernel were judged by the policy of another."""
        found: dict[tuple[str, str], int] = {}
        for p in self.predictions:
            if p.policy != p.cell.policy and p.policy in (CLASSIC, MGLRU):
                found[p.cell.lru, p.policy] = found.get((p.cell.lru, p.policy), 0) + 1
        return found

    def of(self, policy: str, kind: str = "all", kernel: str | None = None) -> list[Prediction]:
        """Predictions of one policy: of "all" cells, "synthetic" or "real" ones; of a kernel."""
        return [
            p
            for p in self.predictions
            if p.policy == policy
            and (kind == "all" or p.cell.real == (kind == "real"))
            and kernel in (None, p.cell.kernel)
        ]

    def summary(
        self, policy: str, kind: str = "all", kernel: str | None = None
    ) -> dict[str, dict[str, float]]:
        """For each count: cells, median, p90 and max of |error|, share within tolerance.

        Where rules give a range, ``in_range`` is the share of cells that lie in it.
        """
        chosen = self.of(policy, kind, kernel)
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
            if any(p.rules for p in chosen):
                result[count]["in_range"] = float(np.mean([p.in_range(count) for p in chosen]))
        return result

    def by_rule(self, rule: str) -> Validation:
        """The same, with the errors of another rule.

        Raises
        ------
        ValueError
            None of `RULES`.
        """
        if rule not in RULES:
            raise ValueError(f"rule {rule!r} is not one of {', '.join(RULES)}")
        told = []
        for p in self.predictions:
            said = p.rules.get(rule, p.predicted)
            told.append(Prediction(p.cell, p.policy, said, _errors(p.cell, said), p.rules))
        return Validation(
            self.truth, self.page_cluster, rule, told, self.skipped, self.asked, self.interrupted
        )

    def worst(self, policy: str, count: str = "majflt", n: int = 5) -> list[Prediction]:
        """The ``n`` predictions that are furthest off."""
        return sorted(self.of(policy), key=lambda p: -abs(p.error[count]))[:n]

    def as_dict(self) -> dict[str, Any]:
        """The same, for JSON."""
        return {
            "truth": self.truth,
            "page_cluster": self.page_cluster,
            "kernels": self.kernels,
            "lru_gen_rule": self.rule,
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


def validate(
    truth: str | os.PathLike[str],
    traces: str | os.PathLike[str],
    policies: Sequence[str] | None = None,
    *,
    page_cluster: int = 0,
    plug: str = "nested",
    reference_ns: int = OBSERVED_NS,
    charged: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> Validation:
    """Replay every cell of a truth file.

    Parameters
    ----------
    truth : path
        CSV, see `swapfast.validate.truth`.
    traces : path
        Folder with ``NAME.npz`` (or another trace format) for each trace.
    policies : sequence of str, optional
        By default each cell is judged by the policy that is its kernel's LRU.
    page_cluster : int
        Read-ahead of the runs, for the policies that are a kernel's.
    plug : {"own", "nested"}
        As `Machine`, for linux-6.18 and linux-6.18-mglru.
    reference_ns : int
        What a reference that hits took where it was measured, for the same: the kernel writes
        meanwhile. By default that of a program whose statistics are read all the time.
    charged : int
        Pages of each limit that something else than the trace held.
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
    _check_charged(os.fspath(truth), cells, charged)
    result = Validation(os.fspath(truth), page_cluster, skipped=skipped)
    asked = [
        (policy, cell)
        for policy in policies or dict.fromkeys(cell.policy for cell in cells)
        for cell in cells
        if policies or policy == cell.policy
    ]
    loaded: dict[str, Trace] = {}
    modern: Keywords = {"plug": plug, "times": {"reference": reference_ns}}
    result.asked = len(asked)
    try:
        for policy, cell in asked:
            if progress is not None:
                progress(f"{policy}: {cell.trace}", len(result.predictions), len(asked))
            if cell.trace not in loaded:
                loaded = {cell.trace: _load(Path(traces), cell)}
            kernel: Keywords = {"policy": policy}
            if policy.startswith("linux-"):
                kernel["page_cluster"] = page_cluster
            if policy in (CLASSIC, MGLRU):
                kernel.update(modern)
            if policy == MGLRU and reference_ns == OBSERVED_NS:
                kernel["lru_drain"] = OBSERVED_REFS
            result.predictions.append(_predict(cell, loaded[cell.trace], kernel, charged))
    except KeyboardInterrupt:
        result.interrupted = True
        raise Interrupted(result) from None
    return result


def _load(folder: Path, cell: Cell) -> Trace:
    found = sorted(folder.glob(f"{cell.trace}.*"))
    if not found:
        raise FileNotFoundError(2, f"no trace {cell.trace}.npz there", os.fspath(folder))
    trace = open_trace(found[0])
    if trace.pages != cell.pages or len(trace) != (cell.refs or len(trace)):
        refs = f"{cell.refs} to " if cell.refs else ""
        raise ValueError(
            f"{found[0]}: {len(trace)} references to {trace.pages} pages; line {cell.line} of the "
            f"truth file was measured with {refs}{cell.pages}"
        )
    return trace


def _check_charged(name: str, cells: list[Cell], charged: int) -> None:
    for cell in cells:
        if not 0 <= charged < cell.limit:
            raise ValueError(
                f"{name}:{cell.line}: something else held {charged} of {cell.limit} pages"
            )


def _predict(cell: Cell, trace: Trace, kernel: Keywords, charged: int) -> Prediction:
    policy, rules = str(kernel.get("policy")), {}
    if policy == MGLRU:
        mask = 7 if cell.lru_gen is None or not cell.lru_gen & 1 else cell.lru_gen
        kernel["lru_gen"] = mask
        for rule in RULES if mask & 2 else ():
            kernel["lru_gen_rule"] = rule
            rules[rule] = _counts(cell, trace, kernel, charged)
    predicted = rules[RULES[0]] if rules else _counts(cell, trace, kernel, charged)
    return Prediction(cell, policy, predicted, _errors(cell, predicted), rules)


def _counts(cell: Cell, trace: Trace, kernel: Keywords, charged: int) -> dict[str, int]:
    area = max(MEASURED_SLOTS, 2 * trace.pages + 1) * PAGE_SIZE
    limit = (cell.limit - charged) * PAGE_SIZE
    device = "zram" if cell.zram else None
    run = replay(trace, limit, swap=area, device=device, offset=cell.off, **kernel)
    return {"majflt": run.pgmajfault, "pswpin": run.pswpin, "pswpout": run.pswpout}


def _errors(cell: Cell, predicted: dict[str, int]) -> dict[str, float]:
    return {c: (predicted[c] - cell.measured[c]) / max(cell.measured[c], FLOOR) for c in COUNTS}
