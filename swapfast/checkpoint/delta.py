"""What changed from one image to the next: rows of pages, and which mapping is which.

- ``difference(before, was, facts, arrays)``: the columns of an incremental image.
- ``apply(before, members)``: the reverse: the whole image that it stands for.
- ``columns_of(image)``: an image's columns, written out.

Mappings and shared objects come in another order, or are new, without their pages being so:
``move`` says which is which. Rings follow their pages. A ring of the parent holds as long as its
pages' bytes say so and no ring that is given here has one of them: a page that shares another's
data is in exactly one ring, so none is held wrongly.

Nothing here is written out that an image only claims: page-table bytes stay runs, and pages with
data have a checksum each in some file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swapfast.checkpoint.check import MEMBER, OBJECT_OUT, OUT
from swapfast.checkpoint.columns import MOST, Bytes, merged, numbers_of
from swapfast.checkpoint.image import NUMBERS, Image, Members

__all__ = ["apply", "columns_of", "difference"]

I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]
COLUMNS = ("slot", "shadow", "zero", "sums")


@dataclass(frozen=True, slots=True)
class _Pages:
    """An image in the form in which it can be compared.

    Attributes
    ----------
    pte : Bytes
    home : int64 array
        Pages with data, ascending.
    rows : dict
        slot, shadow, zero, sums: a value for each of them.
    ring, length : int64 arrays
        In the order of their first pages.
    """

    pte: Bytes
    home: I64
    rows: dict[str, NDArray[Any]]
    ring: I64
    length: I64


def _homes(pte: Bytes) -> I64:
    out = np.isin(pte.value, (OUT, OBJECT_OUT))
    begin = pte.end - pte.length
    return _spread(begin[out], pte.length[out])


def _spread(start: I64, length: I64) -> I64:
    """start, start + 1, ..., for each length."""
    before = np.cumsum(length) - length
    spread: I64 = np.arange(int(length.sum())) + np.repeat(start - before, length)
    return spread


def _pages_of(image: Image) -> _Pages:
    homes, sums = image.pte.count(OUT, OBJECT_OUT), image.sums
    if sums is None or {image.slot.total, image.shadow.total, sums.size} != {homes}:
        raise ValueError(f"slot: not a slot, a shadow and a checksum for {homes} pages with data")
    rows: dict[str, NDArray[Any]] = {
        "slot": image.slot.values(),
        "shadow": image.shadow.values(),
        "zero": image.zero if image.zero.size else np.zeros(homes, dtype=np.uint8),
        "sums": sums,
    }
    ring, length = image.ring.astype(np.int64), image.ring_length.astype(np.int64)
    return _Pages(image.pte, _homes(image.pte), rows, ring, length)


# ---------------------------------------------------------------- mappings


def _regions(facts: dict[str, Any]) -> tuple[I64, I64]:
    """Where the pages of each mapping and shared object begin, and how many they are."""
    pages = [m["pages"] for mm in facts["mms"] for m in mm["mappings"]]
    pages += [one["pages"] for one in facts["objects"]]
    length = np.array(pages, dtype=np.int64)
    return np.cumsum(length) - length, length


def _names(facts: dict[str, Any]) -> list[Any]:
    """What each of them is called in every image: by its first task and address, or its segment."""
    first: dict[int, int] = {}
    for task in facts["tasks"]:
        if task["mm"] is not None:
            first.setdefault(task["mm"], task["pid"])
    names: list[Any] = []
    objects: dict[int, Any] = {
        s["object"]: (ipc["number"], s["shmid"], "segment")
        for ipc in facts["ipc"]
        for s in ipc["segments"]
    }
    for i, mm in enumerate(facts["mms"]):
        for m in mm["mappings"]:
            names.append((first[i], m["addr"], m["pages"]))
            objects.setdefault(m["object"], (first[i], m["addr"], "shared"))
    pages = [one["pages"] for one in facts["objects"]]
    return names + [(*objects[i], n) for i, n in enumerate(pages)]


def _moves(before: dict[str, Any], facts: dict[str, Any]) -> I64:
    known = {name: i + 1 for i, name in enumerate(_names(before))}
    return np.array([known.pop(name, 0) for name in _names(facts)], dtype=np.int64)


def _carry(before: dict[str, Any], old: _Pages, facts: dict[str, Any], move: I64) -> _Pages:
    """The parent's pages at the places that they have now; those of new mappings untouched."""
    start, length = _regions(facts)
    old_start, old_length = _regions(before)
    if np.array_equal(move, np.arange(1, old_start.size + 1)) and np.array_equal(
        length, old_length
    ):
        return old
    used = move[move > 0] - 1
    if move.size != start.size or (used.size and int(used.max()) >= old_start.size):
        raise ValueError("move: not one of the parent's mappings and objects for each one here")
    if used.size and int(np.bincount(used).max()) > 1:
        raise ValueError("move: a mapping of the parent is there twice")
    if (length[move > 0] != old_length[used]).any():
        raise ValueError("move: a mapping has another number of pages in the parent")
    if int(length.sum()) > MOST:
        raise ValueError("facts.mms: 2**32 pages and more")
    shift = np.zeros(old_start.size, dtype=np.int64)
    kept = np.zeros(old_start.size, dtype=bool)
    shift[used], kept[used] = start[move > 0] - old_start[used], True

    def place(pages: I64) -> tuple[I64, Bools]:
        which = np.searchsorted(old_start, pages, side="right") - 1
        return pages + shift[which], kept[which]

    ends = merged(old.pte.end, old_start + old_length)
    begin = np.concatenate((np.zeros(min(ends.size, 1), dtype=np.int64), ends[:-1]))
    there, stays = place(begin)
    fresh = start[move == 0]
    begins = np.concatenate((there[stays], fresh))
    values = np.concatenate((old.pte.at(begin[stays]), np.zeros(fresh.size, dtype=np.uint8)))
    order = np.argsort(begins, kind="stable")
    total = np.full(min(begins.size, 1), int(length.sum()), dtype=np.int64)
    pte = Bytes(values[order], np.concatenate((begins[order][1:], total)))

    there, stays = place(old.home)
    order = np.argsort(there[stays], kind="stable")
    rows = {name: old.rows[name][stays][order] for name in COLUMNS}
    ring, stays_ring = place(old.ring)
    whole = _each(stays_ring, old.length)
    return _Pages(pte, there[stays][order], rows, *_in_order(*_select(ring, old.length, whole)))


