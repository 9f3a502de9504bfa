"""Whether the columns of an image agree with its facts and with each other.

- ``check_image(image)``: ``ValueError`` names the member and the cause.

Runs are not written out: the cost follows the size of the file, not what it claims.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from swapfast import _core
from swapfast.checkpoint.columns import merged
from swapfast.kernel.profile import PROFILES

if TYPE_CHECKING:
    from swapfast.checkpoint.image import Image

__all__ = ["check_image"]

OUT = _core.SWAPPED
MEMBER = _core.SWAPPED | _core.MEMBER
OBJECT_OUT = _core.SWAPPED | _core.SHARED
ZERO = _core.PRESENT | _core.ZERO
# Page-table bytes that an image may have, by what the page belongs to.
HOLE, PRIVATE, WINDOW, OBJECT = range(4)
ALLOWED = {
    HOLE: (0,),
    PRIVATE: (0, OUT, MEMBER, ZERO, ZERO | _core.ACCESSED),
    WINDOW: (0, _core.SHARED),
    OBJECT: (0, OBJECT_OUT),
}
CLUSTER = _core.SLOTS_PER_CLUSTER
SHADOW_MOST = (1 << 32) - 1


def check_image(image: Image) -> None:
    """Raise ``ValueError`` for an image that no checkpoint would write."""
    area = image.facts["area"]
    _check_bytes(image)
    homes = image.pte.count(OUT, OBJECT_OUT)
    if image.slot.total != homes or image.shadow.total != homes:
        raise ValueError(
            f"slot: {image.slot.total} slots and {image.shadow.total} shadows for {homes} pages "
            "with data"
        )
    if image.sums is not None and image.sums.size != (
        homes if image.facts["machine"]["contents"] else 0
    ):
        raise ValueError(f"sums: {image.sums.size} checksums for {homes} pages with data")
    _refuse("slot", image.slot.problem(1, area["slots"] - 1))
    _refuse("limbo", image.limbo.problem(1, area["slots"] - 1))
    if image.limbo.total:
        both = type(image.slot)(
            np.concatenate((image.slot.start, image.limbo.start)),
            np.concatenate((image.slot.length, image.limbo.length)),
        )
        _refuse("limbo", both.problem(1, area["slots"] - 1))
    if homes + image.limbo.total > area["pages"]:
        raise ValueError(f"slot: {homes + image.limbo.total} in use of {area['pages']}")
    clusters = (
        -(-area["slots"] // CLUSTER) if PROFILES[image.facts["machine"]["profile"]].modern else 0
    )
    for name, column in (("unused", image.unused), ("partly", image.partly)):
        _refuse(name, column.problem(0, clusters - 1))
    _check_rings(image)


def _refuse(name: str, why: str | None) -> None:
    if why is not None:
        raise ValueError(f"{name}: {why}")


def _regions(image: Image) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the pages of each kind end, in the order of the image, and which kind it is."""
    ends, kinds = [], []
    at = 0
    for mm in image.facts["mms"]:
        for mapping in mm["mappings"]:
            kind = PRIVATE if mapping["object"] is None else WINDOW
            last = 0
            for first, end in mapping["ranges"]:
                ends += [at + first, at + end]
                kinds += [HOLE, kind]
                last = end
            at += mapping["pages"]
            if last < mapping["pages"]:
                ends.append(at)
                kinds.append(HOLE)
    for one in image.facts["objects"]:
        at += one["pages"]
        ends.append(at)
        kinds.append(OBJECT)
    return np.array(ends, dtype=np.int64), np.array(kinds, dtype=np.int64)


def _check_bytes(image: Image) -> None:
    ends, kinds = _regions(image)
    total = int(ends[-1]) if ends.size else 0
    if image.pte.total != total:
        raise ValueError(f"pte: {image.pte.total} bytes for {total} pages")
    if total == 0:
        return
    # Cut at every border of a run or of a region: each piece has one byte and one kind.
    pieces = merged(image.pte.end, ends[ends > 0]) - 1
    values = image.pte.at(pieces)
    which = kinds[np.searchsorted(ends, pieces, side="right")]
    for kind, allowed in ALLOWED.items():
        wrong = pieces[(which == kind) & ~np.isin(values, allowed)]
        if wrong.size:
            page = int(wrong[0])
            value = int(image.pte.at(wrong[:1])[0])
            raise ValueError(f"pte: byte {value:#04x} of page {page} may not stand there")


def _check_rings(image: Image) -> None:
    ring, lengths = image.ring.astype(np.int64), image.ring_length.astype(np.int64)
    if int(lengths.sum()) != ring.size or (lengths.size and int(lengths.min()) < 2):
        raise ValueError("ring_length: rings of fewer than two pages, or not as many as in ring")
    members = image.pte.count(MEMBER)
    if ring.size - lengths.size != members:
        raise ValueError(f"ring: {ring.size - lengths.size} members of {members}")
    if ring.size == 0:
        return
    if int(ring.max()) >= image.pte.total:
        raise ValueError("ring: a page that is not there")
    ordered = np.sort(ring)
    if (ordered[1:] == ordered[:-1]).any():
        raise ValueError("ring: a page is in two")
    first = np.zeros(ring.size, dtype=bool)
    first[np.cumsum(lengths) - lengths] = True
    values = image.pte.at(ring)
    if (values[first] != OUT).any() or (values[~first] != MEMBER).any():
        raise ValueError("ring: a page whose byte says otherwise")
