"""What the first bytes of a swapfile say when it holds a checkpoint.

- `Stamp`: whose checkpoint, and of which generation.
- `Kept`: what a running job may not overwrite.
- `read_stamp(head)`: the stamp, or None.
- `put_stamp(page, stamp, at_rest)`: the header page with a stamp, or without.
- `AT_REST`: the signature in the place of SWAPSPACE2 while nobody runs on the file, so that no
  swapon(8), and no kernel, takes it for free space.

The boot bits, bytes 0 to 1023, are nobody's in a swapfile; mkswap wipes them. The stamp lies within
one sector of 512 bytes, which a disk writes whole or not at all:

====  ====  ========================================
byte  size  field (little endian)
====  ====  ========================================
0     8     ``swapfast``
8     4     version, 1
12    4     slots of the area, the header among them
16    16    identity, random, of the first checkpoint
32    8     generation: what was committed is not older
40    4     CRC-32 of bytes 0 to 39
====  ====  ========================================
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swapfast.swapfile.header import AT_REST, SIGNATURE

__all__ = ["AT_REST", "STAMP_BYTES", "Kept", "Stamp", "put_stamp", "read_stamp"]

_MAGIC = b"swapfast"
_FIELDS = struct.Struct("<8sII16sQ")
STAMP_BYTES = _FIELDS.size + 4


@dataclass(frozen=True, slots=True)
class Stamp:
    """Which checkpoint a swapfile belongs to.

    Attributes
    ----------
    slots : int
    identity : bytes
        16 bytes.
    generation : int
        0: no checkpoint was committed yet.
    """

    slots: int
    identity: bytes
    generation: int


@dataclass(frozen=True, slots=True)
class Kept:
    """The last checkpoint of a job that goes on: its slots have not been written to since.

    Attributes
    ----------
    seals : frozenset of str
        Images that hold it.
    slots : uint32 array
    columns : object
        What the next one is compared with; None: none can build on it.
    """

    seals: frozenset[str]
    slots: NDArray[np.uint32]
    columns: Any = None


def read_stamp(head: bytes) -> Stamp | None:
    """The stamp at the beginning of a header page; None where there is none, or half of one."""
    if len(head) < STAMP_BYTES or not head.startswith(_MAGIC):
        return None
    raw = bytes(head[: _FIELDS.size])
    if int.from_bytes(head[_FIELDS.size : STAMP_BYTES], "little") != zlib.crc32(raw):
        return None
    _, version, slots, identity, generation = _FIELDS.unpack(raw)
    return Stamp(slots, identity, generation) if version == 1 else None


def put_stamp(page: bytes, stamp: Stamp | None, *, at_rest: bool) -> bytes:
    """A header page with this stamp (None: none) and the signature of a file at rest, or on."""
    if stamp is None:
        raw = bytes(STAMP_BYTES)
    else:
        raw = _FIELDS.pack(_MAGIC, 1, stamp.slots, stamp.identity, stamp.generation)
        raw += zlib.crc32(raw).to_bytes(4, "little")
    signature = AT_REST if at_rest else SIGNATURE
    return raw + bytes(page[STAMP_BYTES : -len(signature)]) + signature
