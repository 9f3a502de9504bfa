"""Images that build on each other: the last one, followed back to one that stands alone.

- ``read_chain(path)``: a ``Chain``: the whole image, and where the bytes of its pages are.
- ``read_image(path)``: the whole image alone. ``read_links(path)``: the files alone.
- ``judge_header(facts, head, path)``: is this the swapfile of that image?

A parent is named by its file name, in the folder of its child, and by its seal: another file of
that name is refused. The seal covers the parent's own reference, so that no chain is a circle.

In a chain of copies each image but the first has the bytes of those pages alone that no older one
has, in the order of their slots, behind a header page. In a chain of pinned ones all bytes are in
the job's swapfile.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swapfast.checkpoint.check import check_image
from swapfast.checkpoint.delta import apply
from swapfast.checkpoint.facts import MOST_PARENTS
from swapfast.checkpoint.image import Image, Members, read_members
from swapfast.errors import system_error
from swapfast.swapfile.header import PAGE_SIZE, SIGNATURE, UUID_AT
from swapfast.swapfile.stamp import AT_REST, read_stamp

__all__ = ["Chain", "Link", "judge_header", "new_slots", "read_chain", "read_image", "read_links"]

I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Link:
    """One image of a chain.

    Attributes
    ----------
    path : str
    facts : dict
    seal : str
    copied : bool
        It is of a chain of copies.
    """

    path: str
    facts: dict[str, Any]
    seal: str
    copied: bool

    @property
    def data(self) -> str:
        """The file with the bytes of its pages.

        Copies of a chain lie beside their images. Any other file is where it was, or else there; a
        snapshot's is looked for there first.
        """
        name = self.facts["area"]["path"]
        here = os.path.join(os.path.dirname(os.path.realpath(self.path)), os.path.basename(name))
        if self.copied:
            return here
        first, second = (here, name) if self.facts["kind"] == "snapshot" else (name, here)
        return first if os.path.exists(first) or not os.path.exists(second) else second


@dataclass(frozen=True, slots=True)
class Chain:
    """Images that build on each other, and what the last one stands for.

    Attributes
    ----------
    links : tuple of Link
        The oldest first.
    image : Image
        What the last one stands for.
    link, place : int64 arrays
        For each page with data: in which link's file it is, and at which page of it.
    """

    links: tuple[Link, ...]
    image: Image
    link: I64
    place: I64

    @property
    def seal(self) -> str:
        """The last image's."""
        return self.links[-1].seal

    @property
    def copied(self) -> bool:
        """The pages are in more than one file."""
        return self.links[-1].copied

    @property
    def parts(self) -> list[tuple[Link, NDArray[np.intp]]]:
        """Files with pages, and which pages with data each has; zero pages have no bytes."""
        if not self.copied:
            return [(self.links[-1], np.flatnonzero(self.place))]
        found = [
            (one, np.flatnonzero((self.link == i) & (self.place > 0)))
            for i, one in enumerate(self.links)
        ]
        return [(one, which) for one, which in found if which.size or one is self.links[0]]


def read_image(path: str | os.PathLike[str]) -> Image:
    """Read and check an image, and those that it builds on.

    Raises
    ------
    OSError
        A file cannot be read.
    ValueError
        It is not an image that could have been written: its name, the member, the cause.
    """
    return read_chain(path).image


def read_chain(path: str | os.PathLike[str]) -> Chain:
    """Read and check an image, and those that it builds on; errors as `read_image`."""
    files = _files(os.fspath(path))
    at = files[0].path
    try:
        image = files[0].image
        check_image(image)
        link, place = np.zeros(image.slot.total, dtype=np.int64), _own_places(image)
        for number, members in enumerate(files[1:], 1):
            at = members.path
            before, image = image, apply(image, members)
            link, place = _places(before, link, place, image, number, members)
        if len(files) > 1:
            check_image(image)
    except ValueError as error:
        raise ValueError(f"{at}: {error}") from None
    return Chain(_links(files), image, link, place)


def read_links(path: str | os.PathLike[str]) -> tuple[Link, ...]:
    """The images of a chain, each read and compared with its seal; errors as `read_image`.

    Whether their columns agree with each other is not looked at.
    """
    return _links(_files(os.fspath(path)))


def _links(files: list[Members]) -> tuple[Link, ...]:
    last = files[-1].parent
    copied = last is not None and last["copied"]
    for one in files:
        _check_copy(one, copied)
    return tuple(Link(one.path, one.image.facts, one.seal, copied) for one in files)


def _files(path: str) -> list[Members]:
    """The members of each file, the oldest first."""
    files = [read_members(path)]
    folder = os.path.dirname(os.path.realpath(path))
    while (parent := files[0].parent) is not None:
        child, name = files[0], os.path.join(folder, parent["name"])
        if len(files) > MOST_PARENTS:
            raise ValueError(f"{path}: builds on more than {MOST_PARENTS} images; compact it")
        try:
            found = read_members(name, follow=False)
        except FileNotFoundError:
            raise system_error(
                errno.ENOENT, f"is missing; {child.path} builds on it", name
            ) from None
        if found.seal != parent["seal"]:
            raise ValueError(f"{name}: not the image that {child.path} builds on; it was replaced")
        _check_link(found, child)
        files.insert(0, found)
    return files


