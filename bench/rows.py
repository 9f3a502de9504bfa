"""The rows of the benchmark table: each measures swapfast and its reference in turns.

- ``ROWS``: name -> function of a ``Size``; yields ``Row``s.
- A row checks that both did the same work, where they do the same: ``same`` is False if not.

Times are CPU seconds of this process unless a row says wall; medians of the rounds.
"""

from __future__ import annotations

import gc
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

import swapfast as sf
from bench.peers import PeerTrace, libcachesim, loops
from swapfast.mrc import Distances, Sample
from swapfast.replacement import Simulation, simulate
from swapfast.replay import replay
from swapfast.swapfile import mkswap
from swapfast.traces import Trace, open_trace
from swapfast.traces.generate import generate
from swapfast.units import PAGE_SIZE


@dataclass(frozen=True)
class Size:
    """How much work: the full figures, or as little as shows that a row still runs."""

    pages: int
    refs: int
    peer_refs: int
    rounds: int
    namespaces: int

    @property
    def smoke(self) -> bool:
        return self.rounds == 1


FULL = Size(pages=1_000_000, refs=50_000_000, peer_refs=4_000_000, rounds=5, namespaces=10_000)
SMOKE = Size(pages=2_000, refs=50_000, peer_refs=20_000, rounds=1, namespaces=30)


@dataclass(frozen=True)
class Row:
    """One line of the table. ``ratio`` compares with ``goal``; better says in which direction."""

    name: str
    ours: float
    reference: float
    unit: str
    against: str
    ratio: float
    goal: float
    better: str = "higher"
    same: bool = True

    @property
    def met(self) -> bool:
        return self.ratio >= self.goal if self.better == "higher" else self.ratio <= self.goal


def cpu(call: Callable[[], object]) -> tuple[object, float]:
    """Result and CPU seconds."""
    begin = time.process_time()
    result = call()
    return result, time.process_time() - begin


def rates(
    n: int, rounds: int, ours: Callable[[], float], reference: Callable[[], float]
) -> tuple[float, float, float]:
    """Events a second of both, in turns, and the median of their ratios round by round."""
    a, b = [], []
    gc.disable()
    for _ in range(rounds):
        b.append(reference())
        a.append(ours())
    gc.enable()
    ratio = statistics.median(y / x for x, y in zip(a, b, strict=True))
    return n / statistics.median(a), n / statistics.median(b), ratio


@cache
def trace(pattern: str, pages: int, refs: int) -> Trace:
    return generate(pattern, pages=pages, refs=refs, seed=1, fill=False)


def touch(size: Size) -> Iterator[Row]:
    """R1: everything in memory."""
    t = trace("zipf", size.pages, size.refs)
    flag = np.zeros(t.pages, dtype=np.uint8)
    warm = Simulation("clock", t.pages, t.pages)
    warm.run(np.arange(t.pages, dtype=np.uint32))
    ours, bound, ratio = rates(
        len(t),
        size.rounds,
        lambda: cpu(lambda: warm.run(t.refs, checked=True))[1],
        lambda: loops()("touch_bound", t.refs, len(t), flag)[1],
    )
    same = warm.counts()["misses"] == t.pages
    yield Row(
        "R1 all in memory", ours / 1e6, bound / 1e6, "M refs/s", "touch", ratio, 0.6, same=same
    )


def against_loop(
    row: str, policy: str, pattern: str, goal: float, shares: tuple[int, ...]
) -> Callable[[Size], Iterator[Row]]:
    """A policy against the bare loop in C."""

    def measure(size: Size) -> Iterator[Row]:
        t = trace(pattern, size.pages, size.refs)
        for share in shares:
            frames = t.pages * share // 100
            misses: dict[str, int] = {}

            def ours(frames: int = frames, misses: dict[str, int] = misses) -> float:
                counted, seconds = cpu(lambda: simulate(t, frames, policy))
                misses["ours"] = counted.misses  # type: ignore[attr-defined]
                return seconds

            def bare(frames: int = frames, misses: dict[str, int] = misses) -> float:
                arguments = (t.refs, len(t), t.pages, frames)
                misses["loop"], seconds = loops()(f"{policy}_loop", *arguments)
                return seconds

            a, b, ratio = rates(len(t), size.rounds, ours, bare)
            name = f"{row} {policy}, {pattern} {share} %"
            same = misses["ours"] == misses["loop"]
            yield Row(name, a / 1e6, b / 1e6, "M refs/s", "C loop", ratio, goal, same=same)

    return measure


