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
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swapfast.traces._text import NO_FORM, OTHER_PROCESS, BrokenLine, CsvParser, LackeyParser
from swapfast.traces.dialect import header
from swapfast.traces.streamed import StreamedTrace, gather, identity, rereadable
from swapfast.traces.streams import Progress, chunks
from swapfast.traces.trace import HOLD, Trace, printable

__all__ = ["LackeyStream", "read_csv", "read_lackey", "stream_lackey"]

PIDS_MOST = 20  # processes that an error names
LOOKED_AT = 1 << 28  # bytes of a log in which they are looked for
BANNER = re.compile(rb"^(?:==|--|\*\*)(?:[0-9:.]+ )?([0-9]{1,10})(?:==|--|\*\*)", re.MULTILINE)
Parser = LackeyParser | CsvParser
Begun = tuple[Parser, Iterator[bytes], int]  # the last: lines before those that are parsed
Begin = Callable[[Progress | None], Begun]


def read_lackey(
    path: str | os.PathLike[str],
    *,
    instructions: bool = False,
    collapse: bool = False,
    pid: int | None = None,
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
    pid : int, optional
        Of a log that is those of several processes, one after the other: the one to read.
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
    if pid is not None and not 0 <= pid < 1 << 32:
        raise ValueError(f"pid is the number of a process, not {pid}")

    def begin(progress: Progress | None) -> Begun:
        return LackeyParser(instructions, collapse, pid), chunks(name, progress), 0

    return _read(name, begin, "lackey log", hold, progress, pid)


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
    return LackeyStream(_parsed(name, (parser, chunks(name, None), 0)), parser.addresses)


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
        return parser, chain([table.rest], data), table.lines

    return _read(name, begin, "CSV", hold, progress)


def _read(
    name: str,
    begin: Begin,
    kind: str,
    hold: int,
    progress: Progress | None,
    pid: int | None = None,
) -> Trace:
    opened = identity(name)
    begun = begin(progress)
    parser = begun[0]
    again = rereadable(name)
    refs, count, writes = gather(_parsed(name, begun), hold if again else float("inf"))
    if not count:
        if pid is not None and isinstance(parser, LackeyParser):
            raise ValueError(f"{name}: no reference of process {pid}; {_processes(parser.pids)}")
        raise ValueError(f"{name}: no memory reference in it; is it a {kind}?")
    origin = printable(os.path.basename(name)) + ("" if pid is None else f", process {pid}")
    if refs is not None:
        return Trace(refs, parser.pages, origin, parser.addresses(), private=True)
    return StreamedTrace(
        name,
        lambda: _parsed(name, begin(None)),
        count,
        parser.pages,
        writes,
        origin,
        parser.addresses(),
        opened=opened,
    )


def _parsed(name: str, begun: Begun) -> Iterator[NDArray[np.uint32]]:
    parser, data, lines_before = begun
    try:
        for chunk in data:
            parser.feed(chunk)
            yield parser.take()
        parser.finish()
        yield parser.take()
    except BrokenLine as error:
        advice = _advice(name, parser, error) if isinstance(parser, LackeyParser) else ""
        raise ValueError(
            f"{name}:{error.line + lines_before}: {error.cause}{advice}: {error.text!r}"
        ) from None


def _advice(name: str, parser: LackeyParser, error: BrokenLine) -> str:
    """What to do about a broken line of a log."""
    if error.cause in OTHER_PROCESS:
        pids = parser.pids
        if rereadable(name):
            pids += [pid for pid in _pids(name) if pid not in pids]
        one = "; if their logs stand one after the other, pid (--pid) reads one"
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
    more = ", ..." if len(pids) > PIDS_MOST else ""
    return f"there are the processes {', '.join(map(str, pids[:PIDS_MOST]))}{more}"


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
