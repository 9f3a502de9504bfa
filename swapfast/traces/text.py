"""Traces that are text: lackey logs and CSV, plain or compressed.

- ``read_lackey(path)``: a log of ``valgrind --tool=lackey --trace-mem=yes``.
- ``read_csv(path)``: columns by name: ``page`` or ``address``; ``write`` (0, 1) or ``op`` (R, W, L,
  S, M, I); ``size`` in bytes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from swapfast.traces._text import BrokenLine, CsvParser, LackeyParser
from swapfast.traces.streamed import StreamedTrace, gather, identity, rereadable
from swapfast.traces.streams import Progress, chunks
from swapfast.traces.trace import HOLD, Trace, printable

__all__ = ["read_csv", "read_lackey"]

HEADER_MOST = 4096
BOM = b"\xef\xbb\xbf"
Parser = LackeyParser | CsvParser
Begin = Callable[[Progress | None], tuple[Parser, Iterator[bytes]]]


def read_lackey(
    path: str | os.PathLike[str],
    *,
    instructions: bool = False,
    collapse: bool = False,
    hold: int = HOLD,
    progress: Progress | None = None,
) -> Trace:
    """Read a lackey log.

    Parameters
    ----------
    path : path
        Plain, gz, xz or zst.
    instructions : bool
        Keep instruction fetches; loads, stores and modifies always are.
    collapse : bool
        Merge runs of references to one page: those that write no more than the one before.
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
        A broken line: file, line number, cause and text; or a damaged compressed stream.
    """
    name = os.fspath(path)

    def begin(progress: Progress | None) -> tuple[Parser, Iterator[bytes]]:
        return LackeyParser(instructions, collapse), chunks(name, progress)

    return _read(name, begin, "lackey log", 0, hold, progress)


def read_csv(
    path: str | os.PathLike[str],
    *,
    collapse: bool = False,
    hold: int = HOLD,
    progress: Progress | None = None,
) -> Trace:
    """Read comma-separated references; parameters and errors as `read_lackey`."""
    name = os.fspath(path)

    def begin(progress: Progress | None) -> tuple[Parser, Iterator[bytes]]:
        data = chunks(name, progress)
        columns, rest = _header(name, data)
        try:
            return CsvParser(columns, collapse), chain([rest], data)
        except ValueError as error:
            raise ValueError(f"{name}:1: {error}") from None

    return _read(name, begin, "CSV", 1, hold, progress)


def _header(name: str, data: Iterator[bytes]) -> tuple[list[str], bytes]:
    """Columns, and what was read beyond them."""
    head = b""
    for chunk in data:
        head += chunk
        if b"\n" in head or len(head) > HEADER_MOST:
            break
    line, found, rest = head.removeprefix(BOM).partition(b"\n")
    if not found or len(line) > HEADER_MOST:
        raise ValueError(f"{name}:1: no header line; begin with 'page,write' or 'op,address,size'")
    columns = [c.strip().lower() for c in line.decode("latin-1").split(",")]
    for one, other in (("page", "address"), ("write", "op")):
        if columns.count(one) + columns.count(other) != 1:
            raise ValueError(f"{name}:1: the header needs {one!r} or {other!r}, and only one")
    if columns.count("size") > 1:
        raise ValueError(f"{name}:1: the header has 'size' twice")
    return columns, rest


def _read(
    name: str, begin: Begin, kind: str, lines_before: int, hold: int, progress: Progress | None
) -> Trace:
    opened = identity(name)
    parser, data = begin(progress)
    again = rereadable(name)
    refs, count, writes = gather(
        _parsed(name, parser, data, lines_before), hold if again else float("inf")
    )
    if not count:
        raise ValueError(f"{name}: no memory reference in it; is it a {kind}?")
    origin = printable(os.path.basename(name))
    if refs is not None:
        return Trace(refs, parser.pages, origin, parser.addresses(), private=True)
    return StreamedTrace(
        name,
        lambda: _parsed(name, *begin(None), lines_before),
        count,
        parser.pages,
        writes,
        origin,
        parser.addresses(),
        opened=opened,
    )


def _parsed(
    name: str, parser: Parser, data: Iterator[bytes], lines_before: int
) -> Iterator[NDArray[np.uint32]]:
    try:
        for chunk in data:
            parser.feed(chunk)
            yield parser.take()
        parser.finish()
        yield parser.take()
    except BrokenLine as error:
        raise ValueError(
            f"{name}:{error.line + lines_before}: {error.cause}: {error.text!r}"
        ) from None
