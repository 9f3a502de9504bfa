"""Programs side by side: the order of everything, its undoing, and the truth that comes out."""

import dataclasses
import os
import signal
import sys

import pytest

from swapfast.contention import is_several, read_truth
from swapfast.measure.run import Refused
from swapfast.measure.several import measure_several
from swapfast.measure.several.player import READY, Order
from swapfast.measure.several.run import Many
from swapfast.measure.undo import Stop
from tests.support.measuring import FakeMany, told


@pytest.fixture
def host(host):
    return dataclasses.replace(host, cpus=(4, 6, 7))


OWN = [
    "swapon two.csv.ssd.swap 5",
    "mkdir swapfast-measure",
    "write memory.swappiness 80",
    "mkdir a",
    "write memory.swappiness 80",
    "mkdir b",
    "write memory.swappiness 80",
    "play swapfast-measure A B",
    "settle",
    f"write memory.limit_in_bytes {(10 + 50) * 4096}",
    f"write memory.limit_in_bytes {(10 + 60) * 4096}",
    "settle",
    "rmdir b",
    "rmdir a",
    "rmdir swapfast-measure",
    "swapoff two.csv.ssd.swap",
]
ALL = [
    "mkswap two.csv.ssd.swap 64",
    "write page-cluster 3",
    *OWN,
    "write page-cluster 3",
    "unlink two.csv.ssd.swap",
]


def test_the_order_of_everything(make, host):
    system = FakeMany()
    measure_several(make(only=["own"], runs=1), host, system=system)
    assert system.log == ALL and system.is_clean()


def test_a_tree_of_cgroup_v2(make, v2, host):
    system = FakeMany()
    measure_several(make(only=["common"], runs=1), host, system=system)
    start = system.log.index("mkdir swapfast-measure")
    assert system.log[start - 2 : start + 14] == [
        "swapon two.csv.ssd.swap 5",
        "swapon two.csv.hdd.swap 1",
        "mkdir swapfast-measure",
        "write cgroup.subtree_control +memory",
        "mkdir p",
        "write cgroup.subtree_control +memory",
        "mkdir a",
        "mkdir b",
        "play swapfast-measure A B",
        "settle",
        f"write memory.max {(10 + 100) * 4096}",
        f"write memory.swap.max {40 * 4096}",  # nothing is swapped out yet: no more is there
        "write memory.oom.group 1",
        f"write memory.low {(10 + 30) * 4096}",
        "settle",
        "rmdir b",
    ]
    assert system.is_clean()


def test_what_each_program_is_told(make, host):
    system = FakeMany()
    measure_several(make(only=["own"], runs=2), host, system=system)
    (a, b), (_, later) = system.orders
    assert (a.think, a.slow, a.start, a.stop) == (1000, 5000, 0, 0)
    assert (b.start, b.stop, later.start) == (1_000_000, 2 * 10**9, 4_000_000)
    assert (a.cpus, b.cpus) == ((4,), (6,)), "a processor each"
    assert a.stat.endswith("swapfast-measure/memory.stat"), "that of the whole tree"


def test_programs_share_processors_where_there_are_fewer(make, host, scenarios):
    text = scenarios().read_text().replace("cpus = 2", 'cpus = 1\nstatistics = "stale"')
    system = FakeMany()
    measure_several(make(text=text, only=["own"], runs=1), host, system=system)
    assert [(one.cpus, one.stat) for one in system.orders[0]] == [((4,), "")] * 2


def test_the_truth_is_read_by_validate_with_the_same_file(make, host):
    plan = make(only=["own"], runs=2)
    measure_several(plan, host, system=FakeMany(ends=[[told(0), None], [told(2), told(0)]]))
    assert is_several(plan.out)
    first, second = read_truth(plan.out)
    assert (first.scenario, first.repeat, second.repeat) == ("own", "r0", "r1")
    a, b = first.programs.values()
    assert (a.name, a.killed, b.name, b.killed) == ("A", False, "B", True)
    assert a.counts["majflt"] == 10 and a.counts["wall"] == 20_000 and a.counts["refs"] == 1100
    assert b.counts["majflt"] == 0, "of its group: it could not tell"
    assert second.programs["A"].start == 2_000_000
    assert first.disks == {"ssd": {"pages written": 500.0}}


