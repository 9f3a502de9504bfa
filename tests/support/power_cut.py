"""A disk that remembers what was promised, and what it looks like after a crash at any moment.

The model: a write lands in sectors of 512 bytes, each of them or not, until the file is synced.
Names change in order, each change or not, until the folder is synced. The swapfile is written by
the running job too, at any time, so its bytes are taken at every step.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from swapfast.checkpoint.disk import Disk

SECTOR = 512


@dataclass
class Inode:
    """A file: what is on the disk for sure, and what is written."""

    durable: bytes = b""
    current: bytes = b""


@dataclass
class Moment:
    """What there was after one step."""

    what: str
    names: dict[str, int]
    pending: list[dict[str, int]]  # names after each change that no folder sync has covered
    files: dict[int, Inode]
    acknowledged: int
    attempted: int


@dataclass
class RecordingDisk(Disk):
    """Does everything for real, and remembers each step."""

    area: Path
    cloning: bool = False  # as a file system with reflink does it
    acknowledged: int = 0
    attempted: int = 0
    moments: list[Moment] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    durable_names: dict[str, int] = field(default_factory=dict)
    pending: list[dict[str, int]] = field(default_factory=list)
    files: dict[int, Inode] = field(default_factory=dict)
    open_files: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        now = self.area.read_bytes()
        self.files[0] = Inode(now, now)
        self.step("begin")

    def step(self, what: str) -> None:
        """Something happened: one more moment to crash at."""
        self.files[0] = Inode(self.files[0].durable, self.area.read_bytes())
        self.moments.append(
            Moment(
                what,
                dict(self.durable_names),
                [dict(names) for names in self.pending],
                {n: Inode(i.durable, i.current) for n, i in self.files.items()},
                self.acknowledged,
                self.attempted,
            )
        )

    def rename_to(self, names: dict[str, int]) -> None:
        self.names = names
        self.pending.append(names)

    def create(self, path: str) -> int:
        fd = super().create(path)
        number = len(self.files)
        self.files[number] = Inode()
        self.open_files[fd] = number
        self.rename_to({**self.names, os.path.basename(path): number})
        self.step("create")
        return fd

    def write(self, fd: int, data: bytes | memoryview, at: int) -> None:
        super().write(fd, data, at)
        self.written(fd, data, at)
        self.step("write")

    def clone(self, source: int, start: int, size: int, fd: int, at: int) -> bool:
        if not self.cloning:
            return super().clone(source, start, size, fd, at)
        data = os.pread(source, size, start)
        super().write(fd, data, at)
        self.written(fd, data, at)
        self.step("clone")
        return True

    def written(self, fd: int, data: bytes | memoryview, at: int) -> None:
        number = self.open_files.get(fd)
        if number is not None:
            inode = self.files[number]
            size = max(len(inode.current), at + len(data))
            whole = bytearray(inode.current.ljust(size, b"\0"))
            whole[at : at + len(data)] = data
            self.files[number] = Inode(inode.durable, bytes(whole))

    def allocate(self, fd: int, size: int) -> None:
        super().allocate(fd, size)
        self.files[self.open_files[fd]] = Inode(b"", bytes(size))
        self.step("allocate")

    def remove(self, path: str) -> None:
        super().remove(path)
        names = dict(self.names)
        if names.pop(os.path.basename(path), None) is not None:
            self.rename_to(names)
            self.step("remove")

    def sync(self, fd: int) -> None:
        super().sync(fd)
        number = self.open_files[fd]
        self.files[number] = Inode(self.files[number].current, self.files[number].current)
        self.step("sync")

    def sync_data(self, fd: int) -> None:
        super().sync_data(fd)
        now = self.area.read_bytes()
        self.files[0] = Inode(now, now)
        self.step("sync_data")

    def rename(self, source: str, target: str) -> None:
        super().rename(source, target)
        names = dict(self.names)
        names[os.path.basename(target)] = names.pop(os.path.basename(source))
        self.rename_to(names)
        self.step("rename")

    def sync_folder(self, path: str) -> None:
        super().sync_folder(path)
        self.durable_names, self.pending = dict(self.names), []
        self.step("sync_folder")

    def close(self, fd: int) -> None:
        self.open_files.pop(fd, None)
        super().close(fd)


def landed(inode: Inode, rng: random.Random, share: float) -> bytes:
    """What the disk has of a file: each sector new with this probability, else as it was synced."""
    if inode.durable == inode.current or share >= 1:
        return inode.current
    size = len(inode.durable) if share <= 0 else max(len(inode.durable), len(inode.current))
    if share > 0 and rng.random() < 0.3:
        size = rng.randint(min(len(inode.durable), len(inode.current)), size)
    old, new = inode.durable.ljust(size, b"\0"), inode.current.ljust(size, b"\0")
    parts = []
    for at in range(0, size, SECTOR):
        a, b = old[at : at + SECTOR], new[at : at + SECTOR]
        parts.append(b if a == b or rng.random() < share else a)
    return b"".join(parts)[:size]


Look = Callable[[Path, Moment, str, dict[str, int]], None]


def everywhere(
    disk: RecordingDisk, folder: Path, draws: int, seed: int, look: Look
) -> dict[str, int]:
    """So many crashes at each moment; `look` judges what is there, and counts what it finds."""
    rng = random.Random(seed)
    tally = {"points": 0, "old": 0, "new": 0, "nothing yet": 0}
    for moment in disk.moments:
        for _ in range(draws):
            crash(moment, folder, disk.area.name, rng)
            tally["points"] += 1
            look(folder, moment, f"point {tally['points']}, after {moment.what}", tally)
            shutil.rmtree(folder)
    return tally


def crash(moment: Moment, folder: Path, area: str, rng: random.Random) -> None:
    """Put into a folder what a power cut at this moment may leave."""
    folder.mkdir()
    names = rng.choice([moment.names, *moment.pending])
    share = rng.choice((0.0, 1.0, 0.1, 0.5, 0.9))
    (folder / area).write_bytes(landed(moment.files[0], rng, share))
    (folder / area).chmod(0o600)
    for name, number in names.items():
        share = rng.choice((0.0, 1.0, 0.5))
        (folder / name).write_bytes(landed(moment.files[number], rng, share))
        (folder / name).chmod(0o600)
