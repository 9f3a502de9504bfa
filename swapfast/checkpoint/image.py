"""An image: everything about a swap namespace but the bytes of its pages.

- ``Image``: the small structure (``facts``) and the columns.
- ``image_parts(facts, arrays)``: the bytes of its file. ``read_members(path)``: the reverse, each
  member by itself. `chain` puts images together that refer to each other, and checks the whole.

Members of the file, all but the first only where they are needed; see `columns` for ``_runs``:

=================================  ==============================================================
facts                              the small structure, JSON
pte, pte_value + pte_length        page-table bytes: mapping after mapping, then shared objects
slot, slot_runs                    for each page with data: its slot in the area
shadow, shadow_runs                its shadow, what a later refault is measured by
zero                               a bit each: the page is zero and has no bytes in the area
sums                               the checksum of its bytes
ring, ring_length                  pages that share data since a fork, the one with the slot first
unused, partly (_runs)             clusters of the area in the order in which they are given
limbo (_runs)                      slots that only an older checkpoint named
row, row_runs                      incremental: the pages that pte, slot, ..., sums are of, the rest
                                   is as in the parent
move, move_runs                    incremental: for each mapping, then each shared object, which one
                                   of the parent's it is, from 1; 0: none
=================================  ==============================================================
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swapfast.checkpoint.columns import (
    Bytes,
    Numbers,
    pack_bytes,
    pack_numbers,
    unpack_bytes,
    unpack_numbers,
)
from swapfast.checkpoint.facts import CHAINED, check_facts
from swapfast.checkpoint.stored import pack, read

__all__ = ["Image", "Members", "image_parts", "read_members"]

U32 = NDArray[np.uint32]
NUMBERS = ("slot", "shadow", "unused", "partly", "limbo")
DELTA = ("row", "move")
MEMBERS = (
    "facts",
    "pte",
    "pte_value",
    "pte_length",
    *NUMBERS,
    *(f"{name}_runs" for name in NUMBERS),
    *DELTA,
    *(f"{name}_runs" for name in DELTA),
    "zero",
    "sums",
    "ring",
    "ring_length",
)
MOST_FACTS = 1 << 26  # bytes


@dataclass(frozen=True, slots=True)
class Image:
    """A job as facts and columns.

    Attributes
    ----------
    facts : dict
        As `swapfast.checkpoint.facts` describes them.
    pte : Bytes
    slot, shadow, unused, partly, limbo : Numbers
    zero : uint8 array
        One value a page with data.
    sums : uint32 array or None
        None: without checksums.
    ring, ring_length : uint32 arrays
    """

    facts: dict[str, Any]
    pte: Bytes
    slot: Numbers
    shadow: Numbers
    unused: Numbers
    partly: Numbers
    limbo: Numbers
    zero: NDArray[np.uint8]
    sums: U32 | None
    ring: U32
    ring_length: U32

    @property
    def generation(self) -> int:
        """Which checkpoint of its area it is, from 1."""
        return int(self.facts["area"]["generation"])


@dataclass(frozen=True, slots=True)
class Members:
    """One file, as it is read.

    Attributes
    ----------
    path : str
    seal : str
        What tells this file from every other.
    image : Image
        Of an incremental one: the rows alone.
    row, move : Numbers
        Empty where there is no parent.
    """

    path: str
    seal: str
    image: Image
    row: Numbers
    move: Numbers

    @property
    def parent(self) -> dict[str, Any] | None:
        """What the facts say of the image before it; None: it stands alone."""
        found: dict[str, Any] | None = self.image.facts.get("parent")
        return found


def image_parts(facts: dict[str, Any], arrays: dict[str, Any]) -> list[bytes | memoryview]:
    """The bytes of the file of an image.

    Parameters
    ----------
    facts : dict
    arrays : dict
        The columns as `Core.image_dump` and `Core.area_state` give them, and ``sums`` or None; or
        what `delta.difference` made of them.
    """
    text = _canonical(facts)
    members: dict[str, NDArray[Any]] = {"facts": np.frombuffer(text, dtype=np.uint8)}
    members |= pack_bytes("pte", arrays["pte"])
    for name in (*NUMBERS, *DELTA):
        if name in arrays:
            members |= pack_numbers(name, arrays[name])
    if arrays["zero"].any():
        members["zero"] = np.packbits(arrays["zero"], bitorder="little")
    for name in ("sums", "ring", "ring_length"):
        if arrays[name] is not None and arrays[name].size:
            members[name] = arrays[name].astype("<u4", copy=False)
    return pack(members)


def _canonical(facts: Any) -> bytes:
    return json.dumps(facts, separators=(",", ":"), sort_keys=True).encode()


def read_members(path: str | os.PathLike[str], *, follow: bool = True) -> Members:
    """Read one file; whether its columns agree with each other is for `check_image` to say.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It is not an image that could have been written: its name, the member, the cause.
    """
    name = os.fspath(path)
    arrays, seal = read(name, MEMBERS, follow=follow)
    try:
        image = _image(arrays)
        row, move = (unpack_numbers(column, arrays) for column in DELTA)
        if image.facts["version"] != CHAINED or image.facts["parent"] is None:
            for column in DELTA:
                if column in arrays or f"{column}_runs" in arrays:
                    raise ValueError(f"{column}: a member of an image without a parent")
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    return Members(name, seal, image, row, move)


def _image(arrays: dict[str, NDArray[Any]]) -> Image:
    if "facts" not in arrays:
        raise ValueError("facts: the member is missing")
    raw = arrays["facts"]
    if raw.dtype != np.uint8 or raw.size > MOST_FACTS:
        raise ValueError(f"facts: {raw.size} {raw.dtype}; JSON of at most {MOST_FACTS} bytes")
    try:
        facts = json.loads(raw.tobytes().decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"facts: not JSON: {str(error)[:80]}") from None
    check_facts(facts)
    if _canonical(facts) != raw.tobytes():
        raise ValueError("facts: not in the one form that a checkpoint has")
    numbers = {name: unpack_numbers(name, arrays) for name in NUMBERS}
    homes = numbers["slot"].total
    empty = np.empty(0, dtype=np.uint32)
    for name in ("sums", "ring", "ring_length"):
        if name in arrays and (arrays[name].dtype != np.uint32 or arrays[name].size == 0):
            raise ValueError(f"{name}: not a row of uint32")
    packed = arrays.get("zero")
    if packed is not None and (packed.dtype != np.uint8 or packed.size != -(-homes // 8)):
        raise ValueError(f"zero: {packed.size} bytes for {homes} pages with data")
    if packed is None:
        zero = np.empty(0, dtype=np.uint8)
    else:
        bits = np.unpackbits(packed, bitorder="little")
        if bits[homes:].any():
            raise ValueError("zero: bits for pages that are not there")
        zero = bits[:homes]
    return Image(
        facts=facts,
        pte=unpack_bytes("pte", arrays),
        **numbers,
        zero=zero,
        sums=arrays.get("sums", empty if facts["checksums"] else None),
        ring=arrays.get("ring", empty),
        ring_length=arrays.get("ring_length", empty),
    )