def _check_copy(one: Members, copied: bool) -> None:
    """Copies have names that nothing else has: their files are made, and made anew, by name."""
    facts = one.image.facts
    if not copied and facts["kind"] != "snapshot":
        return
    end = f".{facts['area']['identity']}.{'pages' if one.parent else 'swap'}"
    if not facts["area"]["path"].endswith(end):
        raise ValueError(f"{one.path}: facts.area.path: does not end in {end}, as a copy's name")


def _check_link(parent: Members, child: Members) -> None:
    before, facts = parent.image.facts, child.image.facts
    said = facts["parent"]
    older = parent.parent
    if said["depth"] != (older["depth"] + 1 if older else 1):
        raise ValueError(f"{child.path}: facts.parent.depth: not one more than its parent's")
    copied = before["kind"] == "snapshot" if older is None else older["copied"]
    if said["copied"] != copied:
        raise ValueError(f"{child.path}: facts.parent.copied: its parent is of the other sort")
    if not before["checksums"] or not before["machine"]["contents"]:
        raise ValueError(f"{parent.path}: without checksums; no image can build on it")
    same = ["swap_uuid", "last_page", "slots", "pages", *(() if copied else ("identity",))]
    if any(before["area"][name] != facts["area"][name] for name in same) or not (
        copied or before["area"]["generation"] < facts["area"]["generation"]
    ):
        raise ValueError(f"{child.path}: facts.area: its parent {parent.path} is of another area")


# ---------------------------------------------------------------- where the bytes are


def _own_places(image: Image) -> I64:
    """Slot numbers; 0 for zero pages."""
    place = image.slot.values().astype(np.int64)
    if image.zero.size:
        place[image.zero.astype(bool)] = 0
    return place


def new_slots(before: NDArray[np.uint32], slot: NDArray[np.uint32], zero: NDArray[np.uint8]) -> I64:
    """Slots with bytes that an image's parent, with those before, does not name, ascending."""
    fresh = ~_found(before, slot)[0]
    if zero.size:
        fresh &= zero == 0
    return np.sort(slot[fresh]).astype(np.int64)


def _found(known: NDArray[Any], wanted: NDArray[Any]) -> tuple[NDArray[np.bool_], I64]:
    """Which are known, and where."""
    if known.size == 0:
        return np.zeros(wanted.size, dtype=bool), np.zeros(wanted.size, dtype=np.int64)
    order = np.argsort(known, kind="stable")
    at = order[np.searchsorted(known, wanted, sorter=order).clip(max=known.size - 1)]
    return known[at] == wanted, at


def _places(
    before: Image, link: I64, place: I64, image: Image, number: int, members: Members
) -> tuple[I64, I64]:
    parent = members.parent
    if parent is None or not parent["copied"]:
        return np.zeros(image.slot.total, dtype=np.int64), _own_places(image)
    slot = image.slot.values()
    known, at = _found(before.slot.values(), slot)
    own, rank = _found(new_slots(before.slot.values(), slot, image.zero), slot)
    fresh = np.where(own, rank + 1, 0)
    if known.size == 0 or place.size == 0:
        return np.full(slot.size, number), fresh
    return np.where(known, link[at], number), np.where(known, place[at], fresh)


# ---------------------------------------------------------------- the header of a file of pages


def judge_header(facts: dict[str, Any], head: bytes, path: str) -> bytes:
    """The header page of the swapfile of an image, as it is when the file is on.

    Raises
    ------
    ValueError
        The file is not that swapfile, or has been used since.
    """
    area = facts["area"]
    if len(head) < PAGE_SIZE or head[PAGE_SIZE - 10 : PAGE_SIZE] not in (AT_REST, SIGNATURE):
        raise ValueError(f"{path}: byte {PAGE_SIZE - 10}: no signature of a checkpoint's swapfile")
    stamp = read_stamp(head)
    if stamp is None:
        raise ValueError(f"{path}: byte 0: holds no checkpoint; it was given up, or mkswap ran")
    if stamp.identity.hex() != area["identity"] or stamp.slots != area["slots"]:
        raise ValueError(f"{path}: byte 16: holds another checkpoint than the image is of")
    if area["generation"] < stamp.generation:
        raise ValueError(
            f"{path}: byte 32: holds generation {stamp.generation}, the image is generation "
            f"{area['generation']}; use the newer image"
        )
    if head[UUID_AT : UUID_AT + 16].hex() != area["swap_uuid"]:
        raise ValueError(f"{path}: byte {UUID_AT}: the UUID is not the one that the image names")
    return head[: PAGE_SIZE - 10] + SIGNATURE + head[PAGE_SIZE:]
