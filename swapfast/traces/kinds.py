"""What a trace shows of a program, and what it is therefore not good for.

- ``KINDS``: name -> ``Kind``; one line a kind.
- ``caution(kind, use)``: why a use of a trace of this kind is not valid, or None.
- ``least_memory(window)``: from how many pages on a trace of the kind "window" is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["KINDS", "Kind", "Use", "caution", "least_memory"]

WINDOWS = 8  # of which a memory has the room; measured, docs/record.md

Use = Literal["replay", "curve"]


@dataclass(frozen=True, slots=True)
class Kind:
    """What the references of a trace are.

    Attributes
    ----------
    name : str
    what : str
        In a line.
    replay, curve : str
        Why a replay, or a miss-ratio curve, of such a trace does not say what it says of a full
        one; empty if it does.
    """

    name: str
    what: str
    replay: str = ""
    curve: str = ""


KINDS = {
    kind.name: kind
    for kind in (
        Kind("full", "every access"),
        Kind(
            "faults",
            "page faults, or what a filter let through: hits are not in it",
            replay="it has only what missed: the hits between them, which make a page young, are "
            "not there, so that a replay evicts other pages than the program's kernel would",
            curve="it has only what missed: the hits are not there, so that distances, and the "
            "curve made of them, are not those of the program",
        ),
        Kind(
            "window",
            "misses of a small FIFO memory, the window: for memories of 8 windows or more",
        ),
        Kind(
            "sampled",
            "some accesses, drawn by the hardware or the kernel",
            replay="it is a sample in time: most accesses are not in it, so that faults are too "
            "few and pages look older than they are",
            curve="it is a sample in time: distances between the accesses that it has are not "
            "those of the program",
        ),
        Kind(
            "sectors",
            "requests to a disk, by offset",
            replay="it has requests to a disk: they are what a page cache above it missed or wrote "
            "back, and no references to memory",
        ),
        Kind(
            "objects",
            "requests to a cache, by a number of each object",
            replay="it has requests to a cache: each object counts as a page, whatever its size",
        ),
    )
}


def caution(kind: str, use: Use) -> str | None:
    """Why a use is not valid for traces of a kind; None if it is."""
    found = KINDS[kind]
    return (found.replay if use == "replay" else found.curve) or None


def least_memory(window: int) -> int:
    """Pages of memory from which on a trace of what such a window missed has the LRU misses."""
    return WINDOWS * window
