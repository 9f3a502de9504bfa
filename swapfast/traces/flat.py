"""Traces that are one array in a file: ``.npy`` and raw uint32.

- ``read_npy(path)``, ``read_raw(path)``: a ``StreamedTrace``, however short.

The files are not mapped: another process could change a map between the check of a reference and
its use, or cut the file short, which ends whoever looks at the map. They are read block by block; a
block is checked and used while it is in the processor's cache.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from swapfast.traces._survey import highest_page, writes_among
from swapfast.traces.format import Format
from swapfast.traces.npz import read_header
from swapfast.traces.streamed import Identity, StreamedTrace, changed, identity
from swapfast.traces.trace import BLOCK, MOST_PAGES, Trace, printable

__all__ = ["NPY", "RAW", "read_npy", "read_raw"]

REF = np.dtype("<u4")


def read_npy(path: str | os.PathLike[str]) -> Trace:
    """Read a ``.npy`` of references (uint32); errors as `read_npz`."""
    name = os.fspath(path)
    with open(name, "rb") as file:
        opened = identity(file.fileno())
        shape, dtype = read_header(name, file)
        offset = file.tell()
    if dtype != REF or len(shape) != 1:
        raise ValueError(f"{name}: {dtype} {shape}; references are uint32 of one dimension")
    if opened.size - offset != REF.itemsize * shape[0]:
        raise ValueError(
            f"{name}: {opened.size - offset} bytes of data, {REF.itemsize * shape[0]} announced"
        )
    return _trace(name, opened, offset, shape[0])


def read_raw(path: str | os.PathLike[str]) -> Trace:
    """Read a file of little-endian uint32 references; errors as `read_npz`."""
    name = os.fspath(path)
    with open(name, "rb") as file:
        opened = identity(file.fileno())
    if opened.size % REF.itemsize:
        raise ValueError(f"{name}: {opened.size} bytes are no whole number of uint32 references")
    return _trace(name, opened, 0, opened.size // REF.itemsize)


def _trace(name: str, opened: Identity, offset: int, count: int) -> Trace:
    if count == 0:
        raise ValueError(f"{name}: no references")
    highest = writes = 0
    for part in _blocks(name, opened, offset, count):
        highest = max(highest, highest_page(part))
        writes += writes_among(part)
    if highest >= MOST_PAGES:
        raise ValueError(f"{name}: {highest + 1} pages; a trace has 1 to {MOST_PAGES}")
    label = printable(os.path.basename(name))
    return StreamedTrace(
        name,
        lambda: _blocks(name, opened, offset, count),
        count,
        highest + 1,
        writes,
        label,
        opened=opened,
    )


def _blocks(name: str, opened: Identity, offset: int, count: int) -> Iterator[NDArray[np.uint32]]:
    """The references, in new arrays; each as it was before the file changed, or an error."""
    with open(name, "rb", buffering=0) as file:
        number = file.fileno()
        for first in range(0, count, BLOCK):
            block = np.empty(min(BLOCK, count - first), dtype=REF)
            target, at = block.data.cast("B"), offset + first * REF.itemsize
            while target:
                done = os.preadv(number, [target], at)
                if not done:
                    raise changed(name)
                target, at = target[done:], at + done
            if identity(number) != opened:
                raise changed(name)
            yield block


NPY = Format(
    "npy",
    lambda name, options: read_npy(name),
    what="one uint32 array, bit 31 = write",
    source="docs/traces.md",
)
RAW = Format(
    "raw",
    lambda name, options: read_raw(name),
    what="little-endian uint32, bit 31 = write; known by .raw or .u32",
    source="docs/traces.md",
)
