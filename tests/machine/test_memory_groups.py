"""Memory groups at their limit: reclaim from themselves first, then a victim of their own.

Rules: mm/memcontrol.c, try_charge_memcg and mem_cgroup_out_of_memory (6.18);
mem_cgroup_charge_common (2.6.25).
"""

from __future__ import annotations

import errno

import pytest

import swapfast as sf
from tests.support.swapfiles import PAGE, PROFILES, SwapfileMaker

LIMIT = 16  # pages


def _machine(profile: str) -> sf.Machine:
    return sf.Machine("4MiB", profile=profile, cache=0, contents=False)


@pytest.mark.parametrize("profile", PROFILES)
def test_the_victim_is_in_the_group(profile: str) -> None:
    """Somebody outside has more memory, and is left alone; so is the smaller one inside."""
    machine = _machine(profile)
    group = machine.memory_group(LIMIT * PAGE)
    outside, big, small = (machine.init.fork(name) for name in ("outside", "big", "small"))
    outside.mmap(64 * PAGE).touch(write=True)
    group.add(big)
    group.add(small)
    small.mmap(4 * PAGE).touch(write=True)
    heap = big.mmap(LIMIT * PAGE)
    with pytest.raises(sf.TaskKilled) as killed:
        heap.touch(write=True)
    assert killed.value.pid == big.pid
    assert outside.alive and small.alive and not big.alive
    assert group.current == 4 * PAGE
    assert sum("illed process" in line for line in machine.log) == 1


@pytest.mark.parametrize("profile", PROFILES)
def test_the_biggest_dies_not_the_one_who_asks(profile: str) -> None:
    machine = _machine(profile)
    group = machine.memory_group(LIMIT * PAGE)
    big, small = machine.init.fork("big"), machine.init.fork("small")
    for task in (big, small):
        group.add(task)
    big.mmap((LIMIT - 2) * PAGE).touch(write=True)
    small.mmap(4 * PAGE).touch(write=True)  # asks for the page too many, and goes on
    assert small.alive and not big.alive
    assert group.current == 4 * PAGE


@pytest.mark.parametrize("profile", PROFILES)
def test_nobody_dies_while_there_is_swap(profile: str, make_swap: SwapfileMaker) -> None:
    """The limit is on memory: three times as much fits with the swapfile, seven times does not."""
    machine = _machine(profile)
    machine.init.swapon(make_swap("s1", pages=4 * LIMIT + 1))
    group = machine.memory_group(LIMIT * PAGE)
    task = machine.init.fork("job")
    group.add(task)
    task.mmap(3 * LIMIT * PAGE).touch(write=True)
    assert task.alive and group.current <= LIMIT * PAGE
    more = task.mmap(4 * LIMIT * PAGE)
    with pytest.raises(sf.TaskKilled):
        more.touch(write=True)
    assert group.current == 0


@pytest.mark.parametrize("profile", PROFILES)
def test_reclaim_stays_in_the_group(profile: str, make_swap: SwapfileMaker) -> None:
    """Others keep every page in memory while the group swaps."""
    machine = _machine(profile)
    machine.init.swapon(make_swap("s1", pages=256))
    outside, inside = machine.init.fork("outside"), machine.init.fork("inside")
    theirs = outside.mmap(64 * PAGE)
    theirs.touch(write=True)
    machine.memory_group(LIMIT * PAGE).add(inside)
    inside.mmap(8 * LIMIT * PAGE).touch(write=True)
    assert machine.vmstat()["pswpout"] >= 7 * LIMIT
    assert theirs.count()[0] == 64


def test_a_group_of_protected_tasks_is_no_reason_to_panic() -> None:
    """out_of_memory panics for the machine alone; a group's task gets no page, and lives."""
    machine = _machine("6.18")
    group = machine.memory_group(LIMIT * PAGE)
    task = machine.init.fork("job")
    task.oom_score_adj = -1000
    group.add(task)
    heap = task.mmap((LIMIT + 1) * PAGE)
    with pytest.raises(OSError, match="limit") as refused:
        heap.touch(write=True)
    assert refused.value.errno == errno.ENOMEM
    assert task.alive and group.current == LIMIT * PAGE
    assert not any("panic" in line for line in machine.log)
