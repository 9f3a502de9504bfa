"""A replacement policy in Python: three methods, for trying out an idea before compiling it.

- ``PythonPolicy``: what to write.
- ``PythonSimulation``: runs it; counts as the compiled `Simulation` does, much more slowly.
"""

from __future__ import annotations

import traceback
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["PythonPolicy", "PythonSimulation"]


@runtime_checkable
class PythonPolicy(Protocol):
    """Decides who goes. Pages are numbers; the simulation knows which are in memory."""

    def hit(self, page: int) -> None:
        """A page in memory was used."""

    def enter(self, page: int) -> None:
        """A page came into memory."""

    def victim(self) -> int:
        """Which page leaves now; it must be one that entered and did not leave yet."""


class _Refused(ValueError):
    """What is wrong has been said."""


def _line_of(method: object) -> str:
    """File and line at which a method begins, if it has one in Python."""
    code = getattr(getattr(method, "__func__", method), "__code__", None)
    return "" if code is None else f"{code.co_filename}:{code.co_firstlineno}: "


class PythonSimulation:
    """One memory under a policy written in Python.

    Parameters
    ----------
    policy : PythonPolicy
    frames, pages : int
        Size of the memory, and pages of the trace.
    """

    def __init__(self, policy: PythonPolicy, frames: int, pages: int) -> None:
        if frames < 1 or pages < 1:
            raise ValueError(f"frames and pages are at least 1, not {frames} and {pages}")
        self.policy = policy
        self.frames = frames
        self.pages = pages
        self.name = type(policy).__name__
        self.refs = self.evicted = self.written = 0
        self._dirty: dict[int, bool] = {}  # pages in memory
        self._seen: set[int] = set()

    def run(self, refs: NDArray[np.uint32], *, checked: bool = False) -> None:
        """Feed references: bit 31 = write, low 31 bits = page.

        Raises
        ------
        ValueError
            A page outside the trace; a victim that is not in memory; or the policy raised: its file
            and line, and the reference (counted from 0).
        """
        try:
            self._run(refs)
        except Exception as error:
            if isinstance(error, _Refused):
                raise
            raise _Refused(self._said(error)) from error

    def _run(self, refs: NDArray[np.uint32]) -> None:
        for ref in refs.tolist():
            page, write = ref & 0x7FFFFFFF, bool(ref >> 31)
            if page >= self.pages:
                raise _Refused(f"page {page} of a trace of {self.pages} pages")
            if page in self._dirty:
                self._dirty[page] |= write
                self.policy.hit(page)
            else:
                if len(self._dirty) == self.frames:
                    self._evict()
                self._dirty[page] = write or page not in self._seen
                self._seen.add(page)
                self.policy.enter(page)
            self.refs += 1

    def _said(self, error: Exception) -> str:
        """What the policy raised, at which of its lines, and where in the trace."""
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__]
        where = f"{frames[-1].filename}:{frames[-1].lineno}: " if frames else ""
        return f"{where}{self._at}: {type(error).__name__}: {error}"

    @property
    def _at(self) -> str:
        return f"{self.name} at reference {self.refs} of the trace, with {self.frames} frames"

    def _evict(self) -> None:
        victim = self.policy.victim()
        if victim not in self._dirty:
            where = _line_of(self.policy.victim)
            raise _Refused(
                f"{where}{self._at}: {self.name}.victim() named page {victim!r:.40}, "
                "which is not in memory"
            )
        self.evicted += 1
        self.written += self._dirty.pop(victim)

    def counts(self) -> dict[str, int]:
        """refs, misses, first, evicted, written, scanned (0: unknown) and resident."""
        resident = len(self._dirty)
        return {
            "refs": self.refs,
            "misses": self.evicted + resident,
            "first": len(self._seen),
            "evicted": self.evicted,
            "written": self.written,
            "scanned": 0,
            "resident": resident,
        }
