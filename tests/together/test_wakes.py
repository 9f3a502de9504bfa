"""Who wakes up, who waits for a device within reclaim: times add up, and nobody is forgotten."""

from __future__ import annotations

import swapfast as sf
from swapfast.traces import generate
from tests.support.swapfiles import PAGE


def test_who_wakes_up_does_not_wait_for_a_whole_slice() -> None:
    """One computes, the other waits for a disk: on one processor it still gets its faults."""
    machine = sf.Machine("64MiB", contents=False, page_cluster=0)
    machine.add_swap("64MiB", device=machine.device("d", read="50us", write="50us"))
    run = machine.together(cpus=1)
    hog = generate("uniform", pages=100, refs=10_000, seed=1)
    run.program("hog", hog, think="1us", loops="forever", stop="1s")
    reader = run.program(
        "reader",
        generate("uniform", pages=1000, refs=9_000, seed=1),
        cgroup=machine.cgroup("/reader", max="2MiB"),
        think="1us",
        loops="forever",
        stop="1s",
    )
    run.until()
    assert reader.majors > 3000
    assert reader.latency.p50 < 500_000  # ns; a slice is 3 ms
    assert sum(reader.times.values()) == reader.wall


def test_waits_for_a_device_after_read_ahead_are_counted_once() -> None:
    """What reclaim wrote within read-ahead is sent when both are over, and may wait for tags."""
    machine = sf.Machine(210 * PAGE, contents=False, cache=0, overcommit=1, page_cluster=3)
    machine.add_swap("512MiB", device=machine.device("d", "sata-ssd", seed=4))
    run = machine.together(quantum=0)
    program = run.program(
        "p",
        generate("hotspot", pages=300, refs=3000, seed=3),
        think=700,
        cgroup=machine.cgroup("/a", max=180 * PAGE),
    )
    run.until()
    times = program.times
    assert times["tags"] > 0
    assert sum(times.values()) == program.wall
    assert all(ns <= program.wall for ns in times.values())


def test_a_barrier_opens_when_the_last_to_come_is_killed() -> None:
    machine = sf.Machine("64MiB", contents=False, page_cluster=0)
    machine.add_swap("64MiB")
    run = machine.together()
    trace = generate("uniform", pages=100, refs=1000, seed=1)
    early = run.program("early", trace, barrier="b")
    late = run.program("late", trace, barrier="b", start="1s")
    run.until("1ms")
    run._world.kill(late.number)
    run.until("2s")
    assert not early.alive and early.references == 1000
    assert early.times["barrier"] == 1_000_000
    assert sum(early.times.values()) == early.wall
