"""Pressure on examples worked by hand."""

from __future__ import annotations

import random

import pytest

from tests.reference.pressure import JIFFY_NS, PERIOD_NS, TASK, calc_load, pressure, stalls

S = 10**9
MS = 10**6


def test_the_period_is_two_seconds_and_a_tick() -> None:
    assert PERIOD_NS == 2_004 * MS and JIFFY_NS == 4 * MS


@pytest.mark.parametrize(
    ("states", "want"),
    [
        ("", ""),
        ("idle idle", ""),
        ("run", "nonidle"),
        ("run ready", "nonidle, cpu some"),
        ("ready", "nonidle, cpu some, cpu full"),
        ("iowait", "nonidle, io some, io full"),
        ("iowait run", "nonidle, io some"),
        ("iowait ready", "nonidle, io some, cpu some, cpu full"),
        ("iowait memstall_run", "nonidle, io some, memory some, memory full"),
        ("iowait_memstall", "nonidle, io some, io full, memory some, memory full"),
        ("iowait_memstall run", "nonidle, io some, memory some"),
        ("memstall", "nonidle, memory some, memory full"),
        ("memstall run", "nonidle, memory some"),
        ("memstall_run", "nonidle, memory some, memory full"),
        ("memstall ready", "nonidle, memory some, cpu some, cpu full"),
        # Useful work could be done, but the CPU is busy with reclaim.
        ("memstall_run ready", "nonidle, memory some, memory full, cpu some"),
        ("memstall_ready run", "nonidle, memory some, cpu some"),
        ("memstall_ready memstall_run", "nonidle, memory some, memory full, cpu some"),
    ],
)
def test_what_one_cpu_is_in(states: str, want: str) -> None:
    assert stalls(states.split()) == set(filter(None, want.split(", ")))
    assert stalls(reversed(states.split())) == stalls(states.split())


def test_two_at_once_on_a_cpu_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="one task at a time"):
        stalls(["run", "memstall_run"])


def test_one_task_on_one_cpu() -> None:
    """1 s at work, 0.5 s for a device, 0.5 s throttled, in one period of 2.004 s.

    24 % (cut off) of 2048 = 49152. Times 2048 - 1677 = 371, over 2048: 8904 = 4.34 %. Times 67:
    1608 = 0.78 %. Times 14: 336 = 0.16 %.
    """
    events = [
        (0, 0, "a", "run"),
        (S, 0, "a", "iowait"),
        (S + S // 2, 0, "a", "memstall"),
        (2 * S, 0, "a", "idle"),
    ]
    found = pressure(events, PERIOD_NS)
    half = "avg10=4.34 avg60=0.78 avg300=0.16 total=500000"
    assert found.render("memory") == found.render("io") == f"some {half}\nfull {half}\n"
    none = "avg10=0.00 avg60=0.00 avg300=0.00 total=0"
    assert found.render("cpu") == f"some {none}\nfull {none}\n"


def test_a_period_that_has_not_ended_is_in_the_total_alone() -> None:
    found = pressure([(0, 0, "a", "iowait")], PERIOD_NS - 1)
    line = "avg10=0.00 avg60=0.00 avg300=0.00 total=2003999"
    assert found.render("io") == f"some {line}\nfull {line}\n"


def test_cpus_weigh_as_much_as_they_were_not_idle() -> None:
    """2 s not idle with 1 s of reclaim, 1 s of useful work: 1 s x 500 / (500 + 250) jiffies."""
    events = [
        (0, 0, "a", "memstall_run"),
        (0, 1, "b", "run"),
        (S, 0, "a", "run"),
        (S, 1, "b", "idle"),
    ]
    found = pressure(events, 2 * S, period_ns=2 * S)
    assert found.total_ns["memory some"] == found.total_ns["memory full"] == 666_666_666
    assert "total=666666\n" in found.render("memory")


def test_less_than_a_jiffy_does_not_count() -> None:
    events = [(0, 0, "a", "memstall"), (3 * MS, 0, "a", "idle")]
    assert pressure(events, S).total_ns["memory some"] == 0
    assert pressure(events, S, jiffy_ns=1).total_ns["memory some"] == 3 * MS


def test_a_task_takes_its_state_to_another_cpu() -> None:
    """The first CPU is empty then: with equal weights half of 1 s on each."""
    events = [(0, 0, "a", "memstall"), (S, 1, "a", "memstall")]
    assert pressure(events, 2 * S, jiffy_ns=1).total_ns["memory full"] == S
    assert pressure(events, 2 * S, jiffy_ns=1, period_ns=S).total_ns["memory full"] == 2 * S


def test_full_for_the_cpu_is_a_matter_of_groups() -> None:
    """Somebody else's task is on the CPU; for the machine as a whole there is nobody else."""
    found = pressure([(0, 0, "a", "ready")], PERIOD_NS)
    assert "full avg10=18.11 avg60=3.27 avg300=0.68 total=2004000" in found.render("cpu")
    assert "full avg10=0.00 avg60=0.00 avg300=0.00 total=0" in found.render("cpu", root=True)
    assert "some avg10=18.11" in found.render("cpu", root=True)


def test_averages_reach_100_and_come_back() -> None:
    always = [(0, 0, "a", "iowait")]
    assert "avg10=100.00 avg60=100.00 avg300=100.00" in pressure(always, 2000 * PERIOD_NS).render(
        "io"
    )
    ended = [*always, (10 * PERIOD_NS, 0, "a", "idle")]
    assert pressure(ended, 600 * PERIOD_NS).averages["io some"][10] == 0


def test_one_step_of_the_average() -> None:
    assert calc_load(0, 1677, 204_800) == 37_100  # 100 x 371
    assert calc_load(37_100, 1677, 0) == 37_100 * 1677 // 2048
    assert calc_load(204_800, 1677, 204_800) == 204_800


def test_some_is_never_less_than_full() -> None:
    chance = random.Random(3)
    names = [name for name in TASK if "run" not in name]
    events = [
        (
            chance.randrange(20 * S),
            chance.randrange(4),
            chance.choice("abcdef"),
            chance.choice(names),
        )
        for _ in range(500)
    ]
    found = pressure(events, 20 * S)
    for resource in ("io", "memory", "cpu"):
        some, full = (found.total_ns[f"{resource} {kind}"] for kind in ("some", "full"))
        assert 20 * S >= some >= full
