"""Rows F1, F2: faults with contents, against the copies alone and against the kernel's.

The kernel's figures are those of Linux 6.18 on the machine class that this was developed on: a
random major fault of a program that touches twice its memory limit, two virtual CPUs of an AMD
EPYC, swap on zram and on a virtio disk. They are kept here, because a benchmark should not need
root; ``swapfast measure`` asks the kernel of your machine what it counts.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import swapfast as sf
from bench.peers import loops
from bench.row import Row, Size, cpu, rates, trace
from swapfast.swapfile import mkswap
from swapfast.units import PAGE_SIZE

__all__ = ["ROWS"]

ZRAM_CPU = 11_000  # ns a fault, the lower of 11 to 18 us
DISK_WALL = 98_000  # ns a fault, the lower of 98 to 128 us


def faulting(path: Path, size: Size) -> tuple[float, float]:
    """CPU and wall seconds a major fault, writes to twice as many pages as there are frames."""
    pages, frames = max(size.pages // 20, 512), max(size.pages // 40, 256)
    t = trace("uniform", pages, max(20_000, size.refs // 100))
    write = np.uint32(1 << 31)
    with sf.Machine(4 * frames * PAGE_SIZE, overcommit=1, page_cluster=0) as machine:
        task = machine.init.fork("bench")
        machine.init.swapon(path)
        machine.memory_group(frames * PAGE_SIZE, policy="fifo").add(task)
        mapping = task.mmap(pages * PAGE_SIZE)
        # A stamp in each page: pages of zeroes would not be written.
        machine.run(mapping, np.arange(pages, dtype=np.uint32) | write, tag="bench")
        before = machine.vmstat()["pswpin"]
        clock = time.perf_counter()
        _, seconds = cpu(lambda: machine.run(mapping, t.refs | write))
        clock = time.perf_counter() - clock
        faults = machine.vmstat()["pswpin"] - before
    return seconds / faults, clock / faults


def contents(size: Size) -> Iterator[Row]:
    """F1: swap-out and swap-in of a page with its bytes, against two copies at random slots."""
    pages = max(size.pages // 20, 512)
    rng = np.random.default_rng(1)
    slots = rng.permutation(pages).astype(np.uint32)
    store, other = np.ones((pages, PAGE_SIZE), np.uint8), np.ones((pages, PAGE_SIZE), np.uint8)

    def copies() -> float:
        _, out = loops()("copy_pages", store, other, slots, pages, 1)
        _, back = loops()("copy_pages", other, store, slots, pages, 1)
        return (out + back) / pages

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s"
        mkswap(path, size=(pages + 10) * PAGE_SIZE)
        a, b, ratio = rates(1, size.rounds, lambda: faulting(path, size)[0], copies)
    yield Row("F1 swap-out and swap-in", 1e9 / a, 1e9 / b, "ns/page", "two copies", ratio, 0.7)


def kernel(size: Size) -> Iterator[Row]:
    """F2: a major fault here, and in the kernel as it was measured once."""
    pages = max(size.pages // 20, 512)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s"
        mkswap(path, size=(pages + 10) * PAGE_SIZE)
        cost = sorted(faulting(path, size) for _ in range(size.rounds))[size.rounds // 2]
    busy, wall = (1e9 * c for c in cost)
    name = "F2 major fault, CPU"
    yield Row(name, busy, ZRAM_CPU, "ns", "Linux on zram, kept", ZRAM_CPU / busy, 20)
    name = "F2 major fault, wall"
    yield Row(name, wall, DISK_WALL, "ns", "Linux on a disk, kept", DISK_WALL / wall, 100)


ROWS: dict[str, Callable[[Size], Iterator[Row]]] = {"F1": contents, "F2": kernel}
