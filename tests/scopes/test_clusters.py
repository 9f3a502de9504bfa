"""Clusters of processors: what the counters say, and what a tier on the same processor costs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import swapfast as sf
from swapfast.kernel.options import SWAP_CLUSTER, SWAP_SCOPE
from swapfast.traces.generate import generate
from tests.support.side_by_side import check

PAGE = 4096
CURES = ("per-cpu-device", "per-cpu-tier")


def two_tiers(cluster: str, cpus: int = 1) -> sf.Machine:
    """Two cgroups that swap side by side, each to a tier of its own; what the machine counted."""
    machine = sf.Machine(
        "16MiB",
        contents=False,
        overcommit=1,
        cache=0,
        swap_scope="tiers",
        swap_cluster=cluster,
    )
    machine.swap_tiers.write("+one:10 +two:-1")
    machine.add_swap("8MiB", priority=10)
    machine.add_swap("8MiB", priority=0)
    trace = generate("loop", pages=400, refs=6000, seed=1)
    run = machine.together(cpus=cpus, seed=1)
    for name, other in (("one", "two"), ("two", "one")):
        cgroup = machine.cgroup(f"/{name}", max=200 * PAGE)
        cgroup["memory.swap.tiers.max"] = f"{other} 0"
        run.program(name, trace, cgroup=cgroup, linger=True)
    run.until()
    check(machine, run)
    return machine


def test_cgroups_of_two_tiers_take_each_others_cluster_away() -> None:
    """The known limit of swap tiers v10, and its two cures."""
    counted = two_tiers("per-cpu").slot_counters()
    assert counted["missed_mask"] * 40 > counted["fast_hits"]
    for cluster in CURES:
        cured = two_tiers(cluster).slot_counters()
        assert cured["missed_mask"] == 0
        assert cured["missed_use"] < 20 and cured["fast_hits"] > 1000
        assert cured["partly_used"] <= counted["partly_used"]


def test_with_a_processor_each_they_leave_each_other_alone() -> None:
    """kswapd has nothing to do; what is left is what a program finds where it runs first."""
    alone, shared = (two_tiers("per-cpu", cpus).slot_counters() for cpus in (2, 1))
    assert alone["missed_mask"] * 10 < shared["missed_mask"]


def test_without_clusters_of_processors_nothing_is_counted() -> None:
    counted = two_tiers("per-owner").slot_counters()
    assert [counted[name] for name in ("fast_hits", "missed_mask", "missed_use", "turns")] == [
        0
    ] * 4
    assert counted["partly_used"] >= 2 and counted["free_in_partly"] > 0


@pytest.mark.parametrize("cluster", SWAP_CLUSTER[1:])
def test_every_slot_is_a_hit_or_a_miss(cluster: str) -> None:
    """And a miss looks further once, since there is room."""
    machine = two_tiers(cluster, cpus=2)
    counted = machine.slot_counters()
    given = sum(area.info["pswpout"] for area in machine.areas.values())
    allocated = counted["fast_hits"] + counted["missed_mask"] + counted["missed_use"]
    assert 0 < allocated <= given, "a page that is written again keeps its slot"
    machine.verify()


def test_equal_areas_take_turns_cluster_by_cluster_or_page_by_page() -> None:
    """Two areas of one priority, by hand: 6.18 on a disk that turns, and on one that does not."""
    for rotational, first in ((False, (10, 0)), (True, (5, 5))):
        machine = sf.Machine("16MiB", contents=False, overcommit=1, cache=0, swap_cluster="per-cpu")
        for number in range(2):
            device = machine.device(f"d{number}", "hdd" if rotational else "nvme")
            machine.add_swap("8MiB", priority=5, device=device)
        cgroup = machine.cgroup("/a")
        task = machine.init.fork()
        cgroup.add(task)
        task.mmap(40 * PAGE).touch(write=True)
        cgroup.reclaim(10 * PAGE)
        cgroup.reclaim(10 * PAGE)
        used = sorted((a.info["inuse"] for a in machine.areas.values()), reverse=True)
        share = used[0] / sum(used)
        assert share == first[0] / 10, (used, rotational)


@settings(max_examples=25)
@given(
    cluster=st.sampled_from(SWAP_CLUSTER),
    kind=st.sampled_from(SWAP_SCOPE),
    cpus=st.integers(1, 3),
    aware=st.booleans(),
    seed=st.integers(0, 999),
)
def test_sums_agree_whatever_runs(
    cluster: str, kind: str, cpus: int, aware: bool, seed: int
) -> None:
    """Three programs, two levels of cgroups, files written while they run, an area goes off."""
    machine = sf.Machine(
        "4MiB",
        contents=False,
        overcommit=1,
        cache=0,
        swap_scope=kind,
        swap_cluster=cluster,
        allowed_aware=aware,
        seed=seed,
    )
    if kind.startswith("tiers"):
        machine.swap_tiers.write("+fast:10 +slow:-1")
    for number, priority in enumerate((12, 5, 5)):
        machine.add_swap("3MiB", priority=priority, private=kind == "private" and number == 2)
    run = machine.together(cpus=cpus, seed=seed)
    for number in range(3):
        trace = generate("zipf", pages=300, refs=4000, seed=seed + number)
        run.program(str(number), trace, cgroup=machine.cgroup(f"/all/{number}"), linger=True)
    words: dict[str, tuple[str, tuple[str, ...]]] = {
        "private": ("memory.swapfile", ("/dev/simulated2", "none", "default")),
        "priority": ("memory.swap.priority", ("1:7,0:disabled", "2:3", "")),
        "tiers": ("memory.swap.tiers.max", ("fast 0", "slow 0", "fast max")),
        "tiers-amount": ("memory.swap.tiers.max", ("fast 64K", "fast auto", "slow 0")),
    }
    for step in range(6):
        run.until(f"{4 * (step + 1)}ms")
        machine.verify()
        if kind in words:
            name, texts = words[kind]
            path = ("/all", "/all/0", "/all/1")[(seed + step) % 3]
            machine.cgroup(path)[name] = texts[(seed // 3 + step) % 3]
        machine.verify()
    run.until()
    check(machine, run)
    machine.cgroup("/all/2").reclaim("64KiB")
    machine.init.swapoff("/dev/simulated0")
    machine.verify()
    tiers: dict[str, Any] = machine.swap_tiers.counters() if kind.startswith("tiers") else {}
    for name, row in tiers.items():
        line = f"{name} {row['used']}\n"
        assert line in machine.cgroup("/")["memory.swap.tiers.current"]
