"""cgroup v2: files and their errors, limits on a tree, who dies.

Rules: Documentation/admin-guide/cgroup-v2.rst; mm/memcontrol.c, mm/oom_kill.c and
kernel/cgroup/cgroup.c of 6.18.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from errno import EAGAIN, EBUSY, EEXIST, EINVAL, ENODEV, ENOENT, ERANGE, ESRCH
from typing import Any

import pytest

import swapfast as sf
from swapfast.core import memcg_table
from swapfast.kernel.groups import MOST_DEPTH
from tests.support.swapfiles import PAGE, PROFILES

LIMITS = ("memory.max", "memory.high", "memory.low", "memory.min")
SWAP_LIMITS = ("memory.swap.max", "memory.swap.high")


def boot(swap: int = 1000, memory: str = "4MiB") -> sf.Machine:
    """A machine with so many slots."""
    machine = sf.Machine(memory, cache=0, contents=False, overcommit=1)
    if swap:
        machine.add_swap((swap + 1) * PAGE)
    return machine


def program(machine: sf.Machine, cgroup: sf.Cgroup, pages: int, name: str = "job") -> sf.Task:
    """A task that has written to so many pages."""
    task = machine.init.fork(name)
    cgroup.add(task)
    if pages:
        task.mmap(pages * PAGE).touch(write=True)
    return task


def files(cgroup: sf.Cgroup) -> dict[str, str]:
    """All that can be read."""
    return {name: cgroup[name] for name in cgroup if name != "memory.reclaim"}


def refuses(code: int, call: Callable[[], Any]) -> str:
    """The sentence of a refusal."""
    with pytest.raises(OSError) as caught:
        call()
    assert errno.errorcode[caught.value.errno or 0] == errno.errorcode[code], caught.value
    sentence = caught.value.strerror or ""
    assert len(sentence) > 10, "a sentence, not a bare number"
    return sentence


# ---------------------------------------------------------------- files

TAKEN = [
    *((name, "64M\n", "67108864\n") for name in (*LIMITS, *SWAP_LIMITS)),
    *((name, "max", "max\n") for name in (*LIMITS, *SWAP_LIMITS)),
    ("memory.max", " 5k ", "4096\n"),
    ("memory.max", "8191", "4096\n"),
    ("memory.max", "0x10000", "65536\n"),
    ("memory.max", "010000", "4096\n"),
    ("memory.max", "1T", f"{1 << 40}\n"),
    ("memory.max", "8E", "max\n"),
    ("memory.max", "16E", "0\n"),  # 64 bits, as in memparse
    ("memory.max", "\n", "0\n"),  # a number without digits is 0
    ("memory.oom.group", "1", "1\n"),
    ("memory.oom.group", "0x0", "0\n"),
    ("memory.peak", "reset", "0\n"),
]


@pytest.mark.parametrize(("name", "text", "shown"), TAKEN)
def test_a_file_takes(name: str, text: str, shown: str) -> None:
    cgroup = boot().cgroup("/a")
    before = files(cgroup)
    cgroup[name] = text
    assert cgroup[name] == shown
    assert files(cgroup) == {**before, name: shown}


REFUSED = [
    *((name, text, EINVAL) for name in LIMITS for text in ("lots", "-1", "64MB", "1 M", "1.5M")),
    *((f"memory.{n}", "1", EINVAL) for n in ("current", "events", "stat", "swap.current")),
    ("memory.swap.max", "maximum", EINVAL),
    ("memory.swap.events", "0", EINVAL),
    ("memory.oom.group", "2", EINVAL),
    ("memory.oom.group", "-1", EINVAL),
    ("memory.oom.group", "", EINVAL),
    ("memory.oom.group", "1M", EINVAL),
    ("memory.oom.group", "99999999999", ERANGE),
    ("memory.reclaim", "", EINVAL),
    ("memory.reclaim", "max", EINVAL),
    ("memory.reclaim", "1M swappiness=201", EINVAL),
    ("memory.reclaim", "1M swappiness=", EINVAL),
    ("memory.reclaim", "1M source=zswap", EINVAL),
    ("memory.reclaim", "1M", EAGAIN),
    ("memory.reclaim", "1M swappiness=max", EAGAIN),
    ("cgroup.procs", "job", EINVAL),
    ("cgroup.procs", "-1", EINVAL),
    ("cgroup.procs", "0", EINVAL),
    ("cgroup.procs", "99", ESRCH),
    ("memory.maximum", "1", ENOENT),
]


@pytest.mark.parametrize(("name", "text", "code"), REFUSED)
def test_a_file_refuses(name: str, text: str, code: int) -> None:
    cgroup = boot().cgroup("/a", max="1M")
    before = files(cgroup)
    refuses(code, lambda: cgroup.__setitem__(name, text))
    assert files(cgroup) == before


def test_a_new_cgroup_reads_as_the_kernel_prints_it() -> None:
    cgroup = boot().cgroup("/a")
    stat = dict(line.split(" ") for line in cgroup["memory.stat"].splitlines())
    assert list(stat)[:2] == ["anon", "shmem"] and set(stat.values()) == {"0"}
    shown = files(cgroup)
    del shown["memory.stat"]
    assert shown == {
        "cgroup.procs": "",
        **dict.fromkeys(
            ("cpu.pressure", "io.pressure", "memory.pressure"),
            "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
            "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
        ),
        "memory.current": "0\n",
        "memory.events": "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n",
        "memory.high": "max\n",
        "memory.low": "0\n",
        "memory.max": "max\n",
        "memory.min": "0\n",
        "memory.oom.group": "0\n",
        "memory.peak": "0\n",
        "memory.swap.current": "0\n",
        "memory.swap.events": "high 0\nmax 0\nfail 0\n",
        "memory.swap.high": "max\n",
        "memory.swap.max": "max\n",
        "memory.swap.peak": "0\n",
    }


def test_what_is_only_written_cannot_be_read_and_names_are_guessed() -> None:
    cgroup = boot().cgroup("/a")
    refuses(EINVAL, lambda: cgroup["memory.reclaim"])
    assert "memory.swap.max" in refuses(ENOENT, lambda: cgroup["swap.max"])
    refuses(ENOENT, lambda: cgroup[""])


def test_attributes_are_the_files() -> None:
    machine = boot()
    cgroup = machine.cgroup("/a", max="1MiB", swap_max=None, low=3 * PAGE + 1)
    assert (cgroup.max, cgroup.swap_max, cgroup.low, cgroup.min) == (1 << 20, None, 3 * PAGE, 0)
    cgroup.high, cgroup.max, cgroup.oom_group = "512K", None, True
    assert cgroup["memory.high"] == "524288\n" and cgroup["memory.max"] == "max\n"
    assert cgroup.oom_group and cgroup["memory.oom.group"] == "1\n"
    task = program(machine, cgroup, 10)
    assert (cgroup.current, cgroup.peak, cgroup.swap_current) == (10 * PAGE, 10 * PAGE, 0)
    assert cgroup["cgroup.procs"] == f"{task.pid}\n"
    assert cgroup.events["high"] == cgroup.swap_events["fail"] == cgroup.swap_peak == 0
    assert set(cgroup) >= {"memory.max", "memory.reclaim"}
    with pytest.raises(ValueError, match="size"):
        cgroup.max = "much"


def test_the_root_is_the_machine() -> None:
    machine = boot()
    root = machine.cgroup("/")
    assert root == machine.cgroup("//") and root.path == "/" and root.parent is None
    pressure = ["cpu.pressure", "io.pressure", "memory.pressure"]
    assert list(root) == ["cgroup.procs", *pressure, "memory.reclaim", "memory.stat"]
    program(machine, root, 100)
    assert root.stat()["anon"] == 100 * PAGE and root["cgroup.procs"] == "1\n2\n"
    refuses(ENOENT, lambda: root["memory.max"])
    refuses(ENOENT, lambda: machine.cgroup("/", max="1M"))
    root["memory.reclaim"] = str(50 * PAGE)
    assert root.stat()["anon"] <= 50 * PAGE and root.stat()["pgsteal_proactive"] >= 50
    machine.verify()


# ---------------------------------------------------------------- mkdir and rmdir


def test_what_is_above_is_made_too_and_has_no_limits() -> None:
    machine = boot()
    deep = machine.cgroup("/pods/a/main", max="1MiB")
    pods = machine.cgroup("/pods")
    assert pods.max is None and list(pods.children) == ["a"]
    assert deep.parent == pods.children["a"] and deep.parent != pods
    assert deep == machine.cgroup("/pods//a/main/") and len({deep, pods, deep.parent}) == 3
    machine.cgroup("/pods/a/main", high="512KiB")
    assert (deep.max, deep.high) == (1 << 20, 512 << 10), "what is not given stays"
    assert repr(deep) == "<Cgroup /pods/a/main>"


def test_a_cgroup_switches_to_the_rules_of_v2() -> None:
    machine = boot()
    machine.memory_group("1MiB")
    assert not memcg_table.is_v2(machine.core)
    machine.cgroup("/a")
    assert memcg_table.is_v2(machine.core)


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("pods", ValueError),
        ("", ValueError),
        ("/a/../b", ValueError),
        ("/a/./b", ValueError),
        ("/a\nb", ValueError),
        ("/" + "x" * 256, ValueError),
        ("/a/memory.max", EEXIST),
        ("/a" * (MOST_DEPTH + 1), EAGAIN),
    ],
)
def test_a_path_that_is_none_makes_nothing(path: str, error: type[Exception] | int) -> None:
    machine = boot()
    if isinstance(error, int):
        refuses(error, lambda: machine.cgroup(path))
    else:
        with pytest.raises(error):
            machine.cgroup(path)
    assert machine.cgroup("/").children == {}


def test_as_deep_as_the_core_can() -> None:
    machine = boot()
    deep = machine.cgroup("/a" * MOST_DEPTH)
    with pytest.raises(ValueError, match="at most"):
        memcg_table.add(machine.core, "linux-6.18", 0, deep.number)


def test_what_is_refused_makes_nothing() -> None:
    machine = boot()
    with pytest.raises(ValueError, match="size"):
        machine.cgroup("/a/b", max="much")
    with pytest.raises(TypeError, match="swap_max"):
        machine.cgroup("/a/b", swapmax="1M")  # type: ignore[call-arg]
    assert machine.cgroup("/").children == {}
    old = sf.Machine("1MiB", "2.6.25")
    assert "memory_group" in refuses(ENODEV, lambda: old.cgroup("/a"))


def test_tasks_or_children() -> None:
    """No internal processes: a cgroup with memory.max below it has no tasks of its own."""
    machine = boot()
    leaf, other = machine.cgroup("/leaf"), machine.cgroup("/other")
    task = program(machine, leaf, 0)
    assert str(task.pid) in refuses(EBUSY, lambda: machine.cgroup("/leaf/inner"))
    assert leaf.children == {}
    other.add(task)
    machine.cgroup("/leaf/inner")
    assert "inner" in refuses(EBUSY, lambda: leaf.add(task))
    assert other["cgroup.procs"] == f"{task.pid}\n" and leaf["cgroup.procs"] == ""
    machine.cgroup("/").add(task)  # the root may have both
    task.exit()
    refuses(ESRCH, lambda: other.add(task))


def test_rmdir() -> None:
    machine = boot()
    leaf = machine.cgroup("/pods/a")
    pods = machine.cgroup("/pods")
    refuses(EBUSY, machine.cgroup("/").close)
    assert "a is below it" in refuses(EBUSY, pods.close)
    task = program(machine, leaf, 10)
    assert str(task.pid) in refuses(EBUSY, leaf.close)
    machine.cgroup("/").add(task)
    assert "munmap" in refuses(EBUSY, leaf.close), "what it mapped is charged there still"
    task.exit()
    leaf.close()
    assert pods.stat()["pgfault"] == 10, "the one above keeps what was counted"
    assert pods.children == {} and repr(leaf) == "<Cgroup /pods/a (removed)>"
    again = machine.cgroup("/pods/a", max="1MiB")
    assert again.number == leaf.number and again != leaf
    for use in (
        lambda: leaf["memory.max"],
        lambda: list(leaf),
        leaf.close,
        lambda: leaf.reclaim(1),
    ):
        refuses(ENOENT, use)
    refuses(ENOENT, lambda: setattr(leaf, "max", None))
    assert again.max == 1 << 20
    machine.verify()


def test_a_memory_group_is_a_cgroup_with_a_name_of_its_own() -> None:
    machine = boot()
    group = machine.memory_group("64KiB")
    assert group.policy == "linux-6.18" and group.max == 64 << 10
    same = machine.cgroup(group.row.path)
    assert same.max == 64 << 10 and list(machine.cgroup("/").children) == [f"group-{group.number}"]
    taken = machine.cgroup(f"/group-{group.number + 2}")
    assert machine.memory_group().row.path == f"/group-{taken.number + 1}+"
    assert machine.memory_group().max == 0


# ---------------------------------------------------------------- limits on a tree


def test_the_limit_of_the_parent_is_on_the_sum_and_all_give_pages() -> None:
    machine = boot()
    pods = machine.cgroup("/pods", max=200 * PAGE)
    children = [machine.cgroup(f"/pods/{name}") for name in "abc"]
    heaps = []
    for child in children:
        task = program(machine, child, 0)
        heaps.append(task.mmap(100 * PAGE))
    for _ in range(3):
        for heap in heaps:
            heap.touch(write=True)
    assert pods.current == sum(c.current for c in children) <= pods.peak == 200 * PAGE
    assert all(c.stat()["pswpout"] > 0 for c in children)
    assert pods.stat()["pswpout"] == sum(c.stat()["pswpout"] for c in children)
    assert pods.events["max"] > 0 and all(c.events["max"] == 0 for c in children)
    assert machine.oom_records == []
    machine.verify()


def test_events_are_of_all_below() -> None:
    machine = boot()
    leaf = machine.cgroup("/pods/a", max=50 * PAGE)
    program(machine, leaf, 80)
    assert leaf.events["max"] == machine.cgroup("/pods").events["max"] > 0
    assert leaf.events["oom"] == 0 and leaf.swap_current >= 30 * PAGE


@pytest.mark.parametrize("protection", ["low", "min"])
def test_a_protected_sibling_keeps_its_pages(protection: str) -> None:
    def left(**limits: Any) -> tuple[int, int]:
        machine = boot()
        machine.cgroup("/pods", max=200 * PAGE)
        kept = machine.cgroup("/pods/kept", **limits)
        heap = program(machine, kept, 0).mmap(100 * PAGE)
        heap.touch(write=True)
        program(machine, machine.cgroup("/pods/hog"), 300)
        machine.verify()
        return heap.count()[0], kept.events["low"]

    assert left()[0] < 90
    assert left(**{protection: 100 * PAGE}) == (100, 0)


def test_low_gives_way_when_nothing_else_is_left_and_min_does_not() -> None:
    machine = boot()
    pods = machine.cgroup("/pods", max=200 * PAGE)
    low = machine.cgroup("/pods/a", low=300 * PAGE)
    program(machine, low, 300)
    assert low.events["low"] > 0 and pods.events["oom"] == 0
    low.low, low.min = 0, 300 * PAGE
    with pytest.raises(sf.TaskKilled):
        program(machine, low, 300, "more")
    machine.verify()


def test_max_below_what_is_used_reclaims() -> None:
    machine = boot()
    leaf = machine.cgroup("/pods/a")
    task = program(machine, leaf, 100)
    leaf["memory.max"] = str(40 * PAGE)
    assert leaf.current <= 40 * PAGE and task.alive
    assert leaf.swap_current >= 60 * PAGE
    assert leaf.stat()["pgsteal_direct"] >= 60 and leaf.stat()["pgsteal_proactive"] == 0
    machine.verify()


def test_max_below_what_is_used_kills_when_there_is_no_swap() -> None:
    machine = boot(swap=0)
    pods = machine.cgroup("/pods")
    tasks = [program(machine, machine.cgroup(f"/pods/{n}"), n, f"t{n}") for n in (50, 30, 10)]
    pods.max = 20 * PAGE
    assert [t.alive for t in tasks] == [False, False, True] and pods.current == 10 * PAGE
    assert pods.events["oom"] == pods.events["oom_kill"] == 2
    assert machine.cgroup("/pods/50").events["oom_kill"] == 1
    first = machine.oom_records[0]
    assert (first.trigger_pid, first.level, first.cgroup) == (1, "/pods", "/pods/50")
    assert (first.victim_pid, first.rss, first.swap) == (tasks[0].pid, 50, 0)


def test_max_where_nobody_may_be_killed() -> None:
    machine = boot(swap=0)
    leaf = machine.cgroup("/a")
    task = program(machine, leaf, 30)
    task.oom_score_adj = -1000
    leaf.max = 0
    assert task.alive and leaf.current == 30 * PAGE and leaf.max == 0
    assert leaf.events["oom"] == 1 and machine.log == ["Out of memory and no killable processes..."]


def test_high_below_what_is_used_reclaims_once_and_kills_nobody() -> None:
    machine = boot()
    leaf = machine.cgroup("/a")
    task = program(machine, leaf, 100)
    leaf["memory.high"] = str(40 * PAGE)
    assert leaf.current <= 40 * PAGE
    dry = boot(swap=0)
    leaf = dry.cgroup("/a")
    task = program(dry, leaf, 100)
    leaf.high = 0
    assert leaf.current == 100 * PAGE and task.alive and dry.oom_records == []


def test_reclaim_takes_from_all_below() -> None:
    machine = boot()
    pods = machine.cgroup("/pods")
    for name in "ab":
        program(machine, machine.cgroup(f"/pods/{name}"), 100)
    freed = pods.reclaim(100 * PAGE)
    assert 100 * PAGE <= freed < 150 * PAGE and pods.current == 200 * PAGE - freed
    assert pods.stat()["pgsteal_proactive"] * PAGE == freed
    pods["memory.reclaim"] = f"{10 * PAGE} swappiness=60"
    assert "ask for less" in refuses(EAGAIN, lambda: pods.__setitem__("memory.reclaim", "10M"))
    assert pods.current == 0 == pods.reclaim("1MiB")
    machine.verify()


def test_swap_max_ends_in_oom() -> None:
    machine = boot()
    leaf = machine.cgroup("/a", max=50 * PAGE, swap_max=40 * PAGE)
    program(machine, leaf, 60)
    assert leaf.swap_peak <= 40 * PAGE and leaf.events["oom"] == 0
    with pytest.raises(sf.TaskKilled):
        program(machine, leaf, 100, "more")
    assert leaf.swap_events["max"] == leaf.swap_events["fail"] > 0
    first, last = machine.oom_records
    assert first.free_slots_allowed == 0 and first.free_slots > 900
    assert (first.victim_name, last.victim_name) == ("job", "more") and last.level == "/a"
    assert first.rss + first.swap == 60 and last.rss <= 50 and last.swap == 40
    assert 0 < first.scanned < last.scanned and first.free > 900
    machine.verify()


def test_swap_max_below_what_is_used_reads_nothing_back() -> None:
    machine = boot()
    leaf = machine.cgroup("/a", max=50 * PAGE)
    program(machine, leaf, 100)
    used = leaf.swap_current
    leaf.swap_max = 0
    assert leaf.swap_current == used > 0 == leaf.swap_max


# ---------------------------------------------------------------- who dies


def test_the_victim_is_sought_where_the_limit_is() -> None:
    """The parent is full: its largest task dies, which is another cgroup's than asked."""
    machine = boot(swap=0)
    machine.cgroup("/pods", max=100 * PAGE)
    outside = program(machine, machine.cgroup("/other"), 300)
    big = program(machine, machine.cgroup("/pods/big"), 80, "big")
    small = program(machine, machine.cgroup("/pods/small"), 40, "small")
    assert outside.alive and small.alive and not big.alive
    (record,) = machine.oom_records
    assert (record.level, record.cgroup, record.trigger_name) == ("/pods", "/pods/big", "small")
    assert (record.victim_name, record.rss, record.free_slots) == ("big", 80, 0)
    assert sum("Killed process" in line for line in machine.log) == 1


