"""Rows N1, N2, B1, B2, I1: many namespaces, many pages, and what it costs to begin."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

import swapfast as sf
from bench.row import Row, Size, cpu, rates
from swapfast.kernel.areas import add
from swapfast.kernel.device import SimulatedDevice
from swapfast.swapfile import mkswap
from swapfast.units import PAGE_SIZE

__all__ = ["ROWS", "come_and_go", "swapfiles"]

NEW_LOGIN = sf.CLONE_NEWSWAP | sf.CLONE_NEWIPC | sf.SIGCHLD
FEW = 10
FOUR_PAGES = np.arange(4, dtype=np.uint32)
MOST_FILES = 10_000  # each one is a descriptor and a mapping of the process, of 65,530


def logins(machine: sf.Machine, count: int, folder: Path | None = None) -> list[sf.Task]:
    """Each with a swap namespace and an area of its own: a file in the folder, or a device."""
    tasks = []
    for number in range(count):
        task = machine.init.clone(NEW_LOGIN)
        if folder is None:
            add(machine.kernel, task.swap_ns, SimulatedDevice(f"/dev/s{number}", 10), 0)
        else:
            task.swapon(folder / f"s{number}")
        tasks.append(task)
    return tasks


def come_and_go(machine: sf.Machine, count: int, folder: Path | None = None) -> None:
    """Logins that each touch four pages, and end."""
    tasks = logins(machine, count, folder)
    for task in tasks:
        machine.run(task.mmap(4 * PAGE_SIZE), FOUR_PAGES)
    for task in tasks:
        task.exit()
    assert not machine.areas, "each area went with its namespace"
    assert list(machine.tasks) == [machine.init.pid], "each task is gone"


@contextmanager
def swapfiles(count: int) -> Iterator[Path]:
    """A folder with so many, and a process that may open them if the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 200), hard))
    try:
        with tempfile.TemporaryDirectory() as folder:
            for number in range(count):
                mkswap(Path(folder) / f"s{number}", size=10 * PAGE_SIZE)
            yield Path(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def session(count: int, folder: Path | None = None) -> float:
    """CPU seconds a namespace: clone, swapon, first touches, exit."""
    times = max(1, 1000 // count)
    begin = time.process_time()
    for _ in range(times):
        with sf.Machine(
            "64GiB", contents=folder is not None, cache=0, max_swapfiles=count
        ) as machine:
            come_and_go(machine, count, folder)
    return (time.process_time() - begin) / count / times


def namespaces(size: Size) -> Iterator[Row]:
    """N1: a namespace with an area of its own, one of many against one of ten."""
    rounds = min(size.rounds, 3)
    many = size.namespaces
    while many >= FEW:
        a, b, _ = rates(1, rounds, lambda many=many: session(many), lambda: session(FEW))
        name = f"N1 one of {many} namespaces"
        against = f"one of {FEW}"
        yield Row(name, 1e6 / a, 1e6 / b, "us each", against, b / a, 1.5, better="lower")
        many //= 100
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 200
    many = min(size.namespaces, MOST_FILES, most)
    with swapfiles(many) as folder:
        a, b, _ = rates(1, 1, lambda: session(many, folder), lambda: session(FEW, folder))
    name = f"N1 one of {many}, files of their own"
    yield Row(name, 1e6 / a, 1e6 / b, "us each", f"one of {FEW}", b / a, 1.5, better="lower")


def faults_in_one(size: Size) -> Iterator[Row]:
    """N2: major faults of one namespace among many, against one that is alone."""
    pages, frames = max(size.pages // 20, 512), max(size.pages // 40, 256)
    refs = np.random.default_rng(1).integers(0, pages, max(20_000, size.refs // 50))
    refs = refs.astype(np.uint32) | np.uint32(1 << 31)
    seen: dict[int, int] = {}

    def machine_of(count: int) -> Callable[[], float]:
        machine = sf.Machine("64GiB", contents=False, cache=0, page_cluster=0, max_swapfiles=count)
        for task in logins(machine, count - 1):
            machine.run(task.mmap(4 * PAGE_SIZE), FOUR_PAGES)
        task = machine.init.clone(NEW_LOGIN)
        add(machine.kernel, task.swap_ns, SimulatedDevice("/dev/own", pages + 512), 0)
        machine.memory_group(frames * PAGE_SIZE, policy="fifo").add(task)
        mapping = task.mmap(pages * PAGE_SIZE)
        machine.run(mapping, np.arange(pages, dtype=np.uint32) | np.uint32(1 << 31))

        def fault() -> float:
            before = machine.vmstat()["pgmajfault"]
            _, seconds = cpu(lambda: machine.run(mapping, refs))
            seen[count] = machine.vmstat()["pgmajfault"] - before
            return seconds / seen[count]

        return fault

    alone, crowded = machine_of(1), machine_of(size.namespaces)
    a, b, ratio = rates(1, 2 * size.rounds - 1, crowded, alone)
    yield Row(
        f"N2 fault in one of {size.namespaces}",
        1e9 / a,
        1e9 / b,
        "ns/fault",
        "the only one",
        1 / ratio,
        1.3,
        better="lower",
        same=seen[1] == seen[size.namespaces],
    )


BYTES = """
import resource, numpy as np, swapfast as sf
def rss():
    with open('/proc/self/statm') as f: return int(f.read().split()[1]) * 4096
n, resident = {pages}, {resident}
m = sf.Machine(resident * 4096, '6.18', contents=False, cache=0, overcommit=1)
m.add_swap((n - resident + n // 16 + 1024) * 4096)
a = m.init.mmap(n * 4096)
before = rss()
step = 1 << 22
for begin in range(0, n, step):
    refs = np.arange(begin, min(begin + step, n), dtype=np.uint32) | np.uint32(1 << 31)
    m.run(a, refs, checked=True)
    del refs
from swapfast.core import mapping_table
count = mapping_table.count(m.core, a.number)
assert sum(count) == n, count
print((rss() - before) / n, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, count[1])
"""


def memory_of(pages: int, resident: int) -> tuple[float, float, int]:
    """Bytes a page, peak bytes of the process, pages that were swapped out."""
    done = subprocess.run(
        [sys.executable, "-c", BYTES.format(pages=pages, resident=resident)],
        capture_output=True,
        text=True,
        check=True,
    )
    used, peak, swapped = done.stdout.split()
    return float(used), float(peak), int(swapped)


def bytes_a_page(size: Size) -> Iterator[Row]:
    """B1: memory of a simulated page, by the process's resident size (Linux)."""
    pages = max(size.pages, 200_000)  # so that what a process has anyway is little
    used, _, swapped = memory_of(pages, pages // 2)
    name = "B1 half resident, half swapped"
    same = swapped >= pages // 2
    yield Row(name, used, 24, "bytes/page", "budget", used / 24, 1.0, better="lower", same=same)


def terabyte(size: Size) -> Iterator[Row]:
    """B2: a machine that touches a TiB, an eighth of it swapped out; at smoke size 64 MiB."""
    pages, gib = size.terabyte, 1 << 30
    with open("/proc/meminfo") as lines:
        free = next(int(ln.split()[1]) << 10 for ln in lines if ln.startswith("MemAvailable"))
    if free < 26 * pages:
        return  # no room for it here
    _, peak, swapped = memory_of(pages, pages - pages // 8)
    name = f"B2 {pages * PAGE_SIZE / gib:g} GiB simulated"
    same = swapped >= pages // 8
    yield Row(name, peak / gib, 24, "GiB", "budget", peak / gib / 24, 1.0, "lower", same)


def imports(size: Size) -> Iterator[Row]:
    """I1: import swapfast against import numpy, wall milliseconds and resident MiB of a process."""

    def wall(what: str) -> tuple[float, float]:
        code = f"import {what}; print(open('/proc/self/statm').read().split()[1])"
        begin = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code], env=env, check=True, capture_output=True
        )
        return time.perf_counter() - begin, int(done.stdout) * PAGE_SIZE / (1 << 20)

    # As installed: with the byte code of an earlier run.
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    rounds = 1 if size.smoke else 25
    wall("swapfast")
    pairs = [(wall("swapfast"), wall("numpy")) for _ in range(rounds)]
    for what, unit, at, scale, budget in (
        ("time", "ms", 0, 1e3, 15),
        ("memory", "MiB", 1, 1.0, 2),
    ):
        ours, alone = (statistics.median(p[k][at] for p in pairs) * scale for k in (0, 1))
        more = statistics.median(p[0][at] - p[1][at] for p in pairs) * scale
        name = f"I1 import, {what}"
        yield Row(name, ours, alone, unit, "numpy", more / budget, 1.0, better="lower")


ROWS: dict[str, Callable[[Size], Iterator[Row]]] = {
    "N1": namespaces,
    "N2": faults_in_one,
    "B1": bytes_a_page,
    "B2": terabyte,
    "I1": imports,
}
