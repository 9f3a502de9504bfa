"""Chains of images: made, and edited so that nothing but their sense is wrong."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from swapfast.checkpoint import (
    checkpoint,
)
from swapfast.checkpoint.stored import pack, seal_of
from swapfast.machine import Machine
from tests.support.members import Members, canonical, members
from tests.support.small_job import AREA, namespace_of, scribble, small_job


def chain_of(folder: Path, base: str, length: int = 4) -> tuple[Machine, Path]:
    """A small job, and the last image of its chain; all images and the swapfile are there."""
    machine = small_job(folder)
    last = None
    for turn in range(length):
        scribble(machine, f"turn {turn}", turn)
        checkpoint(
            machine,
            namespace_of(machine),
            folder / f"{turn}",
            kind=base if last is None else "incremental",  # type: ignore[arg-type]
            parent=last,
        )
        last = folder / f"{turn}"
    assert last is not None
    return machine, last


NAMES = ("0", "1", "2")
Edit = Callable[[Any, Members], None]


def put(folder: Path, name: str, facts: Any, columns: Members) -> str:
    """Write an image; its seal."""
    whole = {"facts": np.frombuffer(canonical(facts), dtype=np.uint8), **columns}
    parts = pack(whole)
    (folder / name).write_bytes(b"".join(bytes(part) for part in parts))
    return seal_of(parts)


def edited(folder: Path, name: str, edit: Edit) -> None:
    """Change an image, and what later ones say of it: nothing but its sense is wrong."""
    facts, columns = members(folder / name)
    edit(facts, columns)
    seal = put(folder, name, facts, columns)
    for later in NAMES[int(name) + 1 :]:
        facts, columns = members(folder / later)
        facts["parent"]["seal"] = seal
        seal = put(folder, later, facts, columns)


def fact(*path: Any, value: Any) -> Edit:
    def edit(facts: Any, columns: Members) -> None:
        for step in path[:-1]:
            facts = facts[step]
        facts[path[-1]] = value

    return edit


def images(folder: Path) -> list[str]:
    return sorted((n for n in os.listdir(folder) if n.isdigit()), key=int)


def swapfile(folder: Path, base: str) -> Path | None:
    """Where the job goes on: its own swapfile, or one that is made of copies."""
    return folder / AREA if base == "pinned" else None
