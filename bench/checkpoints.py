"""Rows K5, K6, K8, K11: checkpoints and restarts, against plain sequential writing and reading.

Wall time, medians of rounds in turns; the file system is that of the temporary folder.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import swapfast as sf
from bench.row import Row, Size, wall
from swapfast.checkpoint import inspect
from swapfast.swapfile import mkswap
from swapfast.units import PAGE_SIZE

__all__ = ["ROWS"]

NEW_LOGIN = sf.CLONE_NEWSWAP | sf.CLONE_NEWIPC | sf.SIGCHLD
WRITE = np.uint32(1 << 31)
MIB = 1 << 20


class Job:
    """A task in a swap namespace of its own.

    Parameters
    ----------
    folder : Path
    pages : int
    spare : int
        Slots beyond: what a checkpoint that is kept needs for pages that change after it.
    memory : int, optional
        Pages of the machine; all of the job fits by default.
    contents : bool
    """

    def __init__(
        self,
        folder: Path,
        pages: int,
        *,
        spare: int = 0,
        memory: int = 0,
        contents: bool = True,
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.file, self.image = folder / "swapfile", folder / "image"
        for path in (self.file, self.image):
            path.unlink(missing_ok=True)
        mkswap(self.file, size=(pages + spare + 64) * PAGE_SIZE)
        self.pages = pages
        memory = (memory or pages + pages // 4 + 4096) * PAGE_SIZE
        self.machine = sf.Machine(memory, overcommit=1, contents=contents)
        self.task = self.machine.init.clone(NEW_LOGIN)
        self.task.swapon(self.file)
        self.heap = self.task.mmap(pages * PAGE_SIZE)

    def write(self, pages: np.ndarray[tuple[int], np.dtype[np.uint32]], tag: str) -> None:
        """A stamp in each of these pages."""
        self.machine.run(self.heap, pages | WRITE, tag=tag if self.machine.contents else None)

    def write_all(self, tag: str = "first") -> Job:
        """A stamp in every page."""
        self.write(np.arange(self.pages, dtype=np.uint32), tag)
        return self

    def checkpoint(self, kind: str = "in-place", **options: bool) -> float:
        """Wall seconds; CPU seconds are left in ``busy``."""
        ns = self.task.swap_ns
        begin = time.process_time()
        seconds = wall(lambda: ns.checkpoint(self.image, kind=kind, **options))[1]  # type: ignore[arg-type]
        self.busy = time.process_time() - begin
        return seconds


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder on the disk, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="swapfast-bench-") as folder:
        yield Path(folder)


def plain_write(folder: Path, size: int) -> float:
    """Wall seconds to write a new file in requests of 1 MiB, and to make it durable."""
    block = np.random.default_rng(1).integers(0, 256, MIB, dtype=np.uint8).tobytes()
    path = folder / "plain"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    os.posix_fallocate(fd, 0, size)  # as the swapfile was
    os.fsync(fd)

    def write() -> None:
        for at in range(0, size, MIB):
            os.pwrite(fd, block[: size - at], at)
        os.fdatasync(fd)

    try:
        return wall(write)[1]
    finally:
        os.close(fd)
        path.unlink()


def durable_page(folder: Path) -> float:
    """Wall seconds to replace a file of one page, and to make that durable."""

    def replace() -> None:
        with open(folder / "page.tmp", "wb") as file:
            file.write(b"x" * PAGE_SIZE)
            file.flush()
            os.fsync(file.fileno())
        os.rename(folder / "page.tmp", folder / "page")
        fd = os.open(folder, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)

    return wall(replace)[1]


def bytes_written() -> int:
    """By this process, in system calls (Linux)."""
    with open("/proc/self/io") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("wchar"))


def whole(size: Size) -> Iterator[Row]:
    """K5, K11: everything is dirty. Against plain writing; and without checksums."""
    pages, rounds = max(size.pages // 8, 1000), 1 if size.smoke else 5
    times: dict[str, list[float]] = {"plain": [], "all": [], "unsummed": []}
    busy: dict[str, list[float]] = {"all": [], "unsummed": []}
    with scratch() as folder:
        for turn in range(rounds):
            times["plain"].append(plain_write(folder, pages * PAGE_SIZE))
            pair = [("all", True), ("unsummed", False)]
            for name, checksums in reversed(pair) if turn % 2 else pair:
                job = Job(folder, pages).write_all()
                times[name].append(job.checkpoint(checksums=checksums))
                busy[name].append(job.busy)
                same = job.image.exists() and not job.machine.areas
                job.machine.close()
    rate = pages * PAGE_SIZE / 1e6
    middle = {name: statistics.median(each) for name, each in times.items()}
    ratio = statistics.median(p / a for p, a in zip(times["plain"], times["all"], strict=True))
    name = f"K5 checkpoint, {pages * PAGE_SIZE // MIB} MiB all dirty"
    rates = (rate / middle["all"], rate / middle["plain"])
    yield Row(name, *rates, "MB/s", "plain writing", ratio, 0.5, same=same)
    more = statistics.median(a - u for a, u in zip(busy["all"], busy["unsummed"], strict=True))
    share = max(more, 0.0) / middle["all"]
    figures = tuple(statistics.median(busy[name]) * 1e3 for name in ("all", "unsummed"))
    name = "K11 checksums' CPU of its time"
    yield Row(name, *figures, "ms CPU", "without", share, 0.15, better="lower", same=same)


def changed(size: Size) -> Iterator[Row]:
    """K6: what a checkpoint costs follows what changed since the last."""
    pages, rounds = max(size.pages // 8, 1000), 1 if size.smoke else 5
    few = pages // 100
    some = np.random.default_rng(1).permutation(pages)[:few].astype(np.uint32)
    times: dict[str, list[float]] = {"all": [], "few": [], "none": [], "dump": [], "sync": []}
    with scratch() as folder:
        job = Job(folder, pages, spare=pages + few).write_all()
        job.checkpoint("pinned")
        for turn in range(rounds):
            job.write_all(f"turn {turn}")
            times["all"].append(job.checkpoint("pinned"))
            job.write(some, f"few {turn}")
            before = bytes_written()
            times["few"].append(job.checkpoint("pinned"))
            written = bytes_written() - before
            times["sync"].append(durable_page(folder))
            times["none"].append(job.checkpoint("pinned"))
            times["dump"].append(plain_write(folder, pages * PAGE_SIZE))
        image = job.image.stat().st_size
        job.machine.close()
    middle = {name: statistics.median(each) * 1e3 for name, each in times.items()}
    mib = pages * PAGE_SIZE // MIB
    for name, ours, reference, against, goal in (
        (f"K6 1 % of {mib} MiB dirty", "few", "all", "all dirty", 0.15),
        (f"K6 none of {mib} MiB dirty", "none", "dump", "full dump, plain", 0.15),
        (f"K6 none of {mib} MiB dirty", "none", "sync", "replacing one page", 10),
    ):
        ratio = middle[ours] / middle[reference]
        yield Row(name, middle[ours], middle[reference], "ms", against, ratio, goal, better="lower")
    due = few * PAGE_SIZE + image + PAGE_SIZE  # pages, image, header page
    yield Row(
        "K6 bytes written, 1 % dirty",
        written,
        due,
        "bytes",
        "pages and image",
        written / due,
        1.02,
        better="lower",
        same=written >= few * PAGE_SIZE,
    )


def restarts(size: Size) -> Iterator[Row]:
    """K8: to the first page, and to all pages against reading the swapfile; its pages cached."""
    pages, rounds = max(size.pages // 8, 1000), 1 if size.smoke else 5
    first, every, plain = [], [], []
    with scratch() as folder:
        job = Job(folder, pages).write_all()
        job.checkpoint()
        job.machine.close()

        def read() -> None:
            # Into memory that is new, as the job's is.
            out = np.empty(job.file.stat().st_size, np.uint8)
            with open(job.file, "rb", buffering=0) as file:
                at = 0
                while done := file.readinto(out[at : at + MIB].data):
                    at += done

        for _ in range(rounds):
            plain.append(wall(read)[1])

            def begin() -> sf.Machine:
                machine = sf.Machine.restart(job.image)
                touch(machine, 1)
                return machine

            machine, seconds = wall(begin)
            first.append(seconds)
            _, more = wall(lambda machine=machine: touch(machine, pages))
            every.append(seconds + more)
            same = machine.vmstat()["pswpin"] >= pages
            machine.close()  # the image is kept: it can be restarted again
    middle = [statistics.median(each) * 1e3 for each in (first, every, plain)]
    name = f"K8 restart of {pages * PAGE_SIZE // MIB} MiB to the first page"
    yield Row(name, middle[0], 10, "ms", "budget", middle[0] / 10, 1.0, better="lower", same=same)
    ratio = statistics.median(p / a for p, a in zip(plain, every, strict=True))
    name = "K8 restart to all pages"
    yield Row(name, middle[1], middle[2], "ms", "reading the file", ratio, 0.25, same=same)


def verified(size: Size) -> Iterator[Row]:
    """K11: pages read back after a restart, with their checksums compared and without."""
    pages, rounds = max(size.pages // 8, 1000), 1 if size.smoke else 9
    busy: dict[bool, list[float]] = {True: [], False: []}
    with scratch() as folder:
        jobs = {}
        for checksums in (True, False):
            jobs[checksums] = Job(folder / f"{checksums}", pages).write_all()
            jobs[checksums].checkpoint(checksums=checksums)
            jobs[checksums].machine.close()
        same = True
        for _ in range(rounds):
            for checksums, job in jobs.items():
                machine = sf.Machine.restart(job.image)
                begin = time.process_time()
                touch(machine, pages)
                busy[checksums].append(time.process_time() - begin)
                same = same and machine.vmstat()["pswpin"] >= pages
                machine.close()
    # The least of each: new memory costs ten times as much, now more, now less.
    ours, without = (min(busy[each]) / pages * 1e6 for each in (True, False))
    name = "K11 swap-in, checksums compared"
    more = max(ours - without, 0.0)
    yield Row(name, ours, without, "us/page", "without", more, 0.4, better="lower", same=same)


def touch(machine: sf.Machine, pages: int) -> None:
    """Read the first pages of the job."""
    task = next(t for t in machine.tasks.values() if t.swap_ns.areas)
    machine.run(task.mappings[0], np.arange(pages, dtype=np.uint32))


def large_images(size: Size) -> Iterator[Row]:
    """K8: an image of ten million pages whose slots do not run together, looked at and restarted.

    Without contents; its swapfile takes 40 GB of the disk for a moment, or as much as a quarter of
    what is free.
    """
    with scratch() as folder:
        free = shutil.disk_usage(folder).free
        pages = min(size.image, free // 4 // PAGE_SIZE)
        job = Job(folder, pages, memory=pages // 4, contents=False)
        job.write(np.random.default_rng(1).permutation(pages).astype(np.uint32), "")
        job.checkpoint(checksums=False)
        job.machine.close()
        rounds = 1 if size.smoke else 3
        plain = statistics.median(wall(job.image.read_bytes)[1] for _ in range(rounds))
        looks = [wall(lambda: inspect(job.image)) for _ in range(rounds)]
        same = all(found["pages_with_data"] == pages for found, _ in looks)  # type: ignore[index]
        look = statistics.median(seconds for _, seconds in looks)
        machine, begin = wall(lambda: sf.Machine.restart(job.image))
        assert isinstance(machine, sf.Machine)
        same = same and machine.areas[0].used == pages * PAGE_SIZE
        machine.close()
        bytes_a_page = job.image.stat().st_size / pages
    million = f"{pages / 1e6:.3g} M pages"
    name = f"K8 inspect {million}"
    yield Row(
        name,
        look * 1e3,
        plain * 1e3,
        "ms",
        "reading it",
        look * 1e3 / 1000,
        1.0,
        better="lower",
        same=same,
    )
    name = f"K8 restart of {million}"
    budget = 150 * pages / 10e6
    yield Row(name, begin * 1e3, budget, "ms", "budget", begin * 1e3 / budget, 1.0, "lower", same)
    name = "K9 bytes a page of such an image"
    yield Row(name, bytes_a_page, 16, "bytes", "budget", bytes_a_page / 16, 1.0, "lower", same)


ROWS: dict[str, Callable[[Size], Iterator[Row]]] = {
    "K5": whole,
    "K6": changed,
    "K8": restarts,
    "K8b": large_images,
    "K11": verified,
}