def test_oom_group_takes_everybody_below() -> None:
    machine = boot(swap=0)
    pods = machine.cgroup("/pods", max=100 * PAGE)
    pod = machine.cgroup("/pods/a")
    pod.oom_group = True
    main, side = machine.cgroup("/pods/a/main"), machine.cgroup("/pods/a/side")
    main.oom_group = True  # the highest one counts
    tasks = [program(machine, main, 60), program(machine, main, 5), program(machine, side, 5)]
    spared = program(machine, side, 2, "spared")
    spared.oom_score_adj = -1000
    other = program(machine, machine.cgroup("/pods/b"), 20)
    with pytest.raises(sf.TaskKilled):
        tasks[2].mmap(20 * PAGE).touch(write=True)
    assert not any(t.alive for t in tasks) and spared.alive and other.alive
    assert pods.events["oom_kill"] == pod.events["oom_kill"] == len(machine.oom_records) == 3
    assert side.events["oom_kill"] == 1
    assert pods.events["oom_group_kill"] == pod.events["oom_group_kill"] == 1
    assert main.events["oom_group_kill"] == 0
    assert machine.log[1] == ("Tasks in /pods/a are going to be killed due to memory.oom.group set")
    machine.verify()


def test_oom_group_above_the_full_level_does_not_count() -> None:
    machine = boot(swap=0)
    machine.cgroup("/pods").oom_group = True
    leaf = machine.cgroup("/pods/a", max=50 * PAGE)
    other = program(machine, machine.cgroup("/pods/b"), 5)
    with pytest.raises(sf.TaskKilled):
        program(machine, leaf, 60)
    assert other.alive and machine.cgroup("/pods").events["oom_group_kill"] == 0


