"""Option ``allowed_aware``: usable swap is what is free where pages may go.

It changes three tests: whether pages are scanned, which refaults are activated, and when nothing is
left to reclaim.
"""

from __future__ import annotations

from typing import Any

import pytest

import swapfast as sf
from swapfast.core import memcg_table
from swapfast.traces.generate import generate
from tests.support.side_by_side import check
from tests.support.swapfiles import swapfile

PAGE = 4096


def boxed(
    aware: bool, profile: str = "6.18", slots: int = 100, **options: Any
) -> tuple[sf.Machine, sf.Cgroup]:
    """A cgroup of 200 pages that may use so many slots, while 5000 others are free."""
    machine = sf.Machine(
        "4MiB",
        profile,
        contents=False,
        overcommit=1,
        cache=0,
        swap_scope="tiers",
        allowed_aware=aware,
        **options,
    )
    machine.swap_tiers.write("+small:10 +big:-1")
    machine.add_swap((slots + 1) * PAGE, priority=10)
    machine.add_swap(5001 * PAGE, priority=0)
    cgroup = machine.cgroup("/boxed", max=200 * PAGE)
    cgroup["memory.swap.tiers.max"] = "big 0"
    return machine, cgroup


def scanned_until_killed(aware: bool, profile: str) -> int:
    machine, cgroup = boxed(aware, profile)
    task = machine.init.fork()
    cgroup.add(task)
    heap = task.mmap(400 * PAGE)
    with pytest.raises(sf.TaskKilled):
        heap.touch(write=True)
    machine.verify()
    assert machine.areas[0].info["inuse"] == 0, "it is dead, and its slots are free"
    return cgroup.stat()["pgscan"]


@pytest.mark.parametrize("profile", ["6.18", "6.18-mglru"])
def test_a_cgroup_whose_areas_are_full_is_not_scanned_in_vain(profile: str) -> None:
    told, untold = (scanned_until_killed(aware, profile) for aware in (True, False))
    assert told * 3 < untold


def refaults_activated(aware: bool) -> tuple[int, int]:
    """Pages that are read back while others have every slot: how many, and how many at once active.

    Its tier has 400 slots; another cgroup takes those that are left.
    """
    machine, cgroup = boxed(aware, slots=400, page_cluster=0)
    other = machine.cgroup("/other")
    other["memory.swap.tiers.max"] = "big 0"
    cgroup.max = None
    heaps = []
    for one in (cgroup, other):
        task = machine.init.fork()
        one.add(task)
        heaps.append(task.mmap(450 * PAGE))
        heaps[-1].touch(write=True)
    for _ in range(3):
        heaps[0].touch(slice(60, 450))
        cgroup.reclaim(8 * PAGE)
    while machine.areas[0].info["inuse"] < 400 and other.reclaim(PAGE):
        pass
    assert machine.areas[0].info["inuse"] == 400
    before = cgroup.stat()
    heaps[0].touch()
    after = cgroup.stat()
    machine.verify()
    return (
        after["workingset_refault_anon"] - before["workingset_refault_anon"],
        after["workingset_activate_anon"] - before["workingset_activate_anon"],
    )


def test_its_refaults_do_not_compete_with_active_pages_when_there_is_no_slot() -> None:
    """workingset_test_recent: with nothing left, active pages would not make room."""
    refaults, activated = refaults_activated(aware=False)
    assert refaults > 50 and activated > 0
    refaults, activated = refaults_activated(aware=True)
    assert refaults > 50 and activated == 0


def test_the_last_resort_comes_sooner_on_the_whole_machine() -> None:
    """Global pressure: what cannot go anywhere does not count as reclaimable."""
    scans = []
    for aware in (False, True):
        machine, cgroup = boxed(aware)
        cgroup.max = None
        task = machine.init.fork()
        cgroup.add(task)
        with pytest.raises(sf.TaskKilled):
            task.mmap("8MiB").touch(write=True)
        scans.append(sum(v for n, v in machine.vmstat().items() if n.startswith("pgscan")))
        machine.verify()
    assert scans[1] * 2 < scans[0]


def test_side_by_side_as_well() -> None:
    trace = generate("uniform", pages=1400, refs=20_000, seed=1)
    scans = []
    for aware in (False, True):
        machine, cgroup = boxed(aware)
        cgroup.max = None
        run = machine.together(seed=1)
        program = run.program("boxed", trace, cgroup=cgroup)
        run.until()
        assert program.killed
        scans.append(sum(v for n, v in machine.vmstat().items() if n.startswith("pgscan")))
        check(machine, run)
    assert scans[1] < scans[0]


def test_swap_namespaces_too(tmp_path: Any) -> None:
    """The one area of a child is full; the host's is empty, and does not count."""
    scans = []
    for aware in (False, True):
        with sf.Machine("4MiB", cache=0, overcommit=1, allowed_aware=aware) as machine:
            machine.init.swapon(swapfile(tmp_path / "host", 5000))
            child = machine.init.clone(sf.CLONE_NEWSWAP | sf.CLONE_NEWIPC)
            child.swapon(swapfile(tmp_path / "own", 100))
            group = machine.memory_group(200 * PAGE)
            group.add(child)
            with pytest.raises(sf.TaskKilled):
                child.mmap("2MiB").touch(write=True)
            info = memcg_table.info(machine.core, group.number)
            scans.append(info["stat"]["pgscan_direct"])
            machine.verify()
    assert scans[1] * 3 < scans[0]


def test_amounts_bound_what_is_usable() -> None:
    """A tier of 1000 slots of which it may have 40, and nothing else."""
    scans = []
    for aware in (False, True):
        machine = sf.Machine(
            "4MiB",
            contents=False,
            overcommit=1,
            cache=0,
            swap_scope="tiers-amount",
            allowed_aware=aware,
        )
        machine.swap_tiers.write("+all:-1")
        machine.add_swap(1001 * PAGE)
        cgroup = machine.cgroup("/a", max=100 * PAGE)
        cgroup["memory.swap.tiers.max"] = f"all {40 * PAGE}"
        task = machine.init.fork()
        cgroup.add(task)
        heap = task.mmap(200 * PAGE)
        heap.touch(slice(0, 120), write=True)
        assert heap.count()[1] > 0
        with pytest.raises(sf.TaskKilled):
            heap.touch(write=True)
        scans.append(cgroup.stat()["pgscan"])
        machine.verify()
    assert scans[1] * 3 < scans[0]
