"""/proc/meminfo as text: every line that the kernel has, with sums that are the sums."""

from __future__ import annotations

from pathlib import Path

import pytest

import swapfast as sf
from swapfast.kernel.meminfo import render_meminfo
from tests.support.swapfiles import NEWSWAP, PAGE, PROFILES, SwapfileMaker, swapfile


def values(text: str) -> dict[str, int]:
    return {line.split(":")[0]: int(line.split()[1]) for line in text.splitlines()}


@pytest.fixture
def make_swap(tmp_path: Path) -> SwapfileMaker:
    return lambda name, pages: swapfile(tmp_path / name, pages)


def test_every_line_of_this_kernel_is_there() -> None:
    """Of a kernel that is not much newer than the profile."""
    real = [line.split(":")[0] for line in Path("/proc/meminfo").read_text().splitlines()]
    mine = list(values(render_meminfo(sf.Machine("4MiB").init)))
    assert [name for name in real if name in mine] == [name for name in mine if name in real]
    for name in ("MemAvailable", "Buffers", "SwapCached", "Dirty", "Shmem", "Committed_AS"):
        assert name in mine


def test_columns_are_those_of_the_kernel() -> None:
    real = Path("/proc/meminfo").read_text().splitlines()[0]
    mine = render_meminfo(sf.Machine("4MiB").init).splitlines()[0]
    assert len(mine) == len(real) and mine.endswith("    4096 kB")
    old = render_meminfo(sf.Machine("4MiB", "2.6.25").init).splitlines()
    assert old[0] == "MemTotal:         4096 kB"
    assert "HugePages_Total:     0" in old and "Hugepagesize:     2048 kB" in old


@pytest.mark.parametrize("profile", PROFILES)
def test_sums(profile: str, make_swap: SwapfileMaker) -> None:
    with sf.Machine("4MiB", profile, cache=50 * PAGE) as machine:
        machine.init.swapon(make_swap("s", 100))
        machine.init.mmap(30 * PAGE).touch(write=True)
        found = values(render_meminfo(machine.init))
        plain = machine.meminfo()
        for name in ("MemTotal", "MemFree", "Cached", "SwapTotal", "SwapFree"):
            assert found[name] == plain[name]
        assert found["AnonPages"] == 120
        assert found["Active"] + found["Inactive"] == 120 + 200
        assert found["Committed_AS"] == 120
        assert found["CommitLimit"] == 2048 + found["SwapTotal"]
        if profile == "6.18":
            assert found["Active(anon)"] + found["Inactive(anon)"] == 120
            assert found["MemFree"] < found["MemAvailable"] + machine.options.watermarks[1] * 4
            assert found["MemAvailable"] < found["MemFree"] + found["Cached"]


def test_swap_follows_the_rule_of_sysinfo(make_swap: SwapfileMaker) -> None:
    for rule in ("global", "namespaced"):
        with sf.Machine("4MiB", rules=sf.Rules(sysinfo=rule)) as machine:
            machine.init.swapon(make_swap(rule, 100))
            child = machine.init.clone(NEWSWAP)
            assert values(render_meminfo(machine.init))["SwapTotal"] == 396
            assert values(render_meminfo(child))["SwapTotal"] == (396 if rule == "global" else 0)
