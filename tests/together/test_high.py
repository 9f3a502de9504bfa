"""memory.high: whoever is above it reclaims, and is held up by the square of the overage."""

from __future__ import annotations

import pytest

import swapfast as sf
from swapfast.traces.generate import generate
from swapfast.units import PAGE_SIZE
from tests.support.side_by_side import AREA, FREE, check, machine_of

BATCH, HZ, JIFFY = 64, 250, 4_000_000
HIGH = 6400  # pages; a batch more is 1 %


def delay(usage: int, high: int, charged: int) -> int:
    """ns (calculate_high_delay, mem_cgroup_handle_over_high; the precision is 2**20)."""
    overage = (max(usage - high, 0) << 20) // max(high, 1)
    jiffies = (overage * overage * HZ >> 34) * charged // BATCH
    jiffies = min(jiffies, 2 * HZ)
    return jiffies * JIFFY if jiffies > HZ // 100 else 0


def test_the_formula_by_hand() -> None:
    """1 % is 6 ms, and below 10 ms nobody sleeps; 5 % 160 ms; 10 % 640 ms; 2 s are the most."""
    at = {percent: delay(HIGH + HIGH * percent // 100, HIGH, BATCH) for percent in (1, 5, 10, 50)}
    assert at == {1: 0, 5: 156_000_000, 10: 640_000_000 - JIFFY, 50: 2_000_000_000}


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("percent", [1, 5, 10, 30])
def test_a_program_without_swap_sleeps_by_the_formula(percent: int, batch: bool) -> None:
    """Nothing can be reclaimed, so each batch of pages above the limit is held up."""
    machine = machine_of(times=FREE)
    group = machine.cgroup("/a", high=HIGH * PAGE_SIZE)
    pages = HIGH + HIGH * percent // 100
    t = generate("loop", pages=pages, refs=pages)
    want = sum(delay(usage, HIGH, BATCH) for usage in range(HIGH + BATCH, pages + 1, BATCH))
    if batch:
        task = machine.init.fork()
        group.add(task)
        machine.replay(t, task.mmap(pages * PAGE_SIZE))
        slept = machine.now - pages * machine.options.times["reference"]
    else:
        run = machine.together()
        program = run.program("a", t, cgroup=group, linger=True)
        run.until()
        check(machine, run)
        slept = program.times["high"]
        assert program.wall == pages * machine.options.times["reference"] + slept
    assert slept == want
    assert (want > 0) == (percent > 1)
    events = machine.cgroup("/a")["memory.events"].split()
    assert int(events[events.index("high") + 1]) > 0
    assert group.current == pages * PAGE_SIZE, "memory.high kills nobody and refuses nothing"


def test_the_worst_level_above_counts() -> None:
    """A child without a limit under a parent with one."""
    machine = machine_of(times=FREE)
    machine.cgroup("/pod", high=HIGH * PAGE_SIZE)
    run = machine.together()
    pages = HIGH + HIGH // 10
    t = generate("loop", pages=pages // 2, refs=pages // 2)
    pair = [run.program(c, t, cgroup=machine.cgroup(f"/pod/{c}"), linger=True) for c in "ab"]
    run.until()
    check(machine, run)
    slept = sum(p.times["high"] for p in pair)
    want = sum(delay(usage, HIGH, BATCH) for usage in range(HIGH + BATCH, pages + 1, BATCH))
    assert slept == pytest.approx(want, rel=0.3), "each one's debt is its own"


def with_swap(high: int | None, **keys: object) -> tuple[sf.Machine, sf.Cgroup]:
    machine = machine_of()
    machine.add_swap(AREA)
    return machine, machine.cgroup("/a", high=None if high is None else high * PAGE_SIZE)


@pytest.mark.parametrize("cpus", [None, 1])
def test_with_swap_it_reclaims_and_stays_near_the_limit(cpus: int | None) -> None:
    machine, group = with_swap(1000)
    run = machine.together(cpus=cpus)
    t = generate("uniform", pages=2000, refs=10_000, seed=1)
    program = run.program("a", t, cgroup=group, think=20, linger=True)
    free, above = [], []
    for moment in range(1, 200):
        run.until(f"{5 * moment}ms")
        machine.verify()
        above.append(group.current // PAGE_SIZE - 1000)
        free.append(program.times["reclaim"])
    run.until()
    check(machine, run)
    assert 0 < max(above) <= 5 * BATCH and program.times["reclaim"] > 0
    assert program.majors > 0 and program.references == 10_000
    assert free == sorted(free)


def test_a_neighbour_is_not_held_up() -> None:
    def neighbour(high: int | None) -> dict[str, int]:
        machine = machine_of(times=FREE)
        group = machine.cgroup("/a", high=None if high is None else high * PAGE_SIZE)
        run = machine.together()
        t = generate("loop", pages=1300, refs=1300)
        held = run.program("held", t, cgroup=group, linger=True)
        other = run.program("other", t, cgroup=machine.cgroup("/b"), linger=True)
        run.until()
        check(machine, run)
        assert (held.times["high"] > 0) == (high is not None)
        return other.times

    assert neighbour(1000) == neighbour(None)


def test_memory_swap_high_holds_up_too() -> None:
    machine = machine_of(times=FREE)
    machine.add_swap(AREA)
    group = machine.cgroup("/a", max=300 * PAGE_SIZE, swap_high=500 * PAGE_SIZE)
    run = machine.together()
    t = generate("loop", pages=1500, refs=1500)
    program = run.program("a", t, cgroup=group, linger=True)
    run.until()
    check(machine, run)
    assert program.times["high"] > 0
    assert "high" in group["memory.swap.events"]
