"""The player of one program among others, in a "group" of plain files and with all its memory."""

import ctypes
import os
import subprocess
import sys

import numpy as np
import pytest

from swapfast.latency import BUCKETS, Latency
from swapfast.measure._timed import play
from swapfast.measure.player import SCRATCH
from swapfast.measure.several.player import READY, Order, Told
from swapfast.traces import generate

PAGE = 4096


def words(address, pages):
    return [ctypes.c_uint64.from_address(address + i * PAGE).value for i in range(pages)]


@pytest.mark.parametrize("every", [0, 64])
def test_one_pass_touches_what_the_trace_says(areas, every):
    trace = generate("zipf", pages=300, refs=5300, seed=3)
    area, scratch = areas(trace.pages)
    counts = np.zeros(BUCKETS, np.uint64)
    refs, noted, total, longest, began, ended = play(
        trace.refs, area, scratch, SCRATCH, -1, every, 0, 0, 0, counts
    )
    last = np.zeros(trace.pages, np.uint64)
    for i, ref in enumerate(trace.refs.tolist(), 1):
        if ref >> 31:
            last[ref & 0x7FFFFFFF] = i
    assert words(area, trace.pages) == last.tolist()
    assert refs == len(trace.refs) and noted == counts.sum() <= refs
    slow = Latency(counts, sum=total, max=longest)  # which checks that they belong together
    assert slow.count == noted and total <= ended - began


def test_it_goes_on_until_its_time_is_up(areas):
    area, scratch = areas(2)
    counts = np.zeros(BUCKETS, np.uint64)
    never = (1 << 63) - 1
    refs = np.array([0x80000000, 1] * 16, np.uint32)
    done, noted, *_, began, ended = play(
        refs, area, scratch, SCRATCH, -1, 0, 1000, never, 2_000_000, counts
    )
    assert done > 32 and done % 32 == 0, "it looks at the clock after 32 references, or all"
    assert ended - began >= 2_000_000 and noted == 0 == counts.sum()


def test_thinking_takes_time(areas):
    area, scratch = areas(1)
    counts = np.zeros(BUCKETS, np.uint64)
    refs = np.zeros(64, np.uint32)
    *_, began, ended = play(refs, area, scratch, SCRATCH, -1, 0, 10_000, 0, 0, counts)
    assert ended - began >= 64 * 10_000


def test_wrong_counters_and_statistics_that_cannot_be_read(areas):
    area, scratch = areas(1)
    refs = np.zeros(1, np.uint32)
    with pytest.raises(ValueError, match=f"counts: {BUCKETS} of them, not 5"):
        play(refs, area, scratch, SCRATCH, -1, 0, 0, 0, 0, np.zeros(5, np.uint64))
    read, write = os.pipe()
    with pytest.raises(OSError, match="cannot flush the TLB"):
        play(refs, area, scratch, SCRATCH, read, 1, 0, 0, 0, np.zeros(BUCKETS, np.uint64))
    os.close(read), os.close(write)


def test_the_process_waits_for_its_start_and_tells(trace, tmp_path):
    (tmp_path / "memory.stat").write_text("anon 1\n")
    one = Order("A", str(trace), str(tmp_path), 2, "", tuple(os.sched_getaffinity(0)), 1, 0, 0, 0)
    code = (
        "import os, sys; from swapfast.measure.several import player\n"
        "sys.exit(player.main(sys.argv[1:]))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, one.text(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    ready = child.stdout.readline()
    out, err = child.communicate(b"0\n")
    if b"mlockall" in err or child.returncode < 0:
        pytest.skip("this user may not lock so much memory")
    assert ready == READY and child.returncode == 0, err
    told = Told.of(out)
    assert (tmp_path / "cgroup.procs").read_text() == "0"
    assert told.refs == 1100 and told.majflt == 0 and told.ended > told.began
    assert told.slow.count <= 1100
