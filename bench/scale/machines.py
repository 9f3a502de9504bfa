"""Axes of one machine: references, pages, slots, areas, swap namespaces, files, tasks."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

import swapfast as sf
from bench.many import come_and_go, swapfiles
from bench.row import cpu
from bench.scale.axis import Axis, Work
from swapfast.kernel.areas import add
from swapfast.kernel.device import SimulatedDevice
from swapfast.traces.generate import generate
from swapfast.units import PAGE_SIZE

__all__ = ["AXES"]

WRITE = np.uint32(1 << 31)
BLOCK = 1 << 22  # references that are made at once
REFERENCE = 400  # ns of simulated time
LARGEST = 1 << 30  # pages of a mapping
MEMORY = 1 << 31  # pages: as many tasks as anybody wants
FOUR = np.arange(4, dtype=np.uint32) | WRITE


def machine_of(pages: int, **options: object) -> sf.Machine:
    """A machine of so many pages, without contents."""
    plain = {"contents": False, "cache": 0, "overcommit": 1, "page_cluster": 0}
    return sf.Machine(pages * PAGE_SIZE, **{**plain, **options})


def references(count: int) -> Work:
    """A zipf stream at 90 % memory, a chunk at a time."""
    chunk = generate("zipf", pages=100_000, refs=min(count, 10_000_000), seed=1).refs
    machine = machine_of(90_000)
    machine.add_swap("1GiB")
    heap = machine.init.mmap(100_000 * PAGE_SIZE)
    machine.run(heap, np.arange(100_000, dtype=np.uint32) | WRITE)
    before = machine.core.clock()["references"]
    begin = time.process_time()
    for _ in range(count // len(chunk)):
        machine.run(heap, chunk, checked=True)
    seconds = time.process_time() - begin
    assert machine.core.clock()["references"] - before == count * REFERENCE
    return Work(seconds, count)


def pages_touched(count: int) -> Work:
    """Every page is written once, in order; an eighth stays in memory."""
    machine = machine_of(count // 8)
    machine.add_swap((count + count // 8) * PAGE_SIZE)
    heap = machine.init.mmap(count * PAGE_SIZE)
    seconds = 0.0
    for at in range(0, count, BLOCK):
        refs = np.arange(at, min(at + BLOCK, count), dtype=np.uint32) | WRITE
        seconds += cpu(lambda refs=refs: machine.run(heap, refs, checked=True))[1]
    assert machine.vmstat()["pgfault"] == count
    return Work(seconds, count)


def pages_mapped(count: int) -> Work:
    """A million of them is touched, in the last mapping; one has less than 2^31."""
    touched = 1 << 20
    machine = machine_of(touched // 2)
    machine.add_swap(4 * touched * PAGE_SIZE)
    while count > LARGEST:
        machine.init.mmap(LARGEST * PAGE_SIZE)
        count -= LARGEST
    heap = machine.init.mmap(count * PAGE_SIZE)
    refs = np.arange(touched, dtype=np.uint32) + np.uint32((count - touched) // 2)
    seconds = cpu(lambda: [machine.run(heap, refs | WRITE) for _ in range(3)])[1]
    assert machine.vmstat()["pgmajfault"] > touched
    return Work(seconds, machine.vmstat()["pgfault"])


def slots(count: int) -> Work:
    """Half of 32,768 pages in memory, on an area of so many slots."""
    machine = machine_of(16_384)
    machine.add_swap(count * PAGE_SIZE)
    heap = machine.init.mmap(32_768 * PAGE_SIZE)
    refs = generate("uniform", pages=32_768, refs=2_000_000, seed=1, write_ratio=0.5).refs
    machine.run(heap, np.arange(32_768, dtype=np.uint32) | WRITE)
    seconds = cpu(lambda: machine.run(heap, refs))[1]
    majors = machine.vmstat()["pgmajfault"]
    assert majors > 500_000
    return Work(seconds, majors)


def areas(count: int) -> Work:
    """Each is turned on, takes eight pages of a program, and is turned off."""
    machine = machine_of(1024, max_swapfiles=count)
    kernel, own = machine.kernel, machine.init.swap_ns

    def session() -> None:
        for number in range(count):
            add(kernel, own, SimulatedDevice(f"/dev/s{number}", 10), 0)
        pages = 8 * count + 512
        heap = machine.init.mmap(pages * PAGE_SIZE)
        machine.run(heap, np.arange(pages, dtype=np.uint32) | WRITE)
        assert machine.vmstat()["pswpout"] >= 8 * count - 512
        heap.munmap()
        for area in list(machine.areas.values()):
            machine.init.swapoff(area.path)
        assert not machine.areas

    return Work(cpu(session)[1], count)


def namespaces(count: int, folder: Path | None = None) -> Work:
    """A login each: clone, swapon, first touches, exit."""
    machine = machine_of(MEMORY, max_swapfiles=count)
    seconds = cpu(lambda: come_and_go(machine, count, folder))[1]
    assert machine.vmstat()["pgfault"] == 4 * count
    return Work(seconds, count)


def files(count: int) -> Work:
    """The same with a swapfile each, which has a header of its own and is locked."""
    with swapfiles(count) as folder:
        return namespaces(count, folder)


def forks(count: int) -> Work:
    """Children of one task: each writes two of its four pages, all are alive together."""
    machine = machine_of(MEMORY)
    parent = machine.init.fork()
    heap = parent.mmap(4 * PAGE_SIZE)
    machine.run(heap, FOUR)

    def session() -> None:
        children = [parent.fork() for _ in range(count)]
        for child in children:
            machine.run(child.mappings[0], FOUR[:2], checked=True)
        for child in children:
            child.exit()

    seconds = cpu(session)[1]
    assert machine.core.counters()["cow_copies"] == 2 * count
    return Work(seconds, count)


def decades(low: int, high: int, steps: int = 1) -> tuple[int, ...]:
    """10**low to 10**high, so many points a decade, of one significant digit."""
    firsts = {1: (1,), 2: (1, 3)}[steps]
    return (*(f * 10**d for d in range(low, high) for f in firsts), 10**high)


AXES: dict[str, Axis] = {
    "references": Axis(
        "references, streamed", "reference", (1_000_000, 3_000_000, *decades(7, 10, 2)), references
    ),
    "touched": Axis(
        "pages touched",
        "page",
        tuple(1 << k for k in range(16, 30)),
        pages_touched,
        limit="2^30 pages, 4 TiB, want 15 GiB of this machine",
    ),
    "mapped": Axis(
        "pages mapped, a million touched",
        "fault",
        (*(1 << k for k in range(21, 32)), (1 << 32) - 65_536),
        pages_mapped,
        limit="page numbers have 32 bits",
    ),
    "slots": Axis(
        "slots of an area",
        "major fault",
        (*(1 << k for k in range(16, 31, 2)), 1 << 31),
        slots,
        limit="an area has 2^31 slots, 8 TiB, at most: swapon(2) refuses more",
    ),
    "areas": Axis("areas", "area", decades(0, 5, 2), areas),
    "namespaces": Axis("swap namespaces, an area each", "namespace", decades(1, 6, 2), namespaces),
    "files": Axis(
        "swap namespaces, a file each",
        "namespace",
        (*decades(1, 4, 2), 30_000),
        files,
        limit="a process has 65,530 mappings (vm.max_map_count), and each file is one",
    ),
    "forks": Axis("forks of one task", "fork", decades(1, 5, 2), forks),
}
