"""Swap namespaces: what the letter of 2008 states, and every question that it leaves open.

The first half asserts the letter's sentences; the second has one test for each field of ``Rules``,
which shows the difference that each of its values makes.
"""

from __future__ import annotations

import errno
from dataclasses import fields
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

import swapfast as sf
from tests.support.patterns import check, fill
from tests.support.swapfiles import NEWSWAP, PAGE, SwapfileMaker
from tests.support.untouched import refused


def boot(profile: str, memory: str = "1MiB", **rules: str) -> sf.Machine:
    return sf.Machine(memory, profile, overcommit=1, cache=0, rules=sf.Rules(**rules))  # type: ignore[arg-type]


def on(task: sf.Task) -> list[str]:
    """Names of the areas that are on in the task's namespace."""
    return [Path(area.path).name for area in task.swap_ns.areas]


def used(machine: sf.Machine) -> dict[str, int]:
    """Slots in use by file."""
    return {Path(a.path).name: a.info["inuse"] for a in machine.areas.values()}


def push_out(task: sf.Task, pages: int = 400) -> None:
    """Memory pressure that goes away again: what others have goes to their areas."""
    hog = task.mmap(pages * PAGE)
    for _ in range(3):
        hog.touch(write=True)
    hog.munmap()


# ---------------------------------------------------------------- what the letter states


def test_initial_namespace_has_many_areas(profile: str, make_swap: SwapfileMaker) -> None:
    machine = boot(profile)
    for name in "abc":
        machine.init.swapon(make_swap(name))
    assert on(machine.init) == ["a", "b", "c"]
    assert machine.init.swap_ns.initial


def test_child_has_one_area_at_a_time(profile: str, make_swap: SwapfileMaker) -> None:
    machine = boot(profile)
    login = machine.init.clone(NEWSWAP)
    first, second = make_swap("first"), make_swap("second")
    login.swapon(first)
    for task in (login, login.fork()):
        with refused(errno.EPERM, machine, first, second):
            task.swapon(second)
    login.swapoff(first)
    login.swapon(second)
    assert on(login) == ["second"]


def test_area_is_active_in_one_namespace(profile: str, make_swap: SwapfileMaker) -> None:
    machine = boot(profile)
    path = make_swap("s")
    login, other = machine.init.clone(NEWSWAP), machine.init.clone(NEWSWAP)
    login.swapon(path)
    with refused(errno.EBUSY, machine, path):
        other.swapon(path)
    login.swapoff(path)
    other.swapon(path)
    assert (on(login), on(other)) == ([], ["s"])


def test_new_namespace_has_no_swapfile(profile: str, make_swap: SwapfileMaker) -> None:
    """Nothing of it is swapped, though the host's area has room: it meets the OOM killer."""
    machine = boot(profile)
    machine.init.swapon(make_swap("host", 1000))
    login = machine.init.clone(NEWSWAP)
    assert not login.swap_ns.initial and on(login) == []
    with pytest.raises(sf.TaskKilled):
        login.mmap(400 * PAGE).touch(write=True)
    assert used(machine) == {"host": 0}


def test_fork_stays_in_the_namespace(profile: str, make_swap: SwapfileMaker) -> None:
    machine = boot(profile)
    login = machine.init.clone(NEWSWAP)
    login.swapon(make_swap("s", 500))
    child, thread = login.fork(), login.clone(sf.CLONE_VM)
    assert child.swap_ns is thread.swap_ns is login.swap_ns
    assert login.swap_ns.tasks == 3
    fill(child.mmap(300 * PAGE), "child")
    assert used(machine)["s"] > 0


def test_made_by_clone_only(profile: str) -> None:
    machine = boot(profile)
    with refused(errno.EINVAL, machine):
        machine.init.unshare(NEWSWAP)
    login = machine.init.clone(NEWSWAP)
    ns = login.swap_ns
    login.unshare(sf.CLONE_NEWIPC)
    assert login.swap_ns is ns


def test_clone_needs_newipc_and_excludes_vm(profile: str) -> None:
    machine = boot(profile)
    for flags in (sf.CLONE_NEWSWAP, NEWSWAP | sf.CLONE_VM, sf.CLONE_NEWSWAP | sf.CLONE_VM):
        with refused(errno.EINVAL, machine):
            machine.init.clone(flags)
    login = machine.init.clone(NEWSWAP)
    assert login.swap_ns is not machine.init.swap_ns
    assert login.ipc_ns is not machine.init.ipc_ns


