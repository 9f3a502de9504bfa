"""The rows of the benchmark table: each measures swapfast and its reference in turns.

- ``ROWS``: name -> function of a ``Size``; yields ``Row``s.
- A row checks that both did the same work, where they do the same: ``same`` is False if not.

Replays and curves are here, the others beside: ``slots``, ``many``, ``faults``, ``checkpoints``,
``side_by_side``, ``intercepted``, ``readers``, ``real_memory``, ``recording``.
Times are CPU seconds of this process unless a row says wall; medians of the rounds.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from bench import (
    checkpoints,
    faults,
    intercepted,
    many,
    readers,
    real_memory,
    recording,
    side_by_side,
    slots,
)
from bench.peers import PeerTrace, libcachesim, loops
from bench.row import Row, Size, cpu, rates, trace, wall
from swapfast.mrc import Distances, Sample
from swapfast.replacement import Simulation, simulate
from swapfast.replay import replay
from swapfast.traces import Trace, open_trace
from swapfast.units import PAGE_SIZE

__all__ = ["ROWS"]


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
    """R6: the kernels' policies, against CLOCK on the same machine, and against CLOCK alone.

    The machine keeps slots, shadows, write-out, a device and a clock for whatever policy it has;
    CLOCK alone has a frame and a bit.
    """
    t = trace("zipf", size.pages, size.refs)
    frames = t.pages // 2

    def whole(policy: str, profile: str) -> float:
        return cpu(lambda: replay(t, "50%", policy=policy, profile=profile, page_cluster=0))[1]

    def alone() -> float:
        return cpu(lambda: simulate(t, frames, "clock"))[1]

    for profile in ("6.18", "2.6.25"):
        policy = f"linux-{profile}"
        ours = partial(whole, policy, profile)
        for against, reference in (
            ("CLOCK on the machine", partial(whole, "clock", profile)),
            ("our CLOCK", alone),
        ):
            a, b, ratio = rates(len(t), min(size.rounds, 3), ours, reference)
            yield Row(f"R6 {policy}, zipf 50 %", a / 1e6, b / 1e6, "M refs/s", against, ratio, 0.6)


def generations(size: Size) -> Iterator[Row]:
    """G1: the multi-generational LRU, which reads page tables, against the classic one."""
    t = trace("zipf", size.pages, size.refs)

    def of(policy: str) -> float:
        return cpu(lambda: replay(t, "50%", policy=policy, page_cluster=0))[1]

    a, b, ratio = rates(
        len(t), min(size.rounds, 3), partial(of, "linux-6.18-mglru"), partial(of, "linux-6.18")
    )
    name = "G1 linux-6.18-mglru, zipf 50 %"
    yield Row(name, a / 1e6, b / 1e6, "M refs/s", "linux-6.18", ratio, 0.8)


def kernels_against_peer(size: Size) -> Iterator[Row]:
    """R6: the same beside libCacheSim's LRU, which decides otherwise: only the work is compared."""
    if libcachesim() is None:
        return
    t = trace("zipf", size.pages, size.refs).head(size.peer_refs)
    peer = PeerTrace(t.refs)
    try:
        for policy in ("linux-6.18", "linux-2.6.25"):
            a, b, ratio = rates(
                len(t),
                min(size.rounds, 3),
                lambda policy=policy: cpu(lambda: replay(t, "50%", policy=policy, page_cluster=0))[
                    1
                ],
                lambda: peer.misses("lru", t.pages // 2)[1],
            )
            name = f"R6 {policy}, zipf 50 %"
            yield Row(name, a / 1e6, b / 1e6, "M refs/s", "libCacheSim LRU", ratio, 25)
    finally:
        peer.close()


def python_peer(size: Size) -> Iterator[Row]:
    """R9: the fastest of the simulators in Python that installs anywhere."""
    try:
        from cachetools import LRUCache
    except ImportError:
        return
    t = trace("zipf", size.pages, size.refs).head(size.peer_refs // 2)
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
    """R11: two replays in two threads, wall time, against one after the other.

    The C loop beside it is what this machine's second core is worth for such work.
    """
    t = trace("zipf", size.pages, size.refs)
    frames = t.pages // 10

    def ours() -> None:
        simulate(t, frames, "lru")

    def bare() -> None:
        loops()("lru_loop", t.refs, len(t), t.pages, frames)

    def together(one: Callable[[], None]) -> None:
        running = [threading.Thread(target=one) for _ in range(2)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()

    def twice(one: Callable[[], None]) -> None:
        one()
        one()

    def seconds(how: Callable[[Callable[[], None]], None], one: Callable[[], None]) -> float:
        return wall(partial(how, one))[1]

    for name, one in (("R11 two threads", ours), ("R11 two threads of the C loop", bare)):
        both, each = partial(seconds, together, one), partial(seconds, twice, one)
        a, b, ratio = rates(2 * len(t), size.rounds, both, each)
        yield Row(name, a / 1e6, b / 1e6, "M refs/s", "in turn, wall", ratio, 1.85)


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
    "R6p": kernels_against_peer,
    "G1": generations,
    "R7": against_loop("R7", "clock", "uniform", 0.7, (50,)),
    "R7p": against_peer("R7", "clock", "uniform", {50: 30}),
    "R8": against_peer("R8", "opt", "zipf", {10: 10, 50: 10}),
    "R9": python_peer,
    "R10": bursty,
    "R11": threads,
    "R12": text,
    "M1": curves,
    **faults.ROWS,
    **slots.ROWS,
    **many.ROWS,
    **checkpoints.ROWS,
    **side_by_side.ROWS,
    **intercepted.ROWS,
    **recording.ROWS,
    **real_memory.ROWS,
    **readers.ROWS,
}