def test_oom_group_when_the_machine_is_full() -> None:
    """Every level counts then: the victim's pod dies as a whole."""
    machine = boot(swap=0, memory="1MiB")
    pod = machine.cgroup("/pods/a")
    pod.oom_group = True
    second = program(machine, pod, 5)
    with pytest.raises(sf.TaskKilled):
        program(machine, pod, 300)
    assert not second.alive and [r.level for r in machine.oom_records] == ["machine"] * 2


@pytest.mark.parametrize("profile", PROFILES)
def test_every_kill_is_a_record(profile: str) -> None:
    machine = sf.Machine("1MiB", profile, cache=0, contents=False, overcommit=1)
    group = machine.memory_group(16 * PAGE)
    task = machine.init.fork("job")
    group.add(task)
    with pytest.raises(sf.TaskKilled):
        task.mmap(20 * PAGE).touch(write=True)
    big = machine.init.fork("big")
    with pytest.raises(sf.TaskKilled):
        big.mmap(300 * PAGE).touch(write=True)
    first, second = machine.oom_records
    assert (first.level, first.cgroup, first.rss) == (group.row.path, group.row.path, 16)
    assert (second.level, second.cgroup, second.victim_pid) == ("machine", "/", big.pid)
    assert 0 < first.time_ns < second.time_ns == machine.now
    with pytest.raises(AttributeError):
        first.rss = 1  # type: ignore[misc]