def test_one_flag_with_two_names() -> None:
    assert sf.CLONE_NEWSWAP == sf.CLONE_SWAPNS == sf.NEWSWAP == 1 << 32


def test_clone_newipc_alone_makes_no_swap_namespace(profile: str) -> None:
    machine = boot(profile)
    other = machine.init.clone(sf.CLONE_NEWIPC)
    assert other.swap_ns is machine.init.swap_ns


def test_initial_tasks_do_not_use_a_childs_area(profile: str, make_swap: SwapfileMaker) -> None:
    machine = boot(profile)
    login = machine.init.clone(NEWSWAP)
    login.swapon(make_swap("s", 1000))
    host = machine.init.fork("host")
    with pytest.raises(sf.TaskKilled):
        host.mmap(400 * PAGE).touch(write=True)
    assert used(machine) == {"s": 0}


def test_no_fallback_when_the_own_area_is_full(profile: str, make_swap: SwapfileMaker) -> None:
    machine = boot(profile)
    machine.init.swapon(make_swap("host", 1000))
    login = machine.init.clone(NEWSWAP)
    login.swapon(make_swap("own", 50))
    heap = login.mmap(400 * PAGE)
    with pytest.raises(sf.TaskKilled):
        heap.touch(write=True)
    assert used(machine) == {"host": 0}  # the namespace is gone, and its area with it


def test_pressure_of_one_pushes_the_others_pages_into_their_own_file(
    profile: str, make_swap: SwapfileMaker
) -> None:
    """kswapd and direct reclaim are global; each page still goes to its owner's file."""
    machine = boot(profile, "2MiB")
    logins = []
    for name in ("one", "two"):
        login = machine.init.clone(NEWSWAP, name)
        login.swapon(make_swap(name, 1000))
        logins.append(login)
    one, two = (login.mmap(300 * PAGE) for login in logins)
    fill(one, "one")
    fill(two, "two")
    fill(logins[1].mmap(500 * PAGE), "two")
    files = {Path(a.path).name: Path(a.path).read_bytes() for a in machine.areas.values()}
    assert b"<one page" in files["one"] and b"<two page" not in files["one"]
    assert b"<two page" in files["two"] and b"<one page" not in files["two"]
    check(one, "one")
    check(two, "two")


def test_global_tests_do_not_know_the_filter(profile: str, make_swap: SwapfileMaker) -> None:
    machine = boot(profile)
    login = machine.init.clone(NEWSWAP)
    login.swapon(make_swap("own", 100))
    machine.init.swapon(make_swap("host", 200))
    total = sum(a.info["pages"] for a in machine.areas.values())
    assert machine.meminfo()["SwapTotal"] == total * 4
    for task in (login, machine.init):
        assert task.sysinfo().totalswap == task.sysinfo().freeswap == total * PAGE


def test_inherited_swap_entries_fault_in_and_are_then_the_childs(
    profile: str, make_swap: SwapfileMaker
) -> None:
    machine = boot(profile)
    parent = machine.init.clone(NEWSWAP)
    parent.swapon(make_swap("parent", 1000))
    heap = parent.mmap(100 * PAGE)
    fill(heap, "parent")
    push_out(parent)
    swapped = heap.count()[1]
    assert swapped > 0
    child = parent.clone(NEWSWAP)
    child.swapon(make_swap("child", 1000))
    copy = heap.inherited_by(child)
    assert copy.count()[1] == swapped
    assert used(machine)["child"] == 0
    fill(copy, "child")  # copy on write: pages of its own
    push_out(child)
    assert used(machine)["child"] > 0
    check(heap, "parent")
    check(copy, "child")
    parent.swapoff(parent.swap_ns.areas[0].path)  # finds entries of the child, too
    check(copy, "child")


def test_swapoff_in_the_parent_finds_what_a_child_inherited(
    profile: str, make_swap: SwapfileMaker
) -> None:
    machine = boot(profile)
    path = make_swap("host", 1000)
    machine.init.swapon(path)
    parent = machine.init.fork()
    heap = parent.mmap(100 * PAGE)
    fill(heap, "parent")
    push_out(parent)
    child = parent.clone(NEWSWAP)
    copy = heap.inherited_by(child)
    parent.exit()
    assert copy.count()[1] > 0
    machine.init.swapoff(path)
    assert copy.count()[:2] == (100, 0)
    check(copy, "parent")


