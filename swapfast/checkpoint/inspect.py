"""Looking at a checkpoint without running it.

- ``inspect(path)``: what the image holds, as a dict for people and JSON.
- ``verify(path, swapfile)``: read every page and compare its checksum.
"""

from __future__ import annotations

import errno
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swapfast.checkpoint.chain import Chain, read_chain
from swapfast.checkpoint.commit import swapfile_of
from swapfast.checkpoint.pages import open_data, runs
from swapfast.checkpoint.patience import breathe, held_back
from swapfast.checkpoint.steady import steady
from swapfast.core import slot_pins
from swapfast.errors import system_error
from swapfast.swapfile.files import read_at
from swapfast.units import PAGE_SIZE

__all__ = ["inspect", "verify"]

CHUNK = 256  # pages read at a time


def inspect(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What an image holds; pages are not read.

    Raises
    ------
    OSError, ValueError
        As `read_image`; EBUSY: a job replaces it all the time.
    """
    return steady(path, lambda: _facts(path), lambda _: True)


def _facts(path: str | os.PathLike[str]) -> dict[str, Any]:
    chain = read_chain(path)
    image = chain.image
    facts = image.facts
    size = os.path.getsize(path)
    pages = image.slot.total
    return {
        "image": os.fspath(path),
        "image_bytes": size,
        "kind": facts["kind"],
        "generation": image.generation,
        "version": facts["version"],
        "swapfile": swapfile_of(chain),
        "builds_on": [link.path for link in chain.links[:-1]],
        "profile": facts["machine"]["profile"],
        "memory_bytes": facts["core"]["settings"]["memory"] * PAGE_SIZE,
        "policy": facts["machine"]["policy"],
        "now_ns": facts["core"]["clock"]["now"],
        "mapped_pages": image.pte.total,
        "pages_with_data": pages,
        "zero_pages": int(image.zero.sum()),
        "slot_runs": int(image.slot.start.size),
        "bytes_per_page": round(size / pages, 3) if pages else None,
        "checksums": image.sums is not None,
        "segments": sum(len(ipc["segments"]) for ipc in facts["ipc"]),
        "tasks": [
            {
                "pid": t["pid"],
                "parent": t["parent"],
                "name": t["name"],
                "state": t["state"],
                "pages": 0
                if t["mm"] is None
                else sum(m["pages"] for m in facts["mms"][t["mm"]]["mappings"]),
            }
            for t in facts["tasks"]
        ],
        "counters": facts["core"]["counters"],
    }


def verify(
    path: str | os.PathLike[str], swapfile: str | os.PathLike[str] | None = None
) -> list[int]:
    """Compare every page of a checkpoint with its checksum; the file is only read.

    A job that goes on may make new checkpoints meanwhile: then it is the newest one that is right
    or wrong. Its swapfile holds the last checkpoint only, as long as it is ``pinned``.

    Returns
    -------
    list of int
        Slots whose bytes are wrong, ascending.

    Raises
    ------
    OSError
        A file cannot be read; ENODATA: the checkpoint has no checksums; EBUSY: its job replaces
        it faster than it is read.
    ValueError
        The image or the swapfile's header is not what it should be.
    """
    return steady(path, lambda: _compare(path, swapfile), bool)


def _compare(path: str | os.PathLike[str], swapfile: str | os.PathLike[str] | None) -> list[int]:
    chain = read_chain(path)
    image = chain.image
    if image.sums is None:
        raise system_error(errno.ENODATA, "was made without checksums", path)
    slot = image.slot.values().astype(np.int64)
    wrong: list[int] = []
    with held_back():
        if swapfile is not None:
            kept = np.flatnonzero(chain.place)
            with open_data(chain.links[-1], os.fspath(swapfile)) as (fd, _):
                wrong = _wrong_slots(chain, kept, slot, fd)
        else:
            for link, which in chain.parts:
                with open_data(link) as (fd, _):
                    wrong += _wrong_slots(chain, which, chain.place, fd)
    return sorted(wrong)


def _wrong_slots(chain: Chain, which: NDArray[Any], place: NDArray[Any], fd: int) -> list[int]:
    """Slots of these pages with data whose bytes, at these pages of a file, are wrong."""
    sums, slot = chain.image.sums, chain.image.slot.values()
    if sums is None or sums.size == 0:
        return []
    order = which[np.argsort(place[which], kind="stable")]
    wrong: list[int] = []
    for part in runs(place[order], most=CHUNK):
        breathe()
        pages = order[part]
        data = read_at(fd, pages.size * PAGE_SIZE, int(place[pages[0]]) * PAGE_SIZE)
        whole = len(data) // PAGE_SIZE
        found = np.zeros(pages.size, dtype=bool)
        if whole:
            page_sums = slot_pins.checksums(np.frombuffer(data, np.uint8, whole * PAGE_SIZE))
            found[:whole] = page_sums == sums[pages[:whole]]
        wrong += slot[pages[~found]].tolist()
    return wrong
