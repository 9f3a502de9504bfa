"""What comes out of recording a program.

- ``Recording``: the trace of the program, those of its children, and what was not seen.
- ``Child``: a process that the program started.
- ``References``: a trace in the making.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from swapfast.record._stream import Stream
from swapfast.traces import Trace

__all__ = ["Child", "Recording", "References"]


class References:
    """The references of one process, kept as they come.

    Parameters
    ----------
    window : int
        See `swapfast.record.reduced`; 0: nothing is left out.
    first_writes : bool
        The first reference to each page writes.
    merge : bool
        Consecutive references to one page are one, as they are not where some were left out before.
    """

    def __init__(self, window: int, first_writes: bool, merge: bool = True) -> None:
        self._stream: Stream | None = Stream(window, first_writes, merge)
        self._kept = np.empty(0, dtype=np.uint32)
        self._count = 0
        self._addresses = np.empty(0, dtype=np.uint64)
        self._seen = 0

    @property
    def stream(self) -> Stream:
        """What takes them in."""
        if self._stream is None:
            raise ValueError("there are no more references after the end")
        return self._stream

    @property
    def seen(self) -> int:
        """How many there were, see `Recording`."""
        return self._seen if self._stream is None else self._stream.seen

    def gather(self) -> None:
        """Keep what the stream has put out."""
        part = self.stream.take()
        end = self._count + len(part)
        if end > len(self._kept):
            self._kept.resize(end + end // 4, refcheck=False)
        self._kept[self._count : end] = part
        self._count = end

    def end(self, numbers: NDArray[np.uint64] | None = None) -> None:
        """There are no more: from now on only what the trace needs is kept.

        Parameters
        ----------
        numbers : uint64 array, optional
            What the entries number: their pages in an address space.
        """
        self.stream.finish()
        self.gather()
        self._kept.resize(self._count, refcheck=False)
        addresses = self.stream.addresses()
        self._addresses = addresses if numbers is None else numbers[addresses]
        self._seen, self._stream = self.seen, None

    def trace(self, origin: str) -> Trace | None:
        """All of it, at the end; None if there were no references."""
        if not self._count:
            return None
        pages = len(self._addresses)
        return Trace(self._kept, pages, origin, self._addresses, private=True)


@dataclass(frozen=True)
class Child:
    """A process that the program started.

    Attributes
    ----------
    pid : int
    command : tuple of str
        Its program and arguments, or the first of them.
    trace : Trace
        From the fork on, or from the start of the program that it went on as.
    seen : int
        References before any was left out, see `Recording`.
    """

    pid: int
    command: tuple[str, ...]
    trace: Trace
    seen: int


@dataclass
class Recording:
    """What a program touched.

    Attributes
    ----------
    trace : Trace or None
        Of the program itself, or of the one that took its place by execve(2); None if it did not
        touch anything that was seen.
    status : int
        Its exit code, or 128 and the signal that ended it.
    seen : int
        Its references before any was left out, but for those to the page of the one before that
        write no more than it.
    children : list of Child
        Processes that it forked, and they forked. One that went on as another program is recorded
        as the last that it was.
    unrecorded : int
        Programs that were started by execve(2) and could not be recorded.
    replaced : bool
        One of these took the place of the program itself.
    lost : int
        Threads and forked processes that should have been recorded, and could not be.
    """

    trace: Trace | None
    status: int
    seen: int
    children: list[Child] = field(default_factory=list)
    unrecorded: int = 0
    replaced: bool = False
    lost: int = 0
