"""Incremental checkpoints: only what changed is written, and a chain of images restores."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swapfast.checkpoint import checkpoint, compact, inspect, read_image, release, restart, verify
from swapfast.checkpoint.disk import Disk
from swapfast.machine import Machine
from tests.checkpoint.jobs import PAGE, boot, contents, family, lists, picture, work
from tests.checkpoint.test_crashes import namespace_of, scribble, small_job

BASES = ("pinned", "incremental")  # what the first of a chain is of


@dataclass
class CountingDisk(Disk):
    """Counts the bytes of each file."""

    written: dict[str, int] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)

    def create(self, path: str) -> int:
        fd = super().create(path)
        self.names[fd] = os.path.basename(path)
        return fd

    def write(self, fd: int, data: bytes | memoryview, at: int) -> None:
        super().write(fd, data, at)
        name = self.names.get(fd, "area")
        self.written[name] = self.written.get(name, 0) + memoryview(data).nbytes


def copied(folder: Path, there: Path) -> Path:
    """Everything but the job's own swapfile, as a backup has it."""
    return Path(shutil.copytree(folder, there, ignore=shutil.ignore_patterns("area")))


def alike(one: Any, other: Any) -> None:
    """Two images have the same pages."""
    for image in (one, other):
        assert image.pte.total == image.pte.length.sum()
    columns = [
        (
            np.repeat(image.pte.value, image.pte.length),
            *(image.slot.values(), image.shadow.values(), image.sums),
            *(image.ring, image.ring_length, np.flatnonzero(image.zero)),
        )
        for image in (one, other)
    ]
    for name, first, second in zip(
        ("pte", "slot", "shadow", "sums", "ring", "ring_length", "zero"), *columns, strict=True
    ):
        assert np.array_equal(first, second), name


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_image_of_a_chain_is_the_whole(tmp_path: Path, base: Any, seed: int) -> None:
    """What a chain stands for is what one image would hold; forks, exits and holes included."""
    machine, login = boot(tmp_path / "area", size="16MiB")
    family(login, seed)
    namespace, last = login.swap_ns, None
    for turn in range(6):
        image = tmp_path / f"{turn}"
        namespace.checkpoint(image, kind=base if last is None else "incremental", parent=last)
        last = image
        whole = tmp_path / f"whole{turn}"
        backing = namespace.areas[0].backing
        kept = backing.kept, backing.copied
        namespace.checkpoint(whole, kind="snapshot")  # nothing moves any more
        assert (backing.kept, backing.copied) == kept
        alike(read_image(image), read_image(whole))
        assert verify(image) == [] == verify(whole)
        assert inspect(image)["builds_on"] == [str(tmp_path / f"{i}") for i in range(turn)]
        if turn:
            assert os.path.getsize(image) < 2 * os.path.getsize(whole)
        work(machine, 10 * seed + turn, 1 + turn % 2)
    machine.close()


@pytest.mark.parametrize("keep", [True, False])
def test_a_chain_goes_on_elsewhere(tmp_path: Path, keep: bool) -> None:
    run, there = tmp_path / "run", tmp_path / "there"
    run.mkdir()
    machine, login = boot(run / "area", size="16MiB")
    family(login)
    last = None
    for turn in range(4):
        login.swap_ns.checkpoint(run / f"{turn}", kind="incremental", parent=last)
        last = run / f"{turn}"
        if turn < 3:
            work(machine, turn, 2)
    if not keep:
        release(machine, login.swap_ns)
    copied(run, there)
    again = restart(there / "3", keep=keep)
    assert picture(again) == picture(machine) and lists(again) == lists(machine)
    for step in range(3):
        work(machine, step, 2)
        work(again, step, 2)
        assert picture(again) == picture(machine) and lists(again) == lists(machine)
    assert contents(again) == contents(machine)
    if keep:  # and the chain with it
        namespace_of(again).checkpoint(there / "4", kind="incremental", parent=there / "3")
        login.swap_ns.checkpoint(run / "4", kind="incremental", parent=run / "3")
        assert verify(there / "4") == [] and len(inspect(there / "4")["builds_on"]) == 4
        for folder in (run, there):
            with restart(folder / "4", swapfile=tmp_path / f"{folder.name}.swap") as third:
                assert contents(third) == contents(machine)
    again.close()
    machine.close()


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


@pytest.mark.parametrize("base", BASES)
def test_compact(tmp_path: Path, base: str) -> None:
    run = tmp_path / "run"
    run.mkdir()
    machine, last = chain_of(run, base)
    right = contents(machine)
    compact(last, run / "one")
    facts = inspect(run / "one")
    assert facts["builds_on"] == [] and facts["kind"] == (
        "pinned" if base == "pinned" else "snapshot"
    )
    alike(read_image(last), read_image(run / "one"))
    assert verify(run / "one") == []
    # A running job builds on it, and on an image that was made of that again.
    compact(run / "one", run / "two")
    namespace_of(machine).checkpoint(run / "two+", kind="incremental", parent=run / "two")
    assert verify(run / "two+") == []
    machine.close()
    for old in ("0", "1", "2", "3"):
        for name in [n for n in os.listdir(run) if n == old or n.startswith(f"{old}.")]:
            (run / name).unlink()
    moved = shutil.move(run, tmp_path / "moved")
    with restart(Path(moved) / "two+") as again:
        assert contents(again) == right


def test_compact_compares_checksums(tmp_path: Path) -> None:
    machine, last = chain_of(tmp_path, "incremental")
    machine.close()
    names = sorted(os.listdir(tmp_path))
    for name in [n for n in names if n.endswith((".swap", ".pages"))]:
        path, data = tmp_path / name, (tmp_path / name).read_bytes()
        pages = [p for p in range(1, len(data) // PAGE) if any(data[p * PAGE : (p + 1) * PAGE])]
        found = 0
        for page in pages:
            damaged = bytearray(data)
            damaged[page * PAGE + 77] ^= 4
            path.write_bytes(damaged)
            if verify(last) == []:
                continue  # a newer image has this slot
            found += 1
            with pytest.raises(OSError, match=f"page {page}: its checksum is wrong") as caught:
                compact(last, tmp_path / "one")
            assert caught.value.errno == errno.EIO and caught.value.filename == str(path)
        assert found > 0
        path.write_bytes(data)
        assert sorted(os.listdir(tmp_path)) == names
