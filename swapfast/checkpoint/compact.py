"""One image out of a chain.

- ``compact(path, out)``: ``out`` stands for what ``path`` does, and builds on nothing.

Pages that were copied are copied again, each compared with its checksum on the way. Pages in the
job's own swapfile stay there: `verify` reads those. A running job takes the new image as the parent
of its next one as well.
"""

from __future__ import annotations

import contextlib
import errno
import os

from swapfast.checkpoint.chain import Chain, read_chain
from swapfast.checkpoint.delta import columns_of
from swapfast.checkpoint.disk import Disk
from swapfast.checkpoint.freeze import chained
from swapfast.checkpoint.image import image_parts
from swapfast.checkpoint.pages import gather, open_data
from swapfast.checkpoint.patience import held_back
from swapfast.checkpoint.place import Place
from swapfast.checkpoint.steady import steady
from swapfast.errors import system_error
from swapfast.swapfile.files import named, read_at
from swapfast.swapfile.header import PAGE_SIZE
from swapfast.swapfile.stamp import Stamp, put_stamp

__all__ = ["compact"]


def compact(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    disk: Disk | None = None,
    identity: bytes | None = None,
) -> None:
    """Fold a chain of images into one.

    Parameters
    ----------
    path : path
        The last image of the chain.
    out : path
        The new image; one that is there is replaced, at once or not at all. Of a chain of snapshots
        its pages are beside it, in ``OUT.<identity>.swap``.
    disk : Disk, optional
        For tests.
    identity : bytes, optional
        16 bytes instead of random ones.

    Raises
    ------
    OSError
        EINVAL: ``out`` is a part of the chain, or not a regular file; EBUSY: somebody else writes
        it; EEXIST: a swapfile has the name; ENODATA: it was made without checksums; EIO: a page
        is not what it was; ENOSPC, ...: of the disk. What was at ``out`` is as it was.
    ValueError
        An image of the chain is damaged, or another one.
    """
    steady(path, lambda: _compact(path, out, disk or Disk(), identity or os.urandom(16)))


def _compact(
    path: str | os.PathLike[str], out: str | os.PathLike[str], disk: Disk, identity: bytes
) -> None:
    chain = read_chain(path)
    image = chain.image
    if os.path.realpath(out) in [os.path.realpath(link.path) for link in chain.links]:
        raise system_error(errno.EINVAL, "is a part of the chain; give another name", out)
    if image.sums is None or image.sums.size != image.slot.total:
        raise system_error(errno.ENODATA, "was made without checksums", path)
    inputs = [name for link in chain.links for name in (link.path, link.data)]
    with held_back(), Place(disk, out, inputs) as place:
        _fold(chain, place, identity)


def _fold(chain: Chain, place: Place, identity: bytes) -> None:
    arrays = columns_of(chain.image)
    facts = dict(chain.image.facts)
    facts |= chained(None, facts.get("folded") or chain.seal)
    if chain.links[0].facts["kind"] != "snapshot":
        if len(chain.links) > 1:
            facts["kind"] = "pinned"
        place.put(image_parts(facts, arrays))
        return
    stamp = Stamp(facts["area"]["slots"], identity, 0)
    copy = f"{place.path}.{stamp.identity.hex()}.swap"
    facts["kind"] = "snapshot"
    facts["area"] = facts["area"] | {"path": copy, "identity": stamp.identity.hex()}
    try:
        _copy(chain, copy, stamp, place.disk)
        place.put(image_parts(facts, arrays))
    except BaseException:
        if not place.committing:  # else the image that names it may be there
            with contextlib.suppress(OSError):
                place.disk.remove(copy)
        raise
    place.sweep(copy)


def _copy(chain: Chain, path: str, stamp: Stamp, disk: Disk) -> None:
    fd = -1
    try:
        fd = disk.create(path)
        with named(path):
            gather(chain, fd, disk, compare=True)
            with open_data(chain.links[-1]) as (last, _):
                page = read_at(last, PAGE_SIZE, 0)
            disk.write(fd, put_stamp(page, stamp, at_rest=True), 0)
            disk.sync(fd)
    finally:
        if fd >= 0:
            disk.close(fd)