# ---------------------------------------------------------------- rings


def _each(flags: Bools, length: I64) -> Bools:
    """For each ring: is the flag of all its pages set?"""
    if length.size == 0:
        return np.empty(0, dtype=bool)
    every: Bools = np.logical_and.reduceat(flags, np.cumsum(length) - length)
    return every


def _select(ring: I64, length: I64, which: Bools) -> tuple[I64, I64]:
    return ring[np.repeat(which, length)], length[which]


def _in_order(ring: I64, length: I64) -> tuple[I64, I64]:
    """Rings in the order of their first pages."""
    begin = np.cumsum(length) - length
    order = np.argsort(ring[begin], kind="stable")
    return ring[_spread(begin[order], length[order])], length[order]


def _holding(ring: I64, length: I64, now: NDArray[np.uint8], given: I64) -> tuple[I64, I64]:
    """The parent's rings that still hold, by the bytes of their pages now: see the module."""
    right = np.full(ring.size, MEMBER, dtype=np.uint8)
    right[np.cumsum(length) - length] = OUT
    holds = (now == right) & ~np.isin(ring, given)
    return _select(ring, length, _each(holds, length))


def _new_rings(held: tuple[I64, I64], ring: I64, length: I64) -> tuple[I64, I64]:
    """Those that are not among the ones that hold."""
    was, was_length = held
    if was_length.size == 0 or length.size == 0:
        return ring, length
    begin, was_begin = np.cumsum(length) - length, np.cumsum(was_length) - was_length
    found = np.searchsorted(was[was_begin], ring[begin]).clip(max=was_length.size - 1)
    alike = (was[was_begin][found] == ring[begin]) & (was_length[found] == length)
    compared, size = _select(ring, length, alike)
    same = np.zeros(length.size, dtype=bool)
    same[alike] = _each(compared == was[_spread(was_begin[found[alike]], size)], size)
    return _select(ring, length, ~same)


# ---------------------------------------------------------------- both ways


def columns_of(image: Image) -> dict[str, Any]:
    """The columns of an image as `image_parts` takes them: page-table bytes as runs."""
    numbers = {name: getattr(image, name).values() for name in NUMBERS}
    zero = image.zero if image.zero.size else np.zeros(image.slot.total, dtype=np.uint8)
    rest = {"sums": image.sums, "ring": image.ring, "ring_length": image.ring_length}
    return {"pte": image.pte, **numbers, "zero": zero, **rest}


def _carried(
    before: dict[str, Any], was: dict[str, Any], facts: dict[str, Any], move: I64
) -> dict[str, Any]:
    """The parent's columns at the places that its pages have now."""
    if np.array_equal(move, np.arange(1, len(_names(before)) + 1)):
        return was
    pte = Bytes(was["pte"], np.arange(1, was["pte"].size + 1))
    ring, length = was["ring"].astype(np.int64), was["ring_length"].astype(np.int64)
    rows = {name: was[name] for name in COLUMNS}
    old = _carry(before, _Pages(pte, _homes(pte), rows, ring, length), facts, move)
    return {"pte": old.pte.values(), **old.rows, "ring": old.ring, "ring_length": old.length}