def test_what_cgroup_v1_does_not_count_is_left_out(make, host, tree):
    plan = make(only=["own"], runs=1)
    measure_several(plan, host, system=FakeMany())
    header, line, _ = plan.out.read_text().splitlines()
    row = dict(zip(header.split(","), line.split(","), strict=True))
    assert (row["cgroup"], row["lru"], row["kernel"]) == ("v1", "classic", "6.18.15-test")
    assert (row["psi_mem_some_us"], row["p50_us"], row["slow_n"]) == ("", "0.06", "3")


def test_of_several_disks_nobody_can_tell_who_wrote_what(make, v2, host):
    plan = make(only=["common"], runs=1)
    measure_several(plan, host, system=FakeMany())
    (run,) = read_truth(plan.out)
    assert run.programs["A"].counts["pswpout"] == 7
    assert run.disks == {"ssd": {}, "hdd": {}}


FORWARD = ["mkswap 1", "write 1", "swapon 1", "play 1"]
FORWARD += [f"mkdir {i}" for i in (1, 2, 3)] + [f"write {i}" for i in range(2, 7)]


@pytest.mark.parametrize("step", FORWARD)
def test_a_step_that_fails_undoes_those_before_it(make, host, step):
    plan, system = make(only=["own"], runs=1), FakeMany(fail=[step])
    with pytest.raises(OSError, match="no luck"):
        measure_several(plan, host, system=system)
    assert system.is_clean() and not plan.out.exists()


def test_a_signal_undoes_everything_and_keeps_the_runs_that_were_finished(make, host):
    plan = make(only=["own"], runs=2)

    def second():
        if len(system.orders) == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    system = FakeMany(on_play=second)
    with pytest.raises(KeyboardInterrupt):
        measure_several(plan, host, system=system)
    assert system.is_clean() and len(read_truth(plan.out)) == 1


def test_nothing_is_changed_where_it_is_refused(make, host):
    system = FakeMany()
    with pytest.raises(Refused, match=r"are of cgroup v2"):
        measure_several(make(), host, system=system)
    assert system.log == []


# ---------------------------------------------------------------- processes


def order(tmp_path, name="A", start=0):
    """Of a program in a group of plain files."""
    (tmp_path / "memory.oom_control").write_text("oom_kill 1\n")
    return Order(name, "trace", str(tmp_path), 1, "", (0,), 1, -1, start, 0)


@pytest.fixture
def player(monkeypatch, tmp_path):
    """``player(code)``: another program in place of the player."""

    def put(code):
        script = tmp_path / "python"
        script.write_text(f"#!/bin/sh\n{code}\n")
        script.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(script))

    return put


SAYS = '{"refs": 7, "majflt": 1, "began": %s, "ended": 9, "counts": null, "sum": 0, "max": 0}'


def test_all_are_ready_before_the_limits_and_start_together(player, tmp_path):
    player(f"echo {READY.decode().strip()}; read at; printf '{SAYS}' $at")
    ready = []
    orders = [order(tmp_path), order(tmp_path, "B", start=500)]
    a, b = Many().together(orders, lambda: ready.append(1), Stop())
    assert ready == [1] and b.began - a.began == 500 and a.refs == 7 and a.slow is None


def test_a_killed_program_is_an_oom_kill_if_its_group_says_so(player, tmp_path):
    player("echo ready; read at; kill -9 $$")
    assert Many().together([order(tmp_path)], lambda: None, Stop()) == [None]
    one = order(tmp_path)
    (tmp_path / "memory.oom_control").write_text("oom_kill 0\n")
    with pytest.raises(OSError, match="player of A failed: no message"):
        Many().together([one], lambda: None, Stop())


def test_a_program_that_never_gets_ready_is_an_error_and_nobody_starts(player, tmp_path):
    player("echo mlockall: no >&2; exit 1")
    with pytest.raises(OSError, match="player of A failed: mlockall: no"):
        Many().together([order(tmp_path)], lambda: pytest.fail("ready"), Stop())


def test_a_signal_ends_all(player, tmp_path):
    player(f"echo ready; read at; kill -TERM {os.getpid()}; exec sleep 20")
    with Stop() as stop, pytest.raises(KeyboardInterrupt):
        Many().together([order(tmp_path), order(tmp_path, "B")], lambda: None, stop)