def against_peer(
    row: str, policy: str, pattern: str, goals: dict[int, float]
) -> Callable[[Size], Iterator[Row]]:
    """A policy against libCacheSim on the same references, with the same misses."""

    def measure(size: Size) -> Iterator[Row]:
        if libcachesim() is None:
            return
        t = trace(pattern, size.pages, size.refs).head(size.peer_refs)
        peer = PeerTrace(t.refs)
        try:
            for share, goal in goals.items():
                frames = t.pages * share // 100
                counted = simulate(t, frames, policy)
                found, _ = peer.misses(policy, frames)
                a, b, ratio = rates(
                    len(t),
                    min(size.rounds, 3),
                    lambda frames=frames: cpu(lambda: simulate(t, frames, policy))[1],
                    lambda frames=frames: peer.misses(policy, frames)[1],
                )
                name = f"{row} {policy}, {pattern} {share} %"
                same = counted.misses == found
                yield Row(name, a / 1e6, b / 1e6, "M refs/s", "libCacheSim", ratio, goal, same=same)
        finally:
            peer.close()

    return measure


def kernels(size: Size) -> Iterator[Row]:
    """R6: the kernels' policies on a whole machine, against our CLOCK alone."""
    t = trace("zipf", size.pages, size.refs)
    frames = t.pages // 2
    for policy in ("linux-6.18", "linux-2.6.25"):
        a, b, ratio = rates(
            len(t),
            min(size.rounds, 3),
            lambda policy=policy: cpu(lambda: replay(t, "50%", policy=policy, page_cluster=0))[1],
            lambda: cpu(lambda: simulate(t, frames, "clock"))[1],
        )
        yield Row(f"R6 {policy}, zipf 50 %", a / 1e6, b / 1e6, "M refs/s", "our CLOCK", ratio, 0.6)


