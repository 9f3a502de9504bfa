"""Requests to a device, and how long they took.

- ``measure_device(target, ...)``: a ``Service``: a ``Point`` for each direction and depth, and the
  bandwidth of each direction.
"""

from __future__ import annotations

import mmap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swapfast.measure._requests import requests
from swapfast.measure.device.target import CHUNK, Target
from swapfast.units import PAGE_SIZE

__all__ = ["DEPTHS", "Point", "Service", "measure_device"]

DEPTHS = (1, 4, 16, 32)
AT_ONCE = 4  # threads that fill the file, and that find out the bandwidth
BATCH = 16  # requests between two looks at the clock
MOST = 1 << 20  # times that are kept of a thread

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Point:
    """Requests of 4 KiB to random places, so many at a time.

    Attributes
    ----------
    write : bool
    depth : int
    took : uint64 array
        ns of each.
    rate : float
        Requests a second, of all threads.
    """

    write: bool
    depth: int
    took: NDArray[np.uint64]
    rate: float


@dataclass(frozen=True, slots=True)
class Service:
    """What was measured.

    Attributes
    ----------
    points : tuple of Point
        Reads, then writes where there were any; by depth.
    bandwidth : dict of bool to float
        Bytes a second of large requests, by whether they were writes.
    """

    points: tuple[Point, ...]
    bandwidth: dict[bool, float]

    def of(self, write: bool) -> tuple[Point, ...]:
        """The points of one direction."""
        return tuple(point for point in self.points if point.write == write)


def measure_device(
    target: Target,
    *,
    depths: Sequence[int] = DEPTHS,
    seconds: float = 2.0,
    seed: int = 1,
    progress: Progress | None = None,
) -> Service:
    """Send requests; a file that was made for it is filled first.

    Parameters
    ----------
    target : Target
    depths : sequence of int
        Requests at a time.
    seconds : float
        For each depth and direction.
    seed : int
        Of the places.
    progress : callable, optional
        Called as ``progress(what, steps done, steps)``.

    Raises
    ------
    OSError
        A request was refused.
    ValueError
        No depth, or no time.
    """
    if not depths or depths[0] != 1 or list(depths) != sorted(depths) or depths[-1] > 1024:
        raise ValueError(f"depths: {list(depths)} do not go up from 1, to 1024 at most")
    if not 0 < seconds <= 3600:
        raise ValueError(f"seconds: {seconds} is not more than 0 and at most an hour")
    ways = (False, True) if target.own else (False,)
    steps = _Steps(progress, len(ways) * (len(depths) + 1), _chunks(target) if target.own else 0)
    random = np.random.default_rng(seed)
    if target.own:
        _fill(target, random, steps)
    points, bandwidth = [], {}
    for write in ways:
        name = "writes" if write else "reads"
        for depth in depths:
            steps.next(f"{name} at depth {depth}")
            points.append(_point(target, write, depth, seconds, random))
        steps.next(f"large {name}")
        bandwidth[write] = _bandwidth(target, write, seconds)
    return Service(tuple(points), bandwidth)


class _Steps:
    """Counts steps; filling is as many as there are chunks, in sixteenths."""

    def __init__(self, progress: Progress | None, points: int, chunks: int) -> None:
        self.progress, self.done = progress, 0
        self.total = points + (16 if chunks else 0)
        self.chunks = chunks

    def next(self, what: str) -> None:
        if self.progress is not None:
            self.progress(what, self.done, self.total)
        self.done += 1

    def filled(self, chunks: int) -> None:
        """So many chunks of the file are written."""
        while self.done < 16 * chunks // self.chunks:
            self.next("filling the file")


def _chunks(target: Target) -> int:
    return target.size // CHUNK


@contextmanager
def _buffer(size: int, random: np.random.Generator | None = None) -> Iterator[int]:
    """The address of memory that begins at a page, with bytes that nothing compresses."""
    with mmap.mmap(-1, size) as memory:
        view = np.frombuffer(memory, np.uint8)
        if random is not None:
            view[:] = np.frombuffer(random.bytes(size), np.uint8)
        address = int(view.ctypes.data)
        try:
            yield address
        finally:
            del view


def _fill(target: Target, random: np.random.Generator, steps: _Steps) -> None:
    """Write every block: one that never was is read from no device."""
    every = np.arange(_chunks(target), dtype=np.int64) * CHUNK
    with _buffer(CHUNK, random) as address:
        for at in range(0, len(every), BATCH):
            some = every[at : at + BATCH]
            requests(target.fd, some, address, CHUNK, True, np.zeros(len(some), np.uint64))
            steps.filled(at + len(some))


def _point(
    target: Target, write: bool, depth: int, seconds: float, random: np.random.Generator
) -> Point:
    blocks = target.size // PAGE_SIZE
    seeds = random.spawn(depth)

    def places(thread: int) -> Iterator[NDArray[np.int64]]:
        while True:
            yield seeds[thread].integers(blocks, size=BATCH) * PAGE_SIZE

    took, span = _together(target.fd, write, PAGE_SIZE, [places(i) for i in range(depth)], seconds)
    return Point(write, depth, took, len(took) / span)


def _bandwidth(target: Target, write: bool, seconds: float) -> float:
    """Bytes a second of large requests, each thread in a part of its own."""
    part = max(_chunks(target) // AT_ONCE, 1)

    def places(thread: int) -> Iterator[NDArray[np.int64]]:
        at = 0
        while True:
            where = (thread * part + (at + np.arange(BATCH)) % part) % _chunks(target)
            yield where.astype(np.int64) * CHUNK
            at += BATCH

    took, span = _together(target.fd, write, CHUNK, [places(i) for i in range(AT_ONCE)], seconds)
    return len(took) * CHUNK / span


def _together(
    fd: int,
    write: bool,
    size: int,
    places: Sequence[Iterator[NDArray[np.int64]]],
    seconds: float,
) -> tuple[NDArray[np.uint64], float]:
    """Times of the requests of all threads, and how long all that was, in s."""
    over = threading.Event()  # also when one of them, or Ctrl-C, ends it early
    began = time.monotonic()

    def run(where: Iterator[NDArray[np.int64]], address: int) -> NDArray[np.uint64]:
        found: list[NDArray[np.uint64]] = []
        try:
            while len(found) * BATCH < MOST:
                took = np.zeros(BATCH, np.uint64)
                requests(fd, next(where), address, size, write, took)
                found.append(took)
                if over.is_set() or time.monotonic() - began >= seconds:
                    break
        except BaseException:
            over.set()
            raise
        return np.concatenate(found)

    with (
        _buffer(size * len(places), np.random.default_rng(0)) as memory,
        ThreadPoolExecutor(len(places)) as threads,
    ):
        try:
            running = [threads.submit(run, one, memory + size * i) for i, one in enumerate(places)]
            took = [one.result() for one in running]
        finally:
            over.set()
    return np.concatenate(took), time.monotonic() - began
