"""References that somebody else changes, or cuts off, while they are played: an error, no crash."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import swapfast as sf
from swapfast.kernel.choices import TIMES
from tests.support.swapfiles import PAGE

SCENE = """
import numpy as np, os, sys, threading
import swapfast as sf
machine = sf.Machine("8MiB", contents=False, overcommit=1, policy=sys.argv[2])
machine.add_swap("64MiB")
heap = machine.init.fork().mmap(3000 * 4096)
refs = np.memmap(sys.argv[1], dtype=np.uint32, mode="r+")
"""
CHANGED = """
stop = threading.Event()
def change():
    while not stop.is_set():
        refs[::512] = 0x7fffffff
        refs[::512] = 5
thread = threading.Thread(target=change)
thread.start()
refused = 0
for _ in range(20):
    try:
        machine.run(heap, refs)
    except ValueError as error:
        assert "page 2147483647 of a mapping of 3000 pages" in str(error)
        refused += 1
stop.set()
thread.join()
machine.verify()
print("ends", refused)
"""
CUT = """
os.truncate(sys.argv[1], 4096)
try:
    machine.run(heap, refs)
except ValueError as error:
    assert "cut short" in str(error)
    machine.verify()
    print("ends")
"""


@pytest.mark.parametrize("policy", ["linux-6.18", "linux-6.18-mglru", "lru"])
@pytest.mark.parametrize("code", [CHANGED, CUT])
def test_references_that_change(tmp_path: Path, code: str, policy: str) -> None:
    file = tmp_path / "refs"
    np.random.default_rng(1).integers(0, 3000, 2_000_000).astype(np.uint32).tofile(file)
    done = subprocess.run(
        [sys.executable, "-c", SCENE + code, str(file), policy],
        timeout=100,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ends")


@pytest.mark.parametrize("n", [1, 16383, 16384, 16385, 100_000])
def test_nothing_is_done_before_all_is_looked_at(n: int) -> None:
    machine = sf.Machine("8MiB", contents=False, overcommit=1)
    heap = machine.init.fork().mmap(100 * PAGE)
    refs = np.arange(n, dtype=np.uint32) % np.uint32(100)
    refs[-1] = 100
    before = machine.core.counters(), machine.core.clock()
    with pytest.raises(ValueError, match="page 100 of a mapping of 100 pages"):
        machine.run(heap, refs)
    assert (machine.core.counters(), machine.core.clock()) == before
    machine.run(heap, refs[:-1])
    costs = TIMES["reference"], TIMES["minor_fault"]
    assert machine.now == costs[0] * (n - 1) + costs[1] * min(n - 1, 100)


def test_blocks_change_no_counter() -> None:
    """Checked by the caller, in one piece; or here, block by block."""
    rng = np.random.default_rng(2)
    refs = rng.integers(0, 3000, 200_000).astype(np.uint32)
    refs[::3] |= np.uint32(0x80000000)
    seen = []
    for checked in (True, False):
        machine = sf.Machine("8MiB", contents=False, overcommit=1)
        machine.add_swap("64MiB")
        heap = machine.init.fork().mmap(3000 * PAGE)
        machine.run(heap, refs, checked=checked)
        seen.append((machine.core.counters(), machine.core.clock()))
    assert seen[0] == seen[1]
