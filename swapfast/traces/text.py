"""Traces that are text: lackey logs and CSV, plain or compressed.

- ``read_lackey(path)``: a log of ``valgrind --tool=lackey --trace-mem=yes``.
- ``read_csv(path)``: columns by name: ``page`` or ``address``; ``write`` (0, 1) or ``op`` (R, W, L,
  S, M, I); ``size`` in bytes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain

import numpy as np

from swapfast.traces._text import BrokenLine, CsvParser, LackeyParser
from swapfast.traces.streams import Progress, chunks
from swapfast.traces.trace import Trace

__all__ = ["read_csv", "read_lackey"]

HEADER_MOST = 4096


def read_lackey(
    path: str | os.PathLike[str],
    *,
    instructions: bool = False,
    collapse: bool = False,
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
        Merge runs of references to one page.
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
    parser = LackeyParser(instructions, collapse)
    return _read(name, parser, chunks(name, progress), "lackey log")


def read_csv(
    path: str | os.PathLike[str], *, collapse: bool = False, progress: Progress | None = None
) -> Trace:
    """Read comma-separated references; errors as `read_lackey`."""
    name = os.fspath(path)
    data = chunks(name, progress)
    head = b""
    for chunk in data:
        head += chunk
        if b"\n" in head or len(head) > HEADER_MOST:
            break
    line, found, rest = head.partition(b"\n")
    if not found or len(line) > HEADER_MOST:
        raise ValueError(f"{name}:1: no header line; begin with 'page,write' or 'op,address,size'")
    columns = [c.strip().lower() for c in line.decode("latin-1").split(",")]
    if ("page" in columns) == ("address" in columns):
        raise ValueError(f"{name}:1: the header needs 'page' or 'address', and not both")
    if ("write" in columns) == ("op" in columns):
        raise ValueError(f"{name}:1: the header needs 'write' or 'op', and not both")
    try:
        parser = CsvParser(columns, collapse)
    except ValueError as error:
        raise ValueError(f"{name}:1: {error}") from None
    return _read(name, parser, chain([rest], data), "CSV", lines_before=1)


def _read(
    name: str,
    parser: LackeyParser | CsvParser,
    data: Iterator[bytes],
    kind: str,
    lines_before: int = 0,
) -> Trace:
    parts = []
    try:
        for chunk in data:
            parser.feed(chunk)
            parts.append(parser.take())
        parser.finish()
        parts.append(parser.take())
    except BrokenLine as error:
        raise ValueError(
            f"{name}:{error.line + lines_before}: {error.cause}: {error.text!r}"
        ) from None
    refs = np.concatenate(parts) if parts else np.empty(0, dtype=np.uint32)
    if not len(refs):
        raise ValueError(f"{name}: no memory reference in it; is it a {kind}?")
    return Trace(refs, parser.pages, os.path.basename(name), parser.addresses())
