"""Option oom_scope: among whom the OOM killer chooses when the machine is full."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

import swapfast as sf
from swapfast.core import area_table
from swapfast.kernel.oom_scope import suspects
from tests.support.swapfiles import NEWSWAP, PAGE, SwapfileMaker

SCOPES = ("kernel", "namespace", "owner-of-full-area")


def boot(scope: str, profile: str = "6.18", pages: int = 256) -> sf.Machine:
    return sf.Machine(pages * PAGE, profile, cache=0, overcommit=1, oom_scope=scope)


def crowd(machine: sf.Machine, make_swap: SwapfileMaker) -> dict[str, sf.Task]:
    """A large task of the host; two in a namespace, whose file of 63 slots is full.

    The machine has 256 pages, the host's area 999 slots.
    """
    machine.init.swapon(make_swap("host", 1000))
    host = machine.init.fork("host")
    login = machine.init.clone(NEWSWAP, "elder")
    login.swapon(make_swap("login", 64))
    younger = login.fork("younger")
    login.mmap(55 * PAGE).touch(write=True)
    younger.mmap(20 * PAGE).touch(write=True)
    heap = host.mmap(500 * PAGE)
    heap.touch(write=True)
    heap.touch(write=True)
    return {"host": host, "elder": login, "younger": younger}


@pytest.mark.parametrize(
    ("scope", "victim"), [("kernel", "host"), ("namespace", "younger"), (SCOPES[2], "elder")]
)
def test_each_rule_takes_another_one(scope: str, victim: str, make_swap: SwapfileMaker) -> None:
    """The younger one needs more than the machine can give, with the file of its namespace full."""
    machine = boot(scope)
    tasks = crowd(machine, make_swap)
    used = [area.info["inuse"] for area in machine.areas.values()]
    assert used[0] < 400 and used[1] == 63, "the host's area has room, the other one has not"
    heap = tasks["younger"].mmap(400 * PAGE)
    with suppress(sf.TaskKilled):
        heap.touch(write=True)
    first = machine.oom_records[0]
    assert (first.victim_name, first.rule, first.level) == (victim, scope, "machine")
    assert first.trigger_name == "younger" and first.free_slots_allowed == 0
    assert first.free_slots > 400
    machine.verify()


@pytest.mark.parametrize("scope", SCOPES)
def test_in_a_namespace_of_all_every_rule_is_the_kernels(scope: str) -> None:
    """Who asks is alone there, or no area is full: the largest dies as ever."""
    machine = boot(scope)
    big, small = machine.init.fork("big"), machine.init.fork("small")
    big.mmap(150 * PAGE).touch(write=True)
    small.mmap(130 * PAGE).touch(write=True)
    (record,) = machine.oom_records
    assert record.victim_name == "big"
    assert record.rule == ("namespace" if scope == "namespace" else "kernel")


@pytest.mark.parametrize("scope", SCOPES)
def test_at_a_limit_the_kernels_rule_holds(scope: str) -> None:
    machine = boot(scope)
    pods = machine.cgroup("/pods", max=50 * PAGE)
    big, small = machine.init.fork("big"), machine.init.fork("small")
    for task in (big, small):
        pods.add(task)
    big.mmap(35 * PAGE).touch(write=True)
    small.mmap(20 * PAGE).touch(write=True)
    (record,) = machine.oom_records
    assert (record.victim_name, record.rule, record.level) == ("big", "kernel", "/pods")


def test_nobody_in_the_namespace_may_be_killed(make_swap: SwapfileMaker) -> None:
    machine = boot("namespace")
    machine.init.fork("host").mmap(150 * PAGE).touch(write=True)
    login = machine.init.clone(NEWSWAP, "login")
    login.swapon(make_swap("login"))
    login.oom_score_adj = -1000
    login.mmap(150 * PAGE).touch(write=True)
    (record,) = machine.oom_records
    assert (record.victim_name, record.rule) == ("host", "kernel")


def test_a_child_goes_first_only_where_it_is_one_of_those(make_swap: SwapfileMaker) -> None:
    """2.6.25 kills a child in place of the worst task; not one of another namespace."""
    for scope, victim in (("kernel", "child"), ("namespace", "elder")):
        machine = boot(scope, "2.6.25")
        login = machine.init.clone(NEWSWAP, "elder")
        login.swapon(make_swap(f"login-{scope}", 64))
        child = login.clone(NEWSWAP, "child")
        with pytest.raises(sf.TaskKilled) if victim == "elder" else pytest.raises(Exception):
            login.mmap(400 * PAGE).touch(write=True)
        assert machine.oom_records[0].victim_name == victim
        assert child.alive == (victim == "elder")


def test_slots_are_counted_for_all_who_share_the_data(make_swap: SwapfileMaker) -> None:
    """After fork both have the slots; a shared object's are of all that map it."""
    machine = sf.Machine(
        "1MiB", cache=0, oom_scope=SCOPES[2], rules=sf.Rules(shared_pages="first-toucher")
    )
    login = machine.init.clone(NEWSWAP, "login")
    login.swapon(make_swap("login", 41))
    (area,) = machine.areas.values()
    private, shared = login.mmap(20 * PAGE), login.mmap(20 * PAGE, shared=True)
    private.touch(write=True)
    shared.touch(write=True)
    child = login.fork("child")
    other = machine.init.fork("other")
    machine.cgroup("/").reclaim("1MiB")
    slots = area_table.owners(machine.core, area.number)
    count = {
        name: int(slots[m.number])
        for name, m in (("private", private), ("child", child.mappings[0]), ("shared", shared))
    }
    assert count["private"] == count["child"] and count["shared"] == 0
    assert shared.object is not None
    assert (count["private"], slots[shared.object.number], area.info["inuse"]) == (20, 20, 40)
    rule, those = suspects(machine.kernel, login, [login, child, other])
    assert (rule, those) == ("owner-of-full-area", {login: 40, child: 40})
    shared.munmap()
    rule, those = suspects(machine.kernel, child, [login, child, other])
    assert (rule, those) == ("owner-of-full-area", {login: 20, child: 40})
    child.exit()
    rule, those = suspects(machine.kernel, login, [login, other])
    assert (rule, those) == ("kernel", {login: 0, other: 0}), "it is not full any more"


def test_the_option_is_one_of_three_and_in_an_image(
    make_swap: SwapfileMaker, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="oom_scope is one of kernel, namespace, owner-of-full"):
        boot("biggest")
    for scope in SCOPES:
        machine = boot(scope)
        login = machine.init.clone(NEWSWAP, "login")
        login.swapon(make_swap(f"of-{scope}", 64))
        login.mmap(4 * PAGE).touch(write=True)
        path = tmp_path / f"{scope}.img"
        machine.checkpoint(login.swap_ns, path)
        machine.close()
        with sf.Machine.restart(path) as again:
            assert again.options.oom_scope == scope