# ---------------------------------------------------------------- faults


def test_faults_are_counted_by_cgroup() -> None:
    machine = boot()
    leaf, other = machine.cgroup("/pods/a", max=50 * PAGE), machine.cgroup("/b")
    task = program(machine, leaf, 0)
    heap = task.mmap(100 * PAGE)
    heap.touch(write=True)
    heap.touch()
    program(machine, other, 7)
    stat = leaf.stat()
    assert (stat["pgfault"], stat["pgmajfault"]) == (task.min_flt + task.maj_flt, task.maj_flt)
    assert stat["pgmajfault"] > 0 and other.stat()["pgfault"] == 7
    assert machine.cgroup("/pods").stat() == stat
    root, vmstat = machine.cgroup("/").stat(), machine.vmstat()
    for name in ("pgfault", "pgmajfault", "pswpin", "pswpout", "pgactivate", "pgrefill"):
        assert root[name] == vmstat[name], name


def test_shared_memory_is_not_anon() -> None:
    machine = boot()
    leaf = machine.cgroup("/a")
    task = program(machine, leaf, 10)
    task.mmap(20 * PAGE, shared=True).touch(write=True)
    stat = leaf.stat()
    assert (stat["anon"], stat["shmem"]) == (10 * PAGE, 20 * PAGE)
    assert stat["inactive_anon"] + stat["active_anon"] == 30 * PAGE == leaf.current
