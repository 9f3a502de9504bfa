"""What a kernel was asked about traces alone: a CSV file, one line a trace and share of memory.

- ``read_truth(path)``: its cells, as ``Cell`` objects, and the lines that were left out.
- ``truth_rows(path, required)``, ``number_of(where, row, column)``: the lines of such a file;
  ``lru_of(where, row)``: which LRU one is of.
- ``LRUS``: the LRUs that a kernel may have, and the policy that is each; ``KERNELS``: what is told
  apart, for a person.

Columns: ``trace, frac, pages, majflt, pswpin, pswpout`` and, where they are known, ``refs``,
``majflt_spread, pswpin_spread, pswpout_spread`` over the kernel's runs, and what it ran on:

- ``lru`` (classic or mglru) and ``lru_gen``, the mask in lru_gen/enabled. A file with neither is of
  the multi-generational LRU if its ``agings`` are not all 0: the classic one makes no generations.
- ``swap``: zram, where a page is there when the fault returns; anything else is a disk.
- ``off``: where in a page table the mapping began, in pages.

The limit of a cell is floor(pages x frac) pages.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from swapfast.inputs import open_input
from swapfast.kernel.profile import CLASSIC, MGLRU
from swapfast.replay import PAGE_TABLE
from swapfast.running import lru_mask

__all__ = [
    "COUNTS",
    "KERNELS",
    "LRUS",
    "Cell",
    "lru_of",
    "number_of",
    "read_truth",
    "truth_rows",
]

Rows = Iterator[tuple[int, dict[str, str]]]  # with the numbers of their lines

COUNTS = ("majflt", "pswpin", "pswpout")
REQUIRED = ("trace", "frac", "pages", *COUNTS)
LRUS = {"classic": CLASSIC, "mglru": MGLRU}
KERNELS = {
    "classic": "the classic LRU",
    "mglru": "the multi-generational LRU",
    "mglru, no walks": "the multi-generational LRU without walks of page tables",
}
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
    pages : int
    refs : int
        References of the trace; 0 where the file does not say.
    measured : dict of str to float
        majflt, pswpin, pswpout.
    spread : dict of str to float
        (max - min) / max(median, 200) over the kernel's runs; 0 where there was one run.
    line : int
        In the truth file.
    lru : str
        Of the kernel: "classic" or "mglru".
    lru_gen : int or None
        Its mask, where the file says it.
    zram : bool
        Swap was on zram.
    off : int
        Where in a page table the mapping began, in pages.
    """

    trace: str
    frac: Fraction
    pages: int
    refs: int
    measured: dict[str, float]
    spread: dict[str, float]
    line: int
    lru: str = "classic"
    lru_gen: int | None = None
    zram: bool = False
    off: int = 0

    @property
    def limit(self) -> int:
        """Pages the program may use."""
        return int(self.pages * self.frac)

    @property
    def real(self) -> bool:
        """A program's trace rather than a synthetic one, by its name."""
        return self.trace.startswith("real-")

    @property
    def policy(self) -> str:
        """The policy that is its kernel's LRU."""
        return LRUS[self.lru]

    @property
    def kernel(self) -> str:
        """One of `KERNELS`."""
        if self.lru == "mglru" and self.lru_gen is not None and not self.lru_gen & 2:
            return "mglru, no walks"
        return self.lru


def _truth_bytes(path: str | os.PathLike[str]) -> bytes:
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


def truth_rows(path: str | os.PathLike[str], required: Iterable[str]) -> tuple[Sequence[str], Rows]:
    """The columns of a truth file, and its lines with their numbers.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It is no CSV file, or lacks a column that is required. The rows raise it, too.
    """
    name = os.fspath(path)
    file = io.TextIOWrapper(io.BytesIO(_truth_bytes(path)), newline="", encoding="utf-8")
    rows = csv.DictReader(file, strict=True)
    with _csv_errors(name):
        columns = rows.fieldnames or []
    missing = [c for c in required if c not in columns]
    if missing:
        raise ValueError(f"{name}:1: no column {', '.join(missing)} in the header")

    def lines() -> Rows:
        with _csv_errors(name):
            for row in rows:
                yield rows.line_num, row

    return columns, lines()


@contextmanager
def _csv_errors(name: str) -> Iterator[None]:
    try:
        yield
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{name}: not a CSV file: {error}") from None


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
    columns, rows = truth_rows(path, REQUIRED)
    lines = list(_at_most(rows, name))
    usual = _usual_lru(name, columns, lines)
    for line, row in lines:
        where = f"{name}:{line}"
        if row.get("oom") == "1":
            skipped.append(f"{where}: killed by the group's OOM killer")
        else:
            cells.append(_cell(where, line, row, usual))
    if not cells:
        raise ValueError(f"{name}: no measured cell in it")
    return cells, skipped


def _at_most(rows: Rows, name: str) -> Rows:
    for number, (line, row) in enumerate(rows):
        if number >= MOST_CELLS:
            raise ValueError(f"{name}:{line}: more than {MOST_CELLS} cells")
        yield line, row


def _usual_lru(name: str, columns: Any, lines: list[tuple[int, dict[str, str]]]) -> str:
    """The LRU of lines that do not name it."""
    if "agings" not in columns:
        return "classic"
    aged = any(number_of(f"{name}:{n}", row, "agings") for n, row in lines if row.get("agings"))
    return "mglru" if aged else "classic"


def number_of(where: str, row: dict[str, str], column: str) -> float:
    """A number that is not below 0.

    Raises
    ------
    ValueError
        It is none: file, line and column.
    """
    try:
        value = float(row[column])
    except (TypeError, ValueError):
        raise ValueError(f"{where}: {column} is no number: {row[column]!r:.40}") from None
    if not 0 <= value < 1e15:
        raise ValueError(f"{where}: {column} is out of range: {value}")
    return value


def _cell(where: str, line: int, row: dict[str, str], usual: str) -> Cell:
    def number(column: str) -> float:
        return number_of(where, row, column)

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
    refs = int(number("refs")) if "refs" in row else 0
    lru, mask = lru_of(where, row, usual)
    return Cell(
        *(trace, frac, pages, refs, measured, spreads, line, lru, mask),
        zram=row.get("swap") == "zram",
        off=_offset(where, row, number),
    )


def lru_of(where: str, row: dict[str, str], usual: str = "classic") -> tuple[str, int | None]:
    """Which LRU a line is of, and the mask where it is known.

    Raises
    ------
    ValueError
        No LRU, no mask, or one of the other: file, line and cause.
    """
    told, text = row.get("lru") or "", row.get("lru_gen") or ""
    if told and told not in LRUS:
        raise ValueError(f"{where}: lru {told!r:.40} is not one of {', '.join(LRUS)}")
    if not text:
        return told or usual, None
    try:
        mask = lru_mask(text)
    except ValueError as error:
        raise ValueError(f"{where}: lru_gen: {error}") from None
    by_mask = "mglru" if mask & 1 else "classic"
    if told and told != by_mask:
        raise ValueError(f"{where}: lru is {told}, and lru_gen {text} is {by_mask}")
    return by_mask, mask


def _offset(where: str, row: dict[str, str], number: Callable[[str], float]) -> int:
    if not row.get("off"):
        return 0
    off = number("off")
    if off >= PAGE_TABLE or off != int(off):
        raise ValueError(f"{where}: off {off:g} is not a page below {PAGE_TABLE}")
    return int(off)
