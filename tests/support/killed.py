"""A process that checkpoints for ever, and what it said before it was killed.

- ``CHILD``, ``CHAIN``: the programs, one image again and again, or one more image of a chain.
- ``Told``: its lines, "trying NUMBER DIGEST" and "done NUMBER".
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("SWAPFAST_KILLS", "25"))
CHILD = """
import hashlib, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from swapfast.checkpoint import checkpoint, read_image, restart
from tests.support.small_job import AREA, JOB, namespace_of, scribble, small_job
from tests.support.seen import digest
folder = Path({folder!r})
if (folder / JOB).exists():
    machine = restart(folder / JOB, swapfile=folder / AREA)
    generation = read_image(folder / JOB).generation
else:
    machine, generation = small_job(folder), 0
print("ready", flush=True)
while True:
    generation += 1
    scribble(machine, f"generation {{generation}}", generation)
    print("trying", generation, digest(machine), flush=True)
    checkpoint(machine, namespace_of(machine), folder / JOB, kind="pinned")
    print("done", generation, flush=True)
    scribble(machine, "more", generation)
"""
CHAIN = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from swapfast.checkpoint import restart
from tests.support.chains import images, swapfile
from tests.support.small_job import AREA, namespace_of, scribble, small_job
from tests.support.seen import digest
folder, base = Path({folder!r}), {base!r}
there = images(folder)
number = max(map(int, there), default=0)
last = folder / str(number) if there else None
machine = restart(last, swapfile=swapfile(folder, base)) if there else small_job(folder)
print("ready", flush=True)
while True:
    number += 1
    scribble(machine, f"turn {{number}}", number)
    print("trying", number, digest(machine), flush=True)
    first = number % 20 == 1
    kind, parent = (base, None) if first else ("incremental", last)
    last = folder / str(number)
    namespace_of(machine).checkpoint(last, kind=kind, parent=parent)
    print("done", number, flush=True)
"""


@dataclass
class Told:
    """The state of the job at each try, and the last checkpoint that was acknowledged."""

    tried: dict[int, str] = field(default_factory=dict)
    done: int = 0

    def hear(self, output: str, *, acknowledged: bool = True) -> None:
        """Lines may be cut off; what is said after a power cut acknowledges nothing."""
        for line in output.splitlines():
            words = line.split()
            if words[0] == "trying" and len(words) == 3 and len(words[2]) == 64:
                self.tried[int(words[1])] = words[2]
            elif acknowledged and words[0] == "done" and len(words) == 2:
                self.done = int(words[1])

    def go_on_from(self, number: int) -> None:
        """The next process counts on from what is there."""
        self.tried = {n: digest for n, digest in self.tried.items() if n <= number}
        self.done = number


def run_and_kill(script: str, rng: random.Random, longest: float, told: Told) -> None:
    """Start it, kill it within so many seconds of its readiness, and hear what it said."""
    child = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    time.sleep(rng.random() * longest)  # the moment of the kill, nothing is waited for
    child.send_signal(signal.SIGKILL)
    told.hear(child.communicate()[0])
