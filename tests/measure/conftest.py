"""A machine made of plain files, on which a measurement may be planned."""

import dataclasses

import pytest

from swapfast.measure import Host, make_plan
from swapfast.measure.player import SCRATCH, Area
from swapfast.traces import generate, save_npz

PAGE = 4096
SWAPS = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"


@pytest.fixture
def tree(tmp_path):
    """``tree("proc/swaps", text)``: write a file of the fake machine."""

    def put(name, text):
        path = tmp_path / "host" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    put("proc/swaps", SWAPS)
    put("proc/meminfo", "MemTotal:       8000000 kB\nMemAvailable:    4000000 kB\n")
    put("proc/self/mounts", "/dev/vda / ext4 rw 0 0\n")
    put("proc/sys/kernel/osrelease", "6.18.15-test\n")
    put("proc/sys/vm/page-cluster", "3\n")
    put("proc/sys/vm/swappiness", "45\n")
    put("sys/module/zswap/parameters/enabled", "N\n")
    put("sys/kernel/mm/lru_gen/enabled", "0x0000\n")
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
    return put


@pytest.fixture
def host(tree, tmp_path):
    """Root on that machine, with a large disk."""
    return Host(tmp_path / "host", uid=0, page_size=4096, free_disk=lambda path: 1 << 40)


@pytest.fixture
def v2(tree, tmp_path):
    """Turn the machine's memory controller into one of cgroup v2."""
    (tmp_path / "host/sys/fs/cgroup/memory/memory.limit_in_bytes").unlink()
    tree("sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n")
    tree("sys/fs/cgroup/cgroup.subtree_control", "cpu memory\n")


@pytest.fixture
def trace(tmp_path):
    """100 pages, filled, then 1000 references."""
    path = tmp_path / "zipf.npz"
    save_npz(path, generate("zipf", pages=100, refs=1100, seed=7))
    return path


@pytest.fixture
def plan(trace, host, tmp_path):
    """One cell, two runs."""
    return make_plan([trace], tmp_path / "truth.csv", fracs=["0.5"], host=host)


@pytest.fixture
def altered():
    """``altered(host, uid=1000)``: the same but for that."""
    return dataclasses.replace


@pytest.fixture
def areas():
    """``areas(pages)``: addresses of so many pages, and of the scratch pages."""
    made = []

    def make(pages):
        pair = Area(pages * PAGE), Area(SCRATCH)
        made.extend(pair)
        for area in pair:
            area.open()
        return [area.address for area in pair]

    yield make
    for area in made:
        area.close()
