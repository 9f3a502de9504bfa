"""A restart of something damaged: refused, or every byte right. Never wrong, never for ever.

10,000 single flipped bits and 1,000 truncations, over image, header and used slots; a tenth of that
in a quick run. `test_hostile` flips every bit of an image on its own.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from swapfast.checkpoint import read_image, verify
from swapfast.checkpoint.disk import Disk
from swapfast.machine import restart
from tests.support.jobs import PAGE, boot
from tests.support.seen import contents


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """A hang ends here."""

    def late(*_: object) -> None:
        raise AssertionError(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


Pages = dict[Any, Any]


class NoWaiting(Disk):
    """Nobody cuts the power here."""

    def sync_data(self, fd: int) -> None:
        pass


def attempt(image: Path, swap: Path, right: Pages, tally: Counter[str], what: str) -> None:
    """Read everything, in a copy that a restart may write to."""
    try:
        with at_most(20), restart(image, swapfile=swap, disk=NoWaiting()) as machine:
            seen = contents(machine)
            machine.verify()
    except (ValueError, OSError) as error:
        assert str(image.parent) in str(error), error
        tally[f"{what}: refused"] += 1
    else:
        # A page that is refused when it is read is None.
        assert seen.keys() == right.keys()
        assert all(seen[k] in (None, right[k]) for k in right), f"{what}: wrong bytes"
        tally[f"{what}: {'harmless' if seen == right else 'refused'}"] += 1


@pytest.mark.parametrize("share", [20, pytest.param(1, marks=pytest.mark.slow)])
def test_flips_and_truncations(tmp_path: Path, share: int) -> None:
    machine, login = boot(tmp_path / "s", memory="256KiB", size="80KiB")
    login.mmap("20KiB").touch(write=True, tag="small")
    login.fork("child")
    login.swap_ns.checkpoint(tmp_path / "image")
    machine.close()
    whole = {"image": (tmp_path / "image").read_bytes(), "swap": (tmp_path / "s").read_bytes()}
    slots = read_image(tmp_path / "image").slot.values().tolist()
    folder = tmp_path / "run"
    folder.mkdir()
    image, swap = folder / "image", folder / "swap"

    def put(**changed: bytes | bytearray) -> None:
        image.write_bytes(changed.get("image", whole["image"]))
        swap.write_bytes(changed.get("swap", whole["swap"]))
        swap.chmod(0o600)

    put()
    with restart(image, swapfile=swap) as machine:
        right = contents(machine)
    rng = random.Random(4)
    tally: Counter[str] = Counter()
    for number in range(10_000 // share):
        where = ("image", "slots", "slots", "header")[number % 4]
        name = "image" if where == "image" else "swap"
        data = bytearray(whole[name])
        byte = {
            "image": rng.randrange(len(data)),
            "header": rng.randrange(PAGE),
            "slots": rng.choice(slots) * PAGE + rng.randrange(PAGE),
        }[where]
        data[byte] ^= 1 << rng.randrange(8)
        put(**{name: data})
        attempt(image, swap, right, tally, where)
    for number in range(1000 // share):
        name = ("image", "swap")[number % 2]
        put(**{name: whole[name][: rng.randrange(len(whole[name]))]})
        attempt(image, swap, right, tally, f"{name} cut off")
        put()
        os.truncate(image if name == "image" else swap, len(whole[name]) - 1)
        attempt(image, swap, right, tally, f"{name} a byte short")
    print(dict(tally))
    for what in ("image", "slots", "image cut off", "image a byte short", "swap cut off"):
        assert tally[f"{what}: refused"] and not tally[f"{what}: harmless"], what
    put()
    assert verify(image, swap) == []
    shutil.rmtree(folder)
