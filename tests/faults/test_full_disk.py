"""Swapfiles on file systems that are full: an error of the call that meets it, and nothing else.

File systems of their own, mounted here; without root, or without the tools of one, it is skipped
and says so.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import swapfast as sf
from swapfast.checkpoint import read_image, verify
from swapfast.kernel.state import Mapping
from swapfast.machine import restart
from swapfast.swapfile import mkswap
from tests.support.mounts import call, mounted
from tests.support.seen import contents

PAGE = 4096
MIB = 1 << 20
PAGES = 256
SIZES = {"tmpfs": 16, "ext4": 32, "xfs": 320, "btrfs": 128}  # MiB
SLOW = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("ext4", "xfs", "btrfs")]


@pytest.fixture
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Kind and folder of a small file system."""
    kind = str(request.param)
    with mounted(kind, SIZES[kind], tmp_path / "store", tmp_path / "disk"):
        yield kind, tmp_path / "disk"


def fill(folder: Path) -> Path:
    """Take what is left, to the last page."""
    path = folder / "filler"
    with open(path, "wb", buffering=0) as file:
        for size in (MIB, PAGE):
            try:
                while True:
                    file.write(os.urandom(size))
            except OSError as error:
                assert error.errno == errno.ENOSPC
        try:
            os.fsync(file.fileno())
        except OSError as error:
            assert error.errno == errno.ENOSPC
    return path


def job(machine: sf.Machine, path: Path, name: str) -> Mapping:
    login = machine.init.clone(sf.NEWSWAP | sf.NEWIPC, name)
    login.swapon(path)
    heap = login.mmap(PAGES * PAGE)
    write(heap, name, Counter())
    return heap


def write(heap: Mapping, text: str, met: Counter[str]) -> None:
    """Each page; what was refused names the file and the slot, and stays as it was."""
    for page in range(heap.pages if heap.mm.users else 0):
        try:
            heap.write(page * PAGE, b"%s %04d;" % (text.encode(), page))
        except OSError as error:
            assert error.filename is not None and "slot" in (error.strerror or "")
            met[errno.errorcode[error.errno or 0]] += 1


def right(heap: Mapping, texts: tuple[str, ...], met: Counter[str]) -> None:
    """Each page has one of these texts, or says that it cannot be read."""
    for page in range(heap.pages if heap.mm.users else 0):
        try:
            found = heap.read(page * PAGE, 30).partition(b";")[0].decode()
        except OSError as error:
            assert error.filename is not None and "slot" in (error.strerror or "")
            met[errno.errorcode[error.errno or 0]] += 1
        else:
            assert found in [f"{text} {page:04d}" for text in texts], page
            met["right"] += 1


@pytest.mark.parametrize("disk", ["tmpfs", *SLOW], indirect=True)
def test_nothing_is_lost_on_a_full_disk(disk: tuple[str, Path], tmp_path: Path) -> None:
    """A swapfile has its blocks: the job goes on. An image has not: the older one stays."""
    kind, folder = disk
    with pytest.raises(OSError) as caught:
        mkswap(folder / "large", size=4 * SIZES[kind] * MIB)
    assert caught.value.errno == errno.ENOSPC and os.listdir(folder) in ([], ["lost+found"])
    mkswap(folder / "s", size=4 * PAGES * PAGE)
    mkswap(tmp_path / "other", size=2 * PAGES * PAGE)
    machine = sf.Machine(PAGES * PAGE, overcommit=1)
    here = job(machine, folder / "s", "here")
    there = job(machine, tmp_path / "other", "there")
    namespace = machine.tasks[2].swap_ns
    namespace.checkpoint(folder / "image", kind="pinned")
    generation = read_image(folder / "image").generation
    filler = fill(folder)
    met: Counter[str] = Counter()
    for turn in range(3):
        write(here, f"turn{turn}", met)
        write(there, f"turn{turn}", met)
        if kind != "btrfs":  # which writes nothing in its place: there, the swapfile is full too
            assert not met
    with pytest.raises(OSError) as caught:
        while True:  # what is left in the last blocks may be enough for one or two
            namespace.checkpoint(folder / "image", kind="pinned")
            generation += 1
            with open(filler, "ab", buffering=0) as file:
                file.write(bytes(MIB))
    assert caught.value.errno in (errno.ENOSPC, errno.EIO), caught.value
    assert caught.value.filename is not None
    assert not (folder / "image.tmp").exists()
    machine.verify()
    texts = ("here", *(f"turn{turn}" for turn in range(3)))
    right(here, texts, met)
    right(there, ("turn2",), met)
    assert read_image(folder / "image").generation == generation
    filler.unlink()
    os.sync()
    assert verify(folder / "image") == []
    if kind != "btrfs":
        assert met == {"right": 2 * PAGES}
        namespace.checkpoint(folder / "image")
    machine.verify()
    machine.close()
    with restart(folder / "image") as again:
        seen = contents(again)
        assert all(data is not None for data in seen.values())
    print(f"{kind}: {dict(met)}, generation {generation} is whole")


@pytest.mark.slow
@pytest.mark.parametrize("disk", ["xfs", "btrfs"], indirect=True)
def test_a_copy_by_reflink_takes_the_swapfile_its_blocks(
    disk: tuple[str, Path], tmp_path: Path
) -> None:
    """Somebody copies a swapfile that is on, and the disk gets full: a store has no block then."""
    kind, folder = disk
    mkswap(folder / "s", size=2 * PAGES * PAGE)
    mkswap(tmp_path / "other", size=2 * PAGES * PAGE)
    machine = sf.Machine(PAGES * PAGE, overcommit=1)
    here = job(machine, folder / "s", "here")
    there = job(machine, tmp_path / "other", "there")
    if not call("cp", "--reflink=always", folder / "s", folder / "copy"):
        pytest.skip(f"no reflink on this {kind}")
    fill(folder)
    met: Counter[str] = Counter()
    for turn in range(4):
        write(here, f"turn{turn}", met)
        write(there, f"turn{turn}", met)
        machine.verify()
    right(here, ("here", *(f"turn{turn}" for turn in range(4))), met)
    right(there, tuple(f"turn{turn}" for turn in range(4)), met)
    print(f"{kind}: {dict(met)}")
    machine.verify()
    machine.close()