# ---------------------------------------------------------------- what it leaves open


def test_the_defaults() -> None:
    assert sf.Rules() == sf.Rules(
        mixed_pages="first-mm",
        shared_pages="initial",
        inherited_swap="keep",
        last_exit="swapoff",
        nested="allow",
        second_swapon="EPERM",
        one_area_check="early",
        swapon_again="allow",
        proc_swaps="global",
        sysinfo="global",
    )
    assert sf.Rules.strict() == sf.Rules(mixed_pages="strict", shared_pages="strict")


def test_every_rule_has_a_test_here_and_refuses_other_values() -> None:
    hints = get_type_hints(sf.Rules)
    for rule in fields(sf.Rules):
        assert f"test_rule_{rule.name}" in globals()
        for value in get_args(hints[rule.name]):
            sf.Rules(**{rule.name: value})
        with pytest.raises(ValueError, match=f"rule {rule.name} is one of"):
            sf.Rules(**{rule.name: "maybe"})


@pytest.mark.parametrize("value", ["first-mm", "allocator", "strict"])
def test_rule_mixed_pages(profile: str, make_swap: SwapfileMaker, value: str) -> None:
    """A page made in the host, shared by fork with two logins; the host's process exits.

    Then the first mm is the first login's; the allocator is still the host; and strict never
    swaps a page that two namespaces map.
    """
    machine = boot(profile, "2MiB", mixed_pages=value)
    machine.init.swapon(make_swap("host", 1000))
    shell = machine.init.fork()
    heap = shell.mmap(50 * PAGE)
    fill(heap, "shell")
    logins = [shell.clone(NEWSWAP, name) for name in ("one", "two")]
    for login in logins:
        login.swapon(make_swap(login.name, 1000))
    shell.exit()
    hog = logins[1].mmap(500 * PAGE)
    for _ in range(3):
        hog.touch(write=True)
    slots = used(machine)
    hogged = hog.count()[1]
    out = heap.inherited_by(logins[0]).count()[1]
    assert slots["two"] >= hogged > 0
    expected = {"first-mm": ("one", "host"), "allocator": ("host", "one"), "strict": (None, None)}
    mine, other = expected[value]
    if mine is None or other is None:
        assert (slots["one"], slots["host"], out) == (0, 0, 0)
    else:
        assert slots[mine] >= out > 0
        assert slots[other] == 0
    for login in logins:
        check(heap.inherited_by(login), "shell")


@pytest.mark.parametrize("value", ["initial", "first-toucher", "strict"])
def test_rule_shared_pages(profile: str, make_swap: SwapfileMaker, value: str) -> None:
    """MAP_SHARED memory of two logins: the hole that CLONE_NEWIPC does not close."""
    machine = boot(profile, "2MiB", shared_pages=value)
    machine.init.swapon(make_swap("host", 1000))
    shell = machine.init.fork()
    common = shell.mmap(50 * PAGE, shared=True)
    logins = [shell.clone(NEWSWAP, name) for name in ("one", "two")]
    for login in logins:
        login.swapon(make_swap(login.name, 1000))
    shell.exit()
    fill(common.inherited_by(logins[0]), "one")
    check(common.inherited_by(logins[1]), "one")
    hog = logins[1].mmap(500 * PAGE)
    for _ in range(3):
        hog.touch(write=True)
    slots = used(machine)
    expected = {"initial": {"host"}, "first-toucher": {"one"}, "strict": set()}[value]
    assert {name for name in ("host", "one") if slots[name]} == expected
    # What one wrote goes to the host's file, or to its own, or nowhere. Reading is no leak.
    assert (machine.core.counters()["leaked"] > 0) == (value == "initial")
    for login in logins:
        check(common.inherited_by(login), "one")


@pytest.mark.parametrize(("value", "swapped"), [("keep", True), ("swap-in", False)])
def test_rule_inherited_swap(
    profile: str, make_swap: SwapfileMaker, value: str, swapped: bool
) -> None:
    machine = boot(profile, "2MiB", inherited_swap=value)
    machine.init.swapon(make_swap("host", 1000))
    shell = machine.init.fork()
    heap = shell.mmap(100 * PAGE)
    fill(heap, "shell")
    push_out(shell, 500)
    before = heap.count()[1]
    assert before > 0
    child = shell.clone(NEWSWAP)
    copy = heap.inherited_by(child)
    assert (copy.count()[1] > 0) == swapped
    assert heap.count()[1] == before  # the parent's own entries stay
    check(copy, "shell")
    plain = shell.fork()  # fork without the flag reads nothing
    assert heap.inherited_by(plain).count()[1] == heap.count()[1]