def python_peer(size: Size) -> Iterator[Row]:
    """R9: the fastest of the simulators in Python that installs anywhere."""
    try:
        from cachetools import LRUCache
    except ImportError:
        return
    t = trace("zipf", size.pages, size.refs).head(size.peer_refs // 8)
    frames = t.pages // 10
    pages = (t.refs & np.uint32(0x7FFFFFFF)).tolist()

    def peer() -> int:
        held: LRUCache[int, bool] = LRUCache(frames)
        misses = 0
        for page in pages:
            if page in held:
                held[page]
            else:
                misses += 1
                held[page] = True
        return misses

    same = simulate(t, frames, "lru").misses == peer()
    a, b, ratio = rates(
        len(t),
        min(size.rounds, 3),
        lambda: cpu(lambda: simulate(t, frames, "lru"))[1],
        lambda: cpu(peer)[1],
    )
    name = "R9 lru, zipf 10 %"
    yield Row(name, a / 1e6, b / 1e6, "M refs/s", "cachetools", ratio, 100, same=same)


def bursty(size: Size) -> Iterator[Row]:
    """R10: sixty-four references to each page in a row, as programs do."""
    body = trace("zipf", size.pages, size.refs).refs[: max(1, size.refs // 64)]
    t = Trace(np.repeat(body, 64), size.pages)
    a, b, _ = rates(
        len(t),
        size.rounds,
        lambda: cpu(lambda: simulate(t, t.pages // 2, "clock"))[1],
        lambda: loops()("run_compression", t.refs, len(t))[1],
    )
    yield Row("R10 clock, bursts of 64", a / 1e6, b / 1e6, "M refs/s", "run scan", a / 1e9, 1.0)


def threads(size: Size) -> Iterator[Row]:
    """R11: two replays in two threads, wall time, against one after the other."""
    t = trace("zipf", size.pages, size.refs)

    def one() -> None:
        simulate(t, t.pages // 10, "lru")

    def wall(call: Callable[[], None]) -> float:
        begin = time.perf_counter()
        call()
        return time.perf_counter() - begin

    def together() -> None:
        running = [threading.Thread(target=one) for _ in range(2)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()

    def after_each_other() -> None:
        one()
        one()

    a, b, ratio = rates(
        2 * len(t), size.rounds, lambda: wall(together), lambda: wall(after_each_other)
    )
    yield Row("R11 two threads", a / 1e6, b / 1e6, "M refs/s", "in turn", ratio, 1.85)


def text(size: Size) -> Iterator[Row]:
    """R12: a lackey log, against reading the file."""
    refs = trace("zipf", size.pages, size.refs).refs[: max(1000, size.refs // 25)]
    pages = (refs & np.uint32(0x7FFFFFFF)).tolist()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.lackey"
        path.write_text("".join(f" L {0x4000000 + p * PAGE_SIZE:08x},8\n" for p in pages))
        length = path.stat().st_size
        a, b, _ = rates(
            length,
            size.rounds,
            lambda: cpu(lambda: open_trace(path, format="lackey"))[1],
            lambda: cpu(path.read_bytes)[1],
        )
        same = len(open_trace(path, format="lackey")) == len(pages)
    yield Row("R12 lackey text", a / 1e6, b / 1e6, "MB/s", "read", a / 1e8, 1.0, same=same)


def contents(size: Size) -> Iterator[Row]:
    """F1: swap-out and swap-in of a page with its bytes, against two copies at random slots."""
    pages, frames = max(size.pages // 20, 512), max(size.pages // 40, 256)
    t = trace("uniform", pages, max(20_000, size.refs // 100))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s"
        mkswap(path, size=(pages + 10) * PAGE_SIZE)

        def ours() -> float:
            machine = sf.Machine(4 * frames * PAGE_SIZE, overcommit=1, page_cluster=0)
            task = machine.init.fork("bench")
            machine.init.swapon(path)
            machine.memory_group(frames * PAGE_SIZE, policy="fifo").add(task)
            mapping = task.mmap(pages * PAGE_SIZE)
            # A stamp in each page: pages of zeroes would not be written.
            fill = np.arange(pages, dtype=np.uint32) | np.uint32(1 << 31)
            machine.run(mapping, fill, tag="bench")
            before = machine.vmstat()["pswpin"]
            _, seconds = cpu(lambda: machine.run(mapping, t.refs | np.uint32(1 << 31)))
            faults = machine.vmstat()["pswpin"] - before
            machine.close()
            return seconds / faults

        rng = np.random.default_rng(1)
        slots = rng.permutation(pages).astype(np.uint32)
        store, other = np.ones((pages, PAGE_SIZE), np.uint8), np.ones((pages, PAGE_SIZE), np.uint8)

        def copies() -> float:
            _, out = loops()("copy_pages", store, other, slots, pages, 1)
            _, back = loops()("copy_pages", other, store, slots, pages, 1)
            return (out + back) / pages

        a, b, ratio = rates(1, size.rounds, ours, copies)
    yield Row("F1 swap-out and swap-in", 1e9 / a, 1e9 / b, "ns/page", "two copies", ratio, 0.7)


def curves(size: Size) -> Iterator[Row]:
    """M1, M2: miss-ratio curves."""
    t = trace("zipf", size.pages, size.refs).head(min(size.refs, 2 * size.peer_refs))
    histogram = np.zeros(t.pages + 1, dtype=np.uint64)
    found: list[np.ndarray[tuple[int], np.dtype[np.uint64]]] = []

    def exact() -> float:
        distances = Distances(t.pages)
        _, seconds = cpu(lambda: distances.run(t.refs, checked=True))
        found.append(distances.histogram())
        return seconds

    def fenwick() -> float:
        histogram[:] = 0
        return loops()("fenwick_mrc", t.refs, len(t), t.pages, histogram)[1]

    a, b, ratio = rates(len(t), min(size.rounds, 3), exact, fenwick)
    same = bool((found[-1] == histogram).all())
    yield Row(
        "M1 exact LRU curve", a / 1e6, b / 1e6, "M refs/s", "Fenwick in C", ratio, 1.5, same=same
    )
    whole = trace("zipf", size.pages, size.refs)
    out = np.zeros(len(whole), dtype=np.uint32)
    bound = int(0.01 * 2**32)

    def sampled() -> float:
        sample = Sample(whole.pages, 0.01)
        return cpu(lambda: sample.run(whole.refs, checked=True))[1]

    a, b, ratio = rates(
        len(whole),
        size.rounds,
        sampled,
        lambda: loops()("shards_filter", whole.refs, len(whole), bound, out)[1],
    )
    yield Row("M2 SHARDS, 1 %", a / 1e6, b / 1e6, "M refs/s", "filter in C", ratio, 0.5)


def namespaces(size: Size) -> Iterator[Row]:
    """N1: clone of a namespace, first touches, exit: one of many against one of ten."""

    def cost(count: int) -> float:
        machine = sf.Machine("1GiB", contents=False, cache=0)
        begin = time.process_time()
        tasks = []
        for _ in range(count):
            task = machine.init.clone(sf.CLONE_NEWSWAP | sf.CLONE_NEWIPC | sf.SIGCHLD)
            mapping = task.mmap(4 * PAGE_SIZE)
            machine.run(mapping, np.arange(4, dtype=np.uint32))
            tasks.append(task)
        for task in tasks:
            task.exit()
            assert not task.alive
        return (time.process_time() - begin) / count

    few = 10
    a, b, ratio = rates(1, min(size.rounds, 3), lambda: cost(size.namespaces), lambda: cost(few))
    name = f"N1 one of {size.namespaces} namespaces"
    yield Row(name, 1e6 / a, 1e6 / b, "us each", f"one of {few}", 1 / ratio, 1.5, better="lower")


def bytes_a_page(size: Size) -> Iterator[Row]:
    """B1: memory of a simulated page, by the process's resident size (Linux)."""
    code = """
import sys, numpy as np, swapfast as sf
def rss():
    with open('/proc/self/statm') as f: return int(f.read().split()[1]) * 4096
n = {pages}
m = sf.Machine(n * 4096 // 2, '6.18', contents=False, cache=0, overcommit=1)
m.add_swap((n + 8) * 4096)
a = m.init.mmap(n * 4096)
before = rss()
refs = np.arange(n, dtype=np.uint32) | np.uint32(1 << 31)
held = rss()
m.run(a, refs)
print((rss() - held) / n)
"""
    pages = max(size.pages, 20_000)
    done = subprocess.run(
        [sys.executable, "-c", code.format(pages=pages)],
        capture_output=True,
        text=True,
        check=True,
    )
    used = float(done.stdout)
    name = "B1 half resident, half swapped"
    yield Row(name, used, 24, "bytes/page", "budget", used / 24, 1.0, better="lower")


def imports(size: Size) -> Iterator[Row]:
    """I1: import swapfast against import numpy, wall milliseconds of a process."""

    def wall(what: str) -> float:
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", f"import {what}"], check=True)
        return time.perf_counter() - begin

    rounds = 1 if size.smoke else 15
    pairs = [(wall("swapfast"), wall("numpy")) for _ in range(rounds)]
    ours, alone = (statistics.median(p[k] for p in pairs) for k in (0, 1))
    more = statistics.median(a - b for a, b in pairs) * 1e3
    yield Row("I1 import", ours * 1e3, alone * 1e3, "ms", "numpy", more / 15, 1.0, better="lower")


ROWS: dict[str, Callable[[Size], Iterator[Row]]] = {
    "R1": touch,
    "R2": against_loop("R2", "clock", "zipf", 0.7, (10, 50, 90)),
    "R2p": against_peer("R2", "clock", "zipf", {10: 25, 50: 40, 90: 60}),
    "R3": against_loop("R3", "fifo", "zipf", 0.7, (10, 50, 90)),
    "R3p": against_peer("R3", "fifo", "zipf", {10: 30, 50: 50, 90: 80}),
    "R4": against_loop("R4", "lru", "zipf", 0.8, (10, 50, 90)),
    "R4p": against_peer("R4", "lru", "zipf", {10: 10, 50: 15, 90: 25}),
    "R5": against_peer("R5", "sieve", "zipf", {10: 15}),
    "R5b": against_peer("R5", "s3fifo", "zipf", {10: 25}),
    "R6": kernels,
    "R7": against_loop("R7", "clock", "uniform", 0.7, (50,)),
    "R7p": against_peer("R7", "clock", "uniform", {50: 30}),
    "R8": against_peer("R8", "opt", "zipf", {10: 10, 50: 10}),
    "R9": python_peer,
    "R10": bursty,
    "R11": threads,
    "R12": text,
    "F1": contents,
    "M1": curves,
    "N1": namespaces,
    "B1": bytes_a_page,
    "I1": imports,
}
