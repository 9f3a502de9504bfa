"""The pages that a program touches, as a trace.

- ``record(command, ...)``: run a program; a ``Recording`` with its trace and those of its children.
- ``find(command)``: the ``Program`` behind a command, or why it cannot be recorded.
- ``reduced(refs, pages)``: fewer references, the same LRU faults for ``pages`` of memory or more.
- ``first_writes(refs)``: the first reference to each page made a write.
- ``TOOLS``: qemu-user with a plugin of our own (``pages.c``), or valgrind's lackey: exact ones.

Through a window of pages (``record(..., window=256)``) it is by userfaultfd instead.
"""

from swapfast.record.program import Program, find
from swapfast.record.recording import Child, Recording
from swapfast.record.reduction import first_writes, reduced
from swapfast.record.run import TOOLS, Unbound, record

__all__ = [
    "TOOLS",
    "Child",
    "Program",
    "Recording",
    "Unbound",
    "find",
    "first_writes",
    "record",
    "reduced",
]
