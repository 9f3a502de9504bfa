"""The player touches what the trace says; no limit is set on anything here."""

import ctypes
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from swapfast.measure._walk import walk
from swapfast.measure.player import SCRATCH
from swapfast.traces import generate

PAGE = 4096
PSI = "".join(f"{k} avg10=0.00 avg60=0.00 avg300=0.00 total=77\n" for k in ("some", "full"))
PSI_COLUMNS = ("psi_mem_some_us", "psi_mem_full_us")
MAIN = """
import os, sys
from swapfast.measure import player
player.SETTLE = 0
sys.exit(player.main([*sys.argv[1:], str(os.getppid())]))
"""


def word(address, page):
    return ctypes.c_uint64.from_address(address + page * PAGE).value


@pytest.mark.parametrize("every", [1, 64, 10**6])
def test_each_page_holds_the_number_of_its_last_write(areas, every):
    trace = generate("zipf", pages=300, refs=5300, seed=3)
    area, scratch = areas(trace.pages)
    walk(trace.refs, area, scratch, SCRATCH, -1, every)
    last = np.zeros(trace.pages, np.uint64)
    for i, ref in enumerate(trace.refs.tolist(), 1):
        if ref >> 31:
            last[ref & 0x7FFFFFFF] = i
    assert [word(area, p) for p in range(trace.pages)] == last.tolist()


def resident(address, pages):
    """Pages of memory that this process has there, by /proc/self/pagemap: bit 63."""
    with open("/proc/self/pagemap", "rb", buffering=0) as file:
        file.seek(address // PAGE * 8)
        return [int.from_bytes(file.read(8), "little") >> 63 for _ in range(pages)]


@pytest.mark.skipif(not os.path.exists("/proc/self/pagemap"), reason="no /proc/self/pagemap")
def test_reads_and_writes_touch_their_page_and_no_other(areas):
    area, scratch = areas(8)
    refs = np.array([0x80000000 | 1, 3, 6, 1], dtype=np.uint32)
    walk(refs, area, scratch, SCRATCH, -1, 64)
    assert resident(area, 8) == [0, 1, 0, 1, 0, 0, 1, 0]
    assert (word(area, 1), word(area, 3)) == (1, 0)


def test_the_statistics_are_read_before_each_group_of_references(areas):
    area, scratch = areas(1)
    refs = np.full(10, 0x80000000, dtype=np.uint32)
    read, write = os.pipe()  # cannot be read at an offset: the first read is refused
    with pytest.raises(OSError, match=r"cannot flush the TLB or read memory\.stat"):
        walk(refs, area, scratch, SCRATCH, read, 4)
    os.close(read), os.close(write)
    assert word(area, 0) == 0


def test_a_flush_that_is_refused_is_an_error(areas):
    area, scratch = areas(1)
    with pytest.raises(OSError):
        walk(np.zeros(1, np.uint32), area, scratch + 1, SCRATCH, -1, 1)


def test_the_player_moves_sets_its_limit_and_counts(trace, tmp_path):
    """In a "group" of plain files; the process has all its memory."""
    group = tmp_path / "group"
    group.mkdir()
    stat = "anon 8192\nfile 0\nkernel 4096\npswpin 3\npswpout 4\npgscan 9\n"
    (group / "memory.stat").write_text(stat)
    (group / "memory.peak").write_text("40960\n")
    (group / "memory.pressure").write_text(PSI)
    done = subprocess.run(
        [sys.executable, "-c", MAIN, str(trace), "50", str(group), "2"],
        capture_output=True,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    if "mlockall" in done.stderr or done.returncode < 0:
        pytest.skip("this user may not lock so much memory")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told.pop("peak_pages") == 10, "of the whole life of the group"
    assert set(told) == {"majflt", "pswpin", "pswpout", "pgscan", *PSI_COLUMNS}
    assert not any(told.values())
    assert (group / "cgroup.procs").read_text() == "0"
    assert int((group / "memory.max").read_text()) == 8192 + 4096 + 50 * PAGE