def difference(
    before: dict[str, Any], was: dict[str, Any], facts: dict[str, Any], arrays: dict[str, Any]
) -> dict[str, Any]:
    """The columns of an image that builds on another.

    Parameters
    ----------
    before, was : dict
        Facts and columns of the parent, which is whole.
    facts, arrays : dict
        Those of now, as for `image_parts`, of everything.
    """
    move = _moves(before, facts)
    old = _carried(before, was, facts, move)
    pte: NDArray[np.uint8] = arrays["pte"]
    changed = pte != old["pte"]
    home = np.flatnonzero((pte == OUT) | (pte == OBJECT_OUT))
    was_out = (old["pte"] == OUT) | (old["pte"] == OBJECT_OUT)
    same = was_out[home]
    found = (np.cumsum(was_out) - 1)[home[same]]  # its row in the parent's columns
    alike = np.ones(found.size, dtype=bool)
    for name in COLUMNS:
        alike &= old[name][found] == arrays[name][same]
    same[same] = alike
    changed[home[~same]] = True
    here = changed[home]
    ring, length = arrays["ring"].astype(np.int64), arrays["ring_length"].astype(np.int64)
    before_ring = old["ring"].astype(np.int64), old["ring_length"].astype(np.int64)
    held = _holding(*before_ring, pte[before_ring[0]], np.empty(0, dtype=np.int64))
    ring, length = _new_rings(held, ring, length)
    return {
        **arrays,
        "pte": pte[changed],
        **{name: arrays[name][here] for name in COLUMNS},
        "ring": ring.astype(np.uint32),
        "ring_length": length.astype(np.uint32),
        "row": np.flatnonzero(changed).astype(np.uint32),
        "move": move.astype(np.uint32),
    }


def apply(before: Image, members: Members) -> Image:
    """The image that an incremental one stands for; `check_image` has the last word on it.

    Raises
    ------
    ValueError
        The member, and the cause.
    """
    own = members.image
    move = members.move.values().astype(np.int64)
    old = _carry(before.facts, _pages_of(before), own.facts, move)
    row, rows = members.row, _pages_of(own)
    row_end = row.start + row.length
    if row.start.size and (
        int(row_end[-1]) > old.pte.total or (row.start[1:] < row_end[:-1]).any()
    ):
        raise ValueError("row: not ascending pages of this image")
    if rows.pte.total != row.total:
        raise ValueError(f"pte: {rows.pte.total} bytes for {row.total} rows")

    # Rows are numbered from 0; where their runs begin among the pages:
    first = np.cumsum(row.length) - row.length

    def page_of(index: I64) -> I64:
        which = np.searchsorted(first, index, side="right") - 1
        found: I64 = row.start[which] + index - first[which]
        return found

    def in_a_row(pages: I64) -> Bools:
        which = np.searchsorted(row.start, pages, side="right") - 1
        inside: Bools = (which >= 0) & (pages < np.append(row_end, 0)[which])
        return inside

    cuts = page_of(rows.pte.end - 1) + 1
    ends = merged(old.pte.end, row.start[row.start > 0], row_end, cuts)
    value = old.pte.at(ends - 1)
    inside = in_a_row(ends - 1)
    which = np.searchsorted(row.start, ends[inside] - 1, side="right") - 1
    value[inside] = rows.pte.at(first[which] + ends[inside] - 1 - row.start[which])
    pte = Bytes(value, ends)

    stays = ~in_a_row(old.home)
    home = np.concatenate((old.home[stays], page_of(rows.home)))
    order = np.argsort(home, kind="stable")
    whole = {
        name: np.concatenate((old.rows[name][stays], rows.rows[name]))[order] for name in COLUMNS
    }
    if int(rows.length.sum()) != rows.ring.size or (rows.length.size and rows.length.min() < 2):
        raise ValueError("ring_length: rings of fewer than two pages, or not as many as in ring")
    if rows.ring.size and int(rows.ring.max()) >= pte.total:
        raise ValueError("ring: a page that is not there")
    held = _holding(old.ring, old.length, pte.at(old.ring), rows.ring)
    ring, length = _in_order(
        np.concatenate((held[0], rows.ring)), np.concatenate((held[1], rows.length))
    )
    return replace(
        own,
        pte=pte,
        slot=numbers_of(whole["slot"]),
        shadow=numbers_of(whole["shadow"]),
        zero=whole["zero"],
        sums=whole["sums"],
        ring=ring.astype(np.uint32),
        ring_length=length.astype(np.uint32),
    )
