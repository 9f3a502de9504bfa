"""ChampSim's traces: 64 bytes an instruction of x86.

- ``CHAMPSIM``: a line of the table of formats.

There is no magic: a file is known by its first records, whose flags of branches are 0 or 1, and
whose instructions mostly follow each other.
"""

from __future__ import annotations

import os

import numpy as np

from swapfast.traces._records import Instructions
from swapfast.traces.format import Format, Head, Options
from swapfast.traces.parsed import Begun, read_parsed
from swapfast.traces.streams import Progress, chunks
from swapfast.traces.trace import Trace

__all__ = ["CHAMPSIM", "RECORD", "read_champsim"]

RECORD = np.dtype(
    [
        ("ip", "<u8"),
        ("is_branch", "u1"),
        ("branch_taken", "u1"),
        ("destination_registers", "u1", 2),
        ("source_registers", "u1", 4),
        ("destination_memory", "<u8", 2),
        ("source_memory", "<u8", 4),
    ]
)
LOOKED_AT = 256  # records
LONGEST = 15  # bytes of an instruction
NO_USER = np.uint64(1 << 56)  # beyond all addresses of programs


def read_champsim(path: str | os.PathLike[str], options: Options) -> Trace:
    """Read instructions; parameters and errors as `open_trace`.

    An address has no size: it is a reference to one page. Reads come before writes.
    """
    name = os.fspath(path)

    def begin(progress: Progress | None) -> Begun:
        reader = Instructions(options.instructions, options.collapse)
        return Begun(reader, chunks(name, progress, text=False))

    return read_parsed(name, begin, "ChampSim trace", options)


def _is_champsim(head: Head) -> bool:
    count = min(len(head.data) // RECORD.itemsize, LOOKED_AT)
    if count < 2 or (head.size is not None and head.size % RECORD.itemsize):
        return False
    first = np.frombuffer(head.data, RECORD, count)
    ip, branch, taken = first["ip"], first["is_branch"], first["branch_taken"]
    if not ip.all() or branch.max() > 1 or (taken > branch).any():
        return False
    if max(first[key].max() for key in ("ip", "destination_memory", "source_memory")) >= NO_USER:
        return False
    step = (ip[1:] - ip[:-1])[taken[:-1] == 0]
    return bool(len(step)) and bool(((step > 0) & (step <= LONGEST)).mean() > 0.5)


CHAMPSIM = Format(
    "champsim",
    read_champsim,
    what="64 bytes an instruction: its sources and destinations; fetches if asked for",
    source="https://github.com/ChampSim/ChampSim/blob/master/inc/trace_instruction.h",
    begins=_is_champsim,
)
