"""Looking at a checkpoint without running it.

- ``inspect(path)``: what the image holds, as a dict for people and JSON.
- ``verify(path, swapfile)``: read every page and compare its checksum.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Any

import numpy as np

from swapfast import _core
from swapfast.checkpoint.commit import area_path, judge_header
from swapfast.checkpoint.image import Image, read_image
from swapfast.errors import system_error
from swapfast.units import PAGE_SIZE

__all__ = ["inspect", "verify"]

CHUNK = 256  # pages read at a time


def inspect(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What an image holds; pages are not read.

    Raises
    ------
    OSError, ValueError
        As `read_image`.
    """
    image = read_image(path)
    facts = image.facts
    size = os.path.getsize(path)
    pages = image.slot.total
    return {
        "image": os.fspath(path),
        "image_bytes": size,
        "kind": facts["kind"],
        "generation": image.generation,
        "version": facts["version"],
        "swapfile": area_path(image, path),
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

    Returns
    -------
    list of int
        Slots whose bytes are wrong, ascending.

    Raises
    ------
    OSError
        A file cannot be read; ENODATA: the checkpoint has no checksums.
    ValueError
        The image or the swapfile's header is not what it should be.
    """
    image = read_image(path)
    name = area_path(image, path) if swapfile is None else os.fspath(swapfile)
    if image.sums is None:
        raise system_error(errno.ENODATA, "was made without checksums", path)
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise system_error(errno.EINVAL, "not a regular file", name)
        judge_header(image, os.pread(fd, PAGE_SIZE, 0), name)
        return _wrong_slots(image, fd)
    finally:
        os.close(fd)


def _wrong_slots(image: Image, fd: int) -> list[int]:
    assert image.sums is not None
    slots = image.slot.values()
    if image.sums.size == 0:
        return []
    zero = image.zero.astype(bool) if image.zero.size else np.zeros(slots.size, dtype=bool)
    order = np.argsort(slots, kind="stable")
    order = order[~zero[order]]
    slots, sums = slots[order].astype(np.int64), image.sums[order]
    breaks = np.flatnonzero(np.diff(slots) != 1) + 1
    wrong: list[int] = []
    for run in np.split(np.arange(slots.size), breaks):
        for i in range(0, run.size, CHUNK):
            part = run[i : i + CHUNK]
            data = os.pread(fd, part.size * PAGE_SIZE, int(slots[part[0]]) * PAGE_SIZE)
            whole = len(data) // PAGE_SIZE
            found = np.zeros(part.size, dtype=bool)
            if whole:
                page_sums = _core.checksums(np.frombuffer(data, np.uint8, whole * PAGE_SIZE))
                found[:whole] = page_sums == sums[part[:whole]]
            wrong += slots[part[~found]].tolist()
    return wrong
