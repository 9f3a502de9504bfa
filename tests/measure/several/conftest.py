"""Two scenarios, and the plan of them."""

import pytest

from swapfast.measure.several import make_several
from swapfast.traces import generate, save_npz

TEXT = """
swap = [{ disk = "ssd", priority = 5 }]
[machine]
cpus = 2
page_cluster = 3
swappiness = 80
think = "1us"
stagger = "3ms"
[latency]
slow = "5us"
[[disk]]
name = "ssd"
size = "64MiB"
[[disk]]
name = "hdd"
size = "16MiB"
[[scenario]]
name = "own"
cgroup = [{ path = "/a", max = 50 }, { path = "/b", max = 60 }]
program = [
    { name = "A", trace = "zipf", cgroup = "/a" },
    { name = "B", trace = "loop", cgroup = "/b", start = "1ms", stop = "2s" },
]
[[scenario]]
name = "common"
swap = [{ disk = "ssd", priority = 5 }, { disk = "hdd", priority = 1 }]
cgroup = [
    { path = "/p", max = 100, swap_max = 40, oom_group = true },
    { path = "/p/a", low = 30 },
    { path = "/p/b" },
]
program = [
    { name = "A", trace = "zipf", cgroup = "/p/a" },
    { name = "B", trace = "loop", cgroup = "/p/b" },
]
"""


@pytest.fixture
def traces(tmp_path):
    """A folder with a trace for each program."""
    folder = tmp_path / "traces"
    folder.mkdir()
    save_npz(folder / "zipf.npz", generate("zipf", pages=100, refs=1100, seed=7))
    save_npz(folder / "loop.npz", generate("loop", pages=80, refs=880, seed=7))
    return folder


@pytest.fixture
def scenarios(tmp_path):
    """``scenarios(text)``: a file of scenarios."""

    def write(text=TEXT):
        path = tmp_path / "two.toml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def make(scenarios, traces, tmp_path, host):
    """``make(only=..., text=...)``: the plan of them."""

    def plan(text=TEXT, host=host, **options):
        return make_several(scenarios(text), traces, tmp_path / "two.csv", host=host, **options)

    return plan
