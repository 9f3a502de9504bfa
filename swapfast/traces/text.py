"""Traces that are text: lackey logs and CSV, plain or compressed.

- ``read_lackey(path)``: a log of ``valgrind --tool=lackey --trace-mem=yes``.
- ``stream_lackey(path)``: the same in pieces, none of which is kept.
- ``read_csv(path)``: columns by name: ``page`` or ``address``; ``write`` (0, 1) or ``op`` (R, W, L,
  S, M, I); ``size`` in bytes; separated by commas, tabs, semicolons, ``|`` or blanks.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swapfast.traces._lines import BrokenLine
from swapfast.traces._text import NO_FORM, OTHER_PROCESS, CsvParser, LackeyParser
from swapfast.traces.dialect import header
from swapfast.traces.format import ALL, PIDS_MOST, Format, Options, Pid, listed
from swapfast.traces.parsed import Begun, parts, read_parsed
from swapfast.traces.streamed import rereadable
from swapfast.traces.streams import Progress, chunks
from swapfast.traces.trace import HOLD, Trace

__all__ = ["CSV", "LACKEY", "LackeyStream", "read_csv", "read_lackey", "stream_lackey"]

LOOKED_AT = 1 << 28  # bytes of a log in which they are looked for
BANNER = re.compile(rb"^(?:==|--|\*\*)(?:[0-9:.]+ )?([0-9]{1,10})(?:==|--|\*\*)", re.MULTILINE)


def read_lackey(
    path: str | os.PathLike[str],
    *,
    instructions: bool = False,
    collapse: bool = False,
    pid: Pid | None = None,
    hold: int = HOLD,
    progress: Progress | None = None,
) -> Trace:
    """Read a lackey log.

    Lines of ``--trace-superblocks=yes`` are passed over; ``I address,size`` with one blank, as in
    the traces of courses, is a fetch too.

    Parameters
    ----------
    path : path
        Plain, gz, xz, zst, bz2 or lzma.
    instructions : bool
        Keep instruction fetches; loads, stores and modifies always are.
    collapse : bool
        Merge runs of references to one page: those that write no more than the one before.
    pid : int or "all", optional
        Of a log that is those of several processes, one after the other: the one to read; or all
        of them, each with pages of its own. In ``addresses``, the bits from 52 on then count the
        processes from 0.
    hold : int
        References kept in memory. Of a file that has more, none is: it is a `StreamedTrace`, read
        again for each replay. A pipe can be read only once and is kept whole.
    progress : callable, optional

    Returns
    -------
    Trace
        Pages of 4096 bytes in first-touch order; an access across a page border touches both.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        A broken line: file, line number, cause and text; lines of several processes, whose
        address spaces are not one; or a damaged compressed stream.
    """
    name = os.fspath(path)
    if pid is not None and pid != ALL and not 0 <= pid < 1 << 32:
        raise ValueError(f"pid is the number of a process, or {ALL!r}, not {pid}")

    def begin(progress: Progress | None) -> Begun:
        one = None if pid == ALL else pid
        parser = LackeyParser(instructions, collapse, one, pid == ALL)
        return Begun(
            parser,
            chunks(name, progress),
            advice=partial(_advice, name, parser),
            nothing=partial(_nothing, parser, one),
        )

    return read_parsed(name, begin, "lackey log", Options(pid=pid, hold=hold, progress=progress))


def _nothing(parser: LackeyParser, pid: int | None) -> str:
    return "" if pid is None else f"no reference of process {pid}; {_processes(parser.pids)}"


class LackeyStream(NamedTuple):
    """A log that is read once, piece by piece.

    Attributes
    ----------
    parts : iterator of uint32 array
        The references; ValueError for a broken line, as `read_lackey`.
    addresses : callable
        The virtual page number of each page that was met until then.
    """

    parts: Iterator[NDArray[np.uint32]]
    addresses: Callable[[], NDArray[np.uint64]]


def stream_lackey(path: str | os.PathLike[str], *, instructions: bool = False) -> LackeyStream:
    """Read a lackey log that is longer than memory, or comes through a pipe."""
    name = os.fspath(path)
    parser = LackeyParser(instructions)
    advice = partial(_advice, name, parser)
    return LackeyStream(parts(name, Begun(parser, chunks(name), advice=advice)), parser.addresses)


def read_csv(
    path: str | os.PathLike[str],
    *,
    collapse: bool = False,
    hold: int = HOLD,
    progress: Progress | None = None,
) -> Trace:
    """Read references as a table of text; parameters and errors as `read_lackey`.

    The first line names the columns; one of an operation and an address of the form 0x1000 needs no
    names. Empty lines and comments (``#``) are passed over, blanks and quotes around fields do not
    matter.
    """
    name = os.fspath(path)

    def begin(progress: Progress | None) -> Begun:
        data = chunks(name, progress)
        table = header(name, data)
        try:
            parser = CsvParser(table.columns, collapse, table.separator)
        except ValueError as error:
            raise ValueError(f"{name}:{table.lines}: {error}") from None
        return Begun(parser, chain([table.rest], data), table.lines)

    return read_parsed(name, begin, "CSV", Options(hold=hold, progress=progress))


def _advice(name: str, parser: LackeyParser, error: BrokenLine) -> str:
    """What to do about a broken line of a log."""
    if error.cause in OTHER_PROCESS:
        pids = parser.pids
        if rereadable(name):
            pids += [pid for pid in _pids(name) if pid not in pids]
        one = "; if their logs stand one after the other, pid (--pid) reads one, or 'all'"
        return (
            f" ({_processes(pids)}): each has an address space of its own; have valgrind write "
            f"a log for each: --log-file=NAME.%p{one if error.cause == OTHER_PROCESS[0] else ''}"
        )
    if error.cause not in NO_FORM:
        return ""
    advice = "; if the program wrote it: run valgrind with --log-file=NAME"
    if parser.pids or parser.pages:
        return advice
    return f", nor the header of a CSV (page or address, write or op){advice}"


def _processes(pids: list[int]) -> str:
    if not pids:
        return "no line names a process"
    return f"there are the processes {listed(pids)}"


def _pids(name: str) -> list[int]:
    """Processes that a log names."""
    found: dict[int, None] = {}
    looked_at = 0
    try:
        for chunk in chunks(name):
            found.update(dict.fromkeys(map(int, BANNER.findall(chunk))))
            looked_at += len(chunk)
            if looked_at > LOOKED_AT or len(found) > PIDS_MOST:
                break
    except ValueError:
        pass  # the error is about what came before
    return list(found)


def _lackey(name: str, options: Options) -> Trace:
    return read_lackey(
        name,
        instructions=options.instructions,
        collapse=options.collapse,
        pid=options.pid,
        hold=options.hold,
        progress=options.progress,
    )


def _csv(name: str, options: Options) -> Trace:
    return read_csv(name, collapse=options.collapse, hold=options.hold, progress=options.progress)


LACKEY = Format(
    "lackey",
    _lackey,
    what="loads, stores, modifies; fetches if asked for",
    source="https://valgrind.org/docs/manual/lk-manual.html",
    pids=True,
)
CSV = Format(
    "csv",
    _csv,
    what="page or address, write or op, size, by the names of the columns",
    source="docs/traces.md",
)
