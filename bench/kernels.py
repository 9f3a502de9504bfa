"""The kernels that are watched, each a fixed piece of work that returns what it counted.

- ``KERNELS``: by name. Where their instructions are counted, `tool.swapfast.gate.inside` of
  pyproject.toml says.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

import swapfast as sf
from swapfast.mrc import Distances, Sample
from swapfast.replacement import simulate
from swapfast.replay import replay
from swapfast.swapfile import mkswap
from swapfast.traces.generate import generate
from swapfast.traces.trace import Trace
from swapfast.units import PAGE_SIZE

__all__ = ["KERNELS"]

PAGES, REFS = 20_000, 400_000


def _trace(pattern: str = "zipf") -> Trace:
    return generate(pattern, pages=PAGES, refs=REFS, seed=1, fill=False)


def resident() -> int:
    return simulate(_trace(), PAGES, "clock").misses


def clock() -> int:
    return simulate(_trace(), PAGES // 5, "clock").misses


def lru() -> int:
    return simulate(_trace(), PAGES // 5, "lru").misses


def sieve() -> int:
    return simulate(_trace(), PAGES // 5, "sieve").misses


def s3fifo() -> int:
    return simulate(_trace(), PAGES // 5, "s3fifo").misses


def linux618() -> int:
    return replay(_trace(), "40%", policy="linux-6.18", page_cluster=0).pgmajfault


def mglru() -> int:
    return replay(_trace(), "40%", policy="linux-6.18-mglru", page_cluster=0).pgmajfault


def linux25() -> int:
    return replay(_trace(), "40%", policy="linux-2.6.25", page_cluster=0).pgmajfault


def distances() -> int:
    found = Distances(PAGES)
    found.run(_trace().refs)
    return int(found.histogram()[1:100].sum())


def shards() -> int:
    sample = Sample(PAGES, 0.05)
    sample.run(_trace().refs)
    return sum(refs for refs, *_ in sample.histograms())


def slots() -> int:
    from swapfast._kernels import Slots  # an older tree has none

    return Slots(1 << 20, free=_half_free()).churn(REFS, 256)


def slot_runs() -> int:
    from swapfast._kernels import Slots

    return Slots(1 << 20).churn(REFS // 32, 16, order=5)


def _half_free() -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    words = np.random.default_rng(1).integers(0, 256, 1 << 17, dtype=np.uint8)
    return words.view(np.uint64)


def contents() -> int:
    """Faults with bytes: each swaps a page out and one in."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s"
        mkswap(path, size=1100 * PAGE_SIZE)
        with sf.Machine("16MiB", overcommit=1, page_cluster=0) as machine:
            machine.init.swapon(path)
            task = machine.init.fork()
            machine.memory_group(500 * PAGE_SIZE, policy="fifo").add(task)
            mapping = task.mmap(1000 * PAGE_SIZE)
            refs = np.arange(4000, dtype=np.uint32) % 1000
            machine.run(mapping, refs | np.uint32(1 << 31), tag="gate")
            return machine.vmstat()["pgmajfault"]


def bursts() -> int:
    refs = np.repeat(_trace().refs[: REFS // 64], 64)
    return simulate(Trace(refs, PAGES), PAGES // 5, "clock").misses


def _programs(count: int, **options: int) -> int:
    """With half of their pages in memory, in cgroups of two levels; older trees know none."""
    t = generate("zipf", pages=PAGES // count, refs=REFS // count, seed=1, fill=False)
    machine = sf.Machine(4 * PAGES * PAGE_SIZE, contents=False, overcommit=1, page_cluster=0)
    machine.add_swap(8 * PAGES * PAGE_SIZE, device=machine.device("one") if count > 1 else None)
    run = machine.together(**options)
    for number in range(count):
        cgroup = machine.cgroup(f"/all/p{number}", max=t.pages // 2 * PAGE_SIZE)
        run.program(str(number), t, cgroup=cgroup)
    run.until()
    return machine.vmstat()["pgmajfault"]


def together_alone() -> int:
    return _programs(1)


def together_fault() -> int:
    return _programs(8, cpus=9)


KERNELS: dict[str, Callable[[], int]] = {
    "resident": resident,
    "clock": clock,
    "lru": lru,
    "sieve": sieve,
    "s3fifo": s3fifo,
    "bursts": bursts,
    "linux-6.18": linux618,
    "linux-6.18-mglru": mglru,
    "linux-2.6.25": linux25,
    "together_alone": together_alone,
    "together_fault": together_fault,
    "slots": slots,
    "slot-runs": slot_runs,
    "contents": contents,
    "distances": distances,
    "shards": shards,
}