@pytest.mark.parametrize(("value", "stays"), [("swapoff", False), ("orphan", True)])
def test_rule_last_exit(profile: str, make_swap: SwapfileMaker, value: str, stays: bool) -> None:
    machine = boot(profile, last_exit=value)
    path = make_swap("s", 500)
    login = machine.init.clone(NEWSWAP)
    login.swapon(path)
    child = login.fork()
    fill(child.mmap(300 * PAGE), "child")
    assert used(machine)["s"] > 0
    login.exit()
    assert used(machine)["s"] > 0  # not the last one
    reads = machine.vmstat()["pswpin"]
    child.exit()
    assert machine.vmstat()["pswpin"] == reads  # nothing is left to read back
    assert used(machine) == ({"s": 0} if stays else {})
    other = machine.init.clone(NEWSWAP)
    if stays:
        (area,) = machine.areas.values()
        assert area.orphaned
        with refused(errno.EBUSY, machine, path):
            other.swapon(path)
        with refused(errno.EINVAL, machine, path):
            other.swapoff(path)
        machine.init.swapoff(path)
    other.swapon(path)
    machine.verify()


@pytest.mark.parametrize("value", ["allow", "deny"])
def test_rule_nested(profile: str, make_swap: SwapfileMaker, value: str) -> None:
    machine = boot(profile, nested=value)
    login = machine.init.clone(NEWSWAP)
    login.swapon(make_swap("login"))
    if value == "deny":
        with refused(errno.EPERM, machine):
            login.clone(NEWSWAP)
        login.fork()
        machine.init.clone(NEWSWAP)
        return
    inner = login.clone(NEWSWAP)
    assert inner.swap_ns is not login.swap_ns
    assert on(inner) == []  # fresh, no hierarchy
    inner.swapon(make_swap("inner"))
    login.exit()
    assert on(inner) == ["inner"]


@pytest.mark.parametrize("value", ["EPERM", "EINVAL", "EBUSY"])
@pytest.mark.parametrize("check_at", ["early", "late"])
def test_rule_second_swapon(
    profile: str, make_swap: SwapfileMaker, value: str, check_at: str
) -> None:
    machine = boot(profile, second_swapon=value, one_area_check=check_at)
    login = machine.init.clone(NEWSWAP)
    login.swapon(make_swap("first"))
    second = make_swap("second")
    with refused(getattr(errno, value), machine, second):
        login.swapon(second)


@pytest.mark.parametrize("value", ["early", "late"])
def test_rule_one_area_check(profile: str, make_swap: SwapfileMaker, value: str) -> None:
    """Early: beside MAX_SWAPFILES, before the path. Late: what open(2) says, and EBUSY, precede."""
    machine = boot(profile, one_area_check=value)
    login = machine.init.clone(NEWSWAP)
    path, host, broken = make_swap("s"), make_swap("host"), make_swap("broken")
    broken.write_bytes(bytes(20 * PAGE))
    login.swapon(path)
    machine.init.swapon(host)
    early = value == "early"
    for file, code in (
        (path.with_name("none"), errno.ENOENT),
        (path.parent, errno.EINVAL),  # not a regular file
        (path, errno.EBUSY),
        (host, errno.EBUSY),
        (broken, errno.EPERM),  # the header is read after either place
    ):
        with refused(errno.EPERM if early else code, machine, path, host, broken):
            login.swapon(file)


@pytest.mark.parametrize("value", ["allow", "once"])
def test_rule_swapon_again(profile: str, make_swap: SwapfileMaker, value: str) -> None:
    machine = boot(profile, swapon_again=value)
    login = machine.init.clone(NEWSWAP)
    first, second = make_swap("first"), make_swap("second")
    with refused(errno.ENOENT, machine):  # a failed one does not count
        login.swapon(first.with_name("none"))
    login.swapon(first)
    login.swapoff(first)
    for path in (first, second):
        if value == "once":
            with refused(errno.EPERM, machine, first, second):
                login.swapon(path)
        else:
            login.swapon(path)
            login.swapoff(path)
    for path in (first, second):  # the host is not bound by it
        machine.init.swapon(path)
        machine.init.swapoff(path)


