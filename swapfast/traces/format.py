"""What a format of traces is.

- ``Format``: its name, its reader, and what the table of formats says of it.
- ``Options``: how a file is to be read.
- ``listed(pids)``: processes in an error.
- ``Head``: the first bytes of a file, by which a format is known; its first lines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from swapfast.traces.streams import Progress
from swapfast.traces.trace import HOLD, Trace

__all__ = ["ALL", "PIDS_MOST", "Format", "Head", "Options", "Pid", "listed"]

LOOKED_AT, LINES_MOST, LINE_MOST = 1 << 14, 50, 300  # bytes, lines, bytes of one
Pid = int | Literal["all"]
ALL: Literal["all"] = "all"
PIDS_MOST = 20  # processes that an error names


def listed(pids: Sequence[int]) -> str:
    """Some processes, for an error."""
    return f"{', '.join(map(str, pids[:PIDS_MOST]))}{', ...' if len(pids) > PIDS_MOST else ''}"


@dataclass(frozen=True, slots=True)
class Options:
    """How a file is to be read; see `open_trace`."""

    instructions: bool = False
    collapse: bool = False
    pid: Pid | None = None
    hold: int = HOLD
    progress: Progress | None = None


class Head(NamedTuple):
    """How a file begins.

    Attributes
    ----------
    data : bytes
        Its first bytes, decompressed.
    size : int or None
        Bytes of all; None if it is compressed.
    """

    data: bytes
    size: int | None

    def lines(self) -> list[bytes]:
        """The first lines, the beginning of each; without empty ones and comments (``#``)."""
        found = []
        for line in self.data[:LOOKED_AT].split(b"\n", LINES_MOST)[:LINES_MOST]:
            if line.strip() and not line.startswith(b"#"):
                found.append(line[:LINE_MOST].rstrip(b"\r"))
        return found


def _never(head: Head) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Format:
    """A format of traces: one line of the table.

    Attributes
    ----------
    name : str
    read : callable
        ``read(path, options)``: a `Trace`.
    kind : str
        What such a file shows: names of ``KINDS``.
    what : str
        What is read, in a line.
    source : str
        Where the format is defined in public.
    begins : callable
        ``begins(head)``: whether a file is one, by its content. Never, by default.
    pids : bool
        Whether the files say whose a reference is, so that ``pid`` has a meaning.
    """

    name: str
    read: Callable[[str, Options], Trace]
    kind: str = "full"
    what: str = ""
    source: str = ""
    begins: Callable[[Head], bool] = field(default=_never)
    pids: bool = False
