"""References in a file that is cut short while they are read: an error, no crash."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCENE = """
import os, sys, threading, time
import numpy as np
from swapfast.mrc._stack import Distances, Sample
from swapfast.replacement import simulate
from swapfast.replacement._replay import Simulation
from swapfast.traces import Trace
import swapfast.traces.trace
refs = np.memmap(sys.argv[1], dtype=np.uint32, mode="r+")
lost = "the file of these references was cut short since it was mapped"
def refused(call):
    try:
        call()
    except ValueError as error:
        assert str(error) == lost, error
        return True
    return False
"""
READERS = {
    "lru": 'Simulation("lru", 100, 3000).run(refs)',
    "opt": 'Simulation("opt", 100, 3000).run(refs)',
    "distances": "Distances(3000).run(refs)",
    "sample": "Sample(3000, 0.5).run(refs)",
}
TRACES = {
    "held": "Trace(refs)",
    "large": "trace.writes",
    "large, in pieces": 'simulate(trace, 100, "lru")',
    "large, whole": 'simulate(trace, 100, "opt")',
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("refs") / "refs"
    np.random.default_rng(1).integers(0, 3000, 2_000_000).astype(np.uint32).tofile(file)
    return file


def play(code: str, file: Path) -> None:
    whole = file.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", SCENE + code, str(file)], timeout=100, capture_output=True, text=True
    )
    file.write_bytes(whole)
    assert (done.returncode, done.stdout) == (0, "ends\n"), done.stderr


@pytest.mark.parametrize("name", READERS)
def test_a_file_cut_short_before(file: Path, name: str) -> None:
    code = "os.truncate(sys.argv[1], 4096)\n"
    play(f"{code}assert refused(lambda: {READERS[name]}); print('ends')", file)


@pytest.mark.parametrize("name", READERS)
def test_a_file_cut_short_meanwhile(file: Path, name: str) -> None:
    """Somewhere in the check, in the run, or after it: whatever is met, nobody is killed."""
    code = f"""
for wait in (0, 0.0003, 0.001, 0.003, 0.01):
    size = os.path.getsize(sys.argv[1])
    def cut():
        time.sleep(wait)
        os.truncate(sys.argv[1], 4096)
    thread = threading.Thread(target=cut)
    thread.start()
    refused(lambda: {READERS[name]})
    thread.join()
    os.truncate(sys.argv[1], size)
print("ends")
"""
    play(code, file)


@pytest.mark.parametrize("name", TRACES)
def test_a_trace_over_a_file_cut_short(file: Path, name: str) -> None:
    """A large array of the caller is not copied at once, but piece by piece when it is read."""
    code = f"""
swapfast.traces.trace.HOLD = 0
trace = Trace(refs)
assert not trace.is_private
swapfast.traces.trace.HOLD = 1 << 28
os.truncate(sys.argv[1], 4096)
assert refused(lambda: {TRACES[name]})
print("ends")
"""
    play(code, file)
