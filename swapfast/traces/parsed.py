"""Files that a compiled reader takes in pieces: kept in memory, or read again for each replay.

- ``read_parsed(name, begin, what, options)``: the trace.
- ``parts(name, begun)``: its references as they come; errors name file, place and cause.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from swapfast.traces._lines import BrokenLine
from swapfast.traces._records import BrokenRecord
from swapfast.traces.format import Options
from swapfast.traces.streamed import StreamedTrace, gather, identity, rereadable
from swapfast.traces.streams import Progress
from swapfast.traces.trace import Trace, printable

__all__ = ["Begin", "Begun", "Parser", "parts", "read_parsed"]


class Parser(Protocol):
    """A compiled reader."""

    @property
    def pages(self) -> int:
        """Different pages so far."""

    def feed(self, chunk: bytes, /) -> None:
        """Take the next bytes of the file."""

    def finish(self) -> None:
        """The file has ended."""

    def take(self) -> NDArray[np.uint32]:
        """References since the last call."""

    def addresses(self) -> NDArray[np.uint64]:
        """Virtual page number of each page."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A file that is being read.

    Attributes
    ----------
    parser : Parser
    data : iterator of bytes
    before : int
        Lines, or bytes of records, before those that are parsed.
    advice : callable, optional
        What to add to the cause of a broken line.
    nothing : callable, optional
        Why there are no references, if there are none.
    kind : callable, optional
        What the references are, once all are read: a name of ``KINDS``.
    steps : callable, optional
        Makes references of the data; by default, the parser is fed and has them.
    """

    parser: Parser
    data: Iterator[bytes]
    before: int = 0
    advice: Callable[[BrokenLine], str] | None = None
    nothing: Callable[[], str] | None = None
    kind: Callable[[], str] | None = None
    steps: Callable[[Iterator[bytes]], Iterator[NDArray[np.uint32]]] | None = None


Begin = Callable[[Progress | None], Begun]


def read_parsed(name: str, begin: Begin, what: str, options: Options) -> Trace:
    """Read a file.

    Parameters
    ----------
    name : str
    begin : callable
        ``begin(progress)``: begins to read; called once more for each replay of a long trace.
    what : str
        What it should be: "lackey log".
    options : Options

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It is none, or it has no references: file, place and cause.
    """
    opened = identity(name)
    begun = begin(options.progress)
    again = rereadable(name)
    kept, count, writes = gather(parts(name, begun), options.hold if again else float("inf"))
    parser, pid = begun.parser, options.pid
    if not count:
        told = None if begun.nothing is None else begun.nothing()
        raise ValueError(f"{name}: {told or f'no memory reference in it; is it a {what}?'}")
    origin = printable(os.path.basename(name))
    if pid is not None:
        origin += f", {'all processes' if pid == 'all' else f'process {pid}'}"
    trace: Trace
    if kept is not None:
        trace = Trace(kept, parser.pages, origin, parser.addresses(), private=True)
    else:
        trace = StreamedTrace(
            name,
            lambda: parts(name, begin(None)),
            count,
            parser.pages,
            writes,
            origin,
            parser.addresses(),
            opened=opened,
        )
    if begun.kind is not None:
        trace.kind = begun.kind()
    return trace


def parts(name: str, begun: Begun) -> Iterator[NDArray[np.uint32]]:
    """The references, piece by piece."""
    try:
        yield from (_fed(begun) if begun.steps is None else begun.steps(begun.data))
    except BrokenLine as error:
        advice = "" if begun.advice is None else begun.advice(error)
        raise ValueError(
            f"{name}:{error.line + begun.before}: {error.cause}{advice}: {error.text!r}"
        ) from None
    except BrokenRecord as error:
        place = f"record {error.record}, byte {error.byte + begun.before}"
        raise ValueError(f"{name}: {place}: {error.cause}") from None


def _fed(begun: Begun) -> Iterator[NDArray[np.uint32]]:
    parser = begun.parser
    for chunk in begun.data:
        parser.feed(chunk)
        yield parser.take()
    parser.finish()
    yield parser.take()
