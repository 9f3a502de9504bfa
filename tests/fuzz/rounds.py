"""A seeded round of one target, in a process with little memory.

``python -m tests.fuzz.rounds TARGET LOADS SEED`` prints a line of JSON: loads, accepted, refused,
and the worst load in CPU seconds. A finding is written to ``finding-TARGET`` in the folder for
temporary files, and ends the process with a traceback.

Address space: what the process has after a first round over the seeds, and ``ROOM`` more, so that
an input that asks for much is a MemoryError, which no target lets pass.
"""

from __future__ import annotations

import faulthandler
import json
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.mutate import mutated
from tests.fuzz.targets import TARGETS, clean_up, seeds

ROOM = 64 << 20
MOST_SECONDS = 2.0  # of CPU time, for one load


def limit_memory() -> None:
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + ROOM, resource.RLIM_INFINITY))


def round_of(name: str, loads: int, seed: int, *, limited: bool = True) -> dict[str, object]:
    """Run so many loads; AssertionError, or whatever was raised, with the input kept."""
    target, begin = TARGETS[name], seeds(name)
    rng = random.Random(f"{name} {seed}")
    for data in begin:
        target(data)
    if limited:
        limit_memory()
    accepted, worst = 0, 0.0
    for _ in range(loads):
        data = mutated(rng, begin)
        before = time.process_time()
        try:
            accepted += target(data)
            spent = time.process_time() - before
            assert spent < MOST_SECONDS, f"{spent:.1f} s for {len(data)} bytes"
        except BaseException:
            kept = Path(tempfile.gettempdir()) / f"finding-{name}"
            kept.write_bytes(data)
            print(f"{name}, seed {seed}: see {kept}", file=sys.stderr)
            raise
        worst = max(worst, spent)
    return {
        "target": name,
        "seed": seed,
        "loads": loads,
        "accepted": accepted,
        "refused": loads - accepted,
        "worst_seconds": round(worst, 3),
    }


if __name__ == "__main__":
    faulthandler.enable()
    try:
        # The sanitizers' own address space has no limit that could be known.
        free = "libasan" in Path("/proc/self/maps").read_text()
        found = round_of(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), limited=not free)
        print(json.dumps(found))
    finally:
        clean_up()
