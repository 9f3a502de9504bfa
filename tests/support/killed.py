"""A process that checkpoints for ever, to be killed at any moment."""

from __future__ import annotations

import os

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