@pytest.mark.parametrize("value", ["global", "namespaced"])
def test_rule_proc_swaps(profile: str, make_swap: SwapfileMaker, value: str) -> None:
    machine = boot(profile, proc_swaps=value)
    first, second = machine.init.clone(NEWSWAP), machine.init.clone(NEWSWAP)
    machine.init.swapon(make_swap("host"))
    first.swapon(make_swap("first"))

    def seen(task: sf.Task) -> list[str]:
        lines = task.read_proc_swaps().splitlines()[1:]
        return [line.split()[0].rsplit("/", 1)[-1] for line in lines]

    everything = ["host", "first"]
    assert seen(machine.init) == everything
    assert seen(first) == (everything if value == "global" else ["first"])
    assert seen(second) == (everything if value == "global" else [])


@pytest.mark.parametrize("value", ["global", "namespaced"])
def test_rule_sysinfo(profile: str, make_swap: SwapfileMaker, value: str) -> None:
    machine = boot(profile, sysinfo=value)
    first, second = machine.init.clone(NEWSWAP), machine.init.clone(NEWSWAP)
    machine.init.swapon(make_swap("host", 1000))
    first.swapon(make_swap("first", 500))
    fill(first.mmap(300 * PAGE), "first")
    host, own = (a.info for a in machine.areas.values())
    total, out = own["pages"], own["inuse"]
    assert out > 0
    all_of_it = (host["pages"] + total) * PAGE, (host["pages"] + total - out) * PAGE
    views = {
        "global": (all_of_it, all_of_it, all_of_it),
        "namespaced": (all_of_it, (total * PAGE, (total - out) * PAGE), (0, 0)),
    }
    for task, expected in zip((machine.init, first, second), views[value], strict=True):
        info = task.sysinfo()
        assert (info.totalswap, info.freeswap) == expected
        assert info.totalram == 1 << 20


# ---------------------------------------------------------------- isolation as a whole


def test_strict_rules_let_no_byte_cross(profile: str, make_swap: SwapfileMaker) -> None:
    """The letter's `strings` test, with every way of sharing at once."""
    machine = sf.Machine("2MiB", profile, overcommit=1, cache=0, rules="strict")
    machine.init.swapon(make_swap("host", 2000))
    shell = machine.init.fork()
    fill(shell.mmap(40 * PAGE), "shell")
    fill(shell.mmap(40 * PAGE, shared=True), "common")
    logins = [shell.clone(NEWSWAP, name) for name in ("one", "two")]
    for login in logins:
        login.swapon(make_swap(login.name, 2000))
        check(login.mappings[1], "common")
        segment = login.shmat(login.shmget(7, 60 * PAGE, sf.IPC_CREAT | 0o600))
        fill(segment, f"{login.name} shm")
        fill(login.mmap(300 * PAGE), login.name)
    for login in logins:
        check(login.mappings[0], "shell")
        check(login.mappings[3], login.name)
        check(login.mappings[2], f"{login.name} shm")
    assert machine.core.counters()["leaked"] == 0
    files = {Path(a.path).name: Path(a.path).read_bytes() for a in machine.areas.values()}
    for name, other in (("one", b"<two"), ("two", b"<one")):
        assert f"<{name} page".encode() in files[name]
        for mark in (other, b"<shell", b"<common"):
            assert mark not in files[name]
    assert b"<one" not in files["host"] and b"<two" not in files["host"]


def test_the_area_of_a_killed_namespace_is_off(profile: str, make_swap: SwapfileMaker) -> None:
    machine = boot(profile)
    path = make_swap("s", 100)
    login = machine.init.clone(NEWSWAP)
    login.swapon(path)
    with pytest.raises(sf.TaskKilled):
        fill(login.mmap(600 * PAGE), "login")
    assert machine.areas == {}
    memory = machine.core.memory()
    assert (memory["used"], memory["total_swap"], memory["free_swap"]) == (0, 0, 0)
    machine.init.swapon(path)


def test_the_old_name_of_a_namespaces_scope() -> None:
    ns = boot("6.18").init.clone(NEWSWAP).swap_ns
    with pytest.warns(DeprecationWarning, match="is called scope"):
        assert ns.owner == ns.scope != 0
