"""The life of a program: when it begins and ends, who waits for whom, and who is killed."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType

import numpy as np
import pytest

import swapfast as sf
from swapfast.core import mapping_table
from swapfast.kernel.areas import add
from swapfast.kernel.device import SimulatedDevice
from swapfast.together import Together
from swapfast.traces import Trace
from swapfast.traces.generate import generate
from swapfast.units import PAGE_SIZE
from tests.support.side_by_side import AREA, FREE, check, counted, faulting, machine_of, seen

MS = 1_000_000


def calm(**options: object) -> sf.Machine:
    """A machine on which faults take no time."""
    machine = machine_of(times=FREE, **options)
    machine.add_swap(AREA)
    return machine


def hits(refs: int = 1000) -> Trace:
    return Trace(np.zeros(refs, dtype=np.uint32), 1)


# ---------------------------------------------------------------- times


def test_start_stop_loops_and_think() -> None:
    machine = calm()
    run = machine.together()
    once = run.program("once", hits(), think="1us")
    thrice = run.program("thrice", hits(), think=2000, loops=3, start="5ms")
    stopped = run.program("stopped", hits(), think="3us", loops="forever", stop="10ms")
    usual = run.program("usual", hits())
    assert [p.alive for p in run.programs] == [True] * 4
    run.until()
    check(machine, run)
    assert (once.start, once.end, once.wall, once.rounds) == (0, MS, MS, 1)
    assert (thrice.start, thrice.end, thrice.references) == (5 * MS, 11 * MS, 3000)
    assert thrice.rounds == 3
    assert stopped.references == -(-10 * MS // 3000), "the first reference at or after"
    assert stopped.end == stopped.references * 3000 and stopped.rounds == 3
    assert usual.wall == 1000 * machine.options.times["reference"]
    assert {p.times["user"] == p.wall for p in run.programs} == {True}
    assert run.now == machine.now == 11 * MS


def test_stop_is_looked_at_between_references_alone() -> None:
    """A read that is under way is waited for."""
    machine = machine_of(times=FREE, policy="fifo")
    device = machine.device("d", read="10ms", write=0, request=0, page=0, latency=0)
    machine.add_swap(AREA, device=device)
    group = machine.memory_group(5 * PAGE_SIZE)
    run = machine.together()
    program = run.program("p", faulting(10, 100), cgroup=group, think=1000, stop="25ms")
    run.until()
    assert program.majors == 3 and program.end == 13 * 1000 + 30 * MS
    check(machine, run)


@pytest.mark.parametrize("cpus", [None, 1])
def test_a_barrier_opens_when_the_last_has_come(cpus: int | None) -> None:
    machine = calm()
    run = machine.together(cpus=cpus)
    early, late, other = (
        run.program(name, hits(), think=1000, start=start, barrier=barrier)
        for name, start, barrier in (
            ("early", "1ms", "b"),
            ("late", "7ms", "b"),
            ("other", "2ms", "alone"),
        )
    )
    run.until("6ms")
    assert early.references == 0 and not other.alive
    run.until()
    check(machine, run)
    assert early.times["barrier"] == 6 * MS and early.start == MS
    assert late.times["barrier"] == other.times["barrier"] == 0
    assert other.end == 3 * MS
    if cpus is None:
        assert early.end == late.end == 8 * MS
    else:
        assert max(p.end or 0 for p in (early, late)) == 9 * MS


def test_phase() -> None:
    machine = calm()
    run = machine.together(seed=3)
    t = Trace(np.arange(100, dtype=np.uint32) | np.uint32(1 << 31), 100)
    quarter = run.program("quarter", t, phase=0.25, linger=True)
    twice = run.program("twice", t, phase=0.9, loops=2, linger=True)
    drawn = [run.program(f"drawn{k}", t, phase="random", linger=True) for k in range(20)]
    run.until()
    check(machine, run)
    assert quarter.references == quarter.minors == 75
    assert mapping_table.count(machine.core, quarter.mapping.number)[0] == 75
    assert (twice.references, twice.minors, twice.rounds) == (110, 100, 2)
    assert len({p.references for p in drawn}) > 10
    again = calm().together(seed=3)
    for k in range(2):
        again.program(f"p{k}", t)
    assert [again.program(f"p{k}", t, phase="random").name for k in range(2)] == ["p0", "p1"]
    again.until()
    assert [p.references for p in again.programs[2:]] == [p.references for p in drawn[:2]]


def test_jitter_is_drawn_for_each_and_no_other_moves_it() -> None:
    def starts(seed: int, programs: int) -> list[int]:
        run = calm().together(seed=seed, jitter="1ms")
        return [run.program(f"p{k}", hits()).start for k in range(programs)]

    assert starts(1, 8)[:3] == starts(1, 3) != starts(2, 3)
    assert max(starts(1, 8)) < MS and len(set(starts(1, 8))) == 8


def test_who_lingers_keeps_its_memory_and_others_leave() -> None:
    machine = calm()
    run = machine.together()
    t = generate("loop", pages=50, refs=50)
    stays = run.program("stays", t, linger=True)
    goes = run.program("goes", t)
    run.until()
    assert stays.task.alive and not goes.task.alive and not goes.killed
    assert machine.core.memory()["used"] == 50
    assert stays.mapping.alive and not goes.mapping.alive
    assert (goes.task.min_flt, goes.task.maj_flt) == (50, 0)
    assert goes.task.utime_ns == goes.times["user"] + goes.times["fault"]
    check(machine, run)


def test_a_task_of_ones_own() -> None:
    machine = calm()
    task = machine.init.fork("mine")
    run = machine.together()
    program = run.program("mine", hits(), task=task)
    assert program.task is task
    run.until()
    assert not task.alive


def test_added_while_others_run() -> None:
    machine = calm()
    run = machine.together()
    first = run.program("first", hits(), think="10us")
    run.until("4ms")
    second = run.program("second", hits(), think="1us", start="2ms")
    third = run.program("third", hits(), think="1us", start="6ms")
    run.until()
    check(machine, run)
    assert (first.end, second.start, second.end) == (10 * MS, 4 * MS, 5 * MS)
    assert (third.start, third.end) == (6 * MS, 7 * MS)
    late = run.program("late", hits(), think=1000)
    run.until()
    assert (late.start, late.end) == (10 * MS, 11 * MS)


def test_time_goes_on_without_anybody() -> None:
    machine = calm()
    run = machine.together()
    run.program("later", hits(), start="1s")
    run.until("100ms")
    assert run.now == machine.now == 100 * MS
    run.until("50ms")
    assert run.now == 100 * MS, "and never back"


def test_a_second_run_begins_where_the_first_ended() -> None:
    machine = calm()
    run = machine.together()
    run.program("one", hits(), think=1000)
    run.until()
    other = machine.together()
    program = other.program("two", hits(), think=1000)
    other.until()
    assert (program.start, program.end) == (MS, 2 * MS)


# ---------------------------------------------------------------- in pieces


def contended(cpus: int | None, quantum: int) -> tuple[sf.Machine, Together]:
    machine = machine_of(900)
    machine.add_swap(AREA, device=machine.device("d", "sata-ssd", seed=2))
    run = machine.together(cpus=cpus, quantum=quantum)
    for number, pattern in enumerate(("zipf", "uniform", "hotspot", "drift")):
        t = generate(pattern, pages=300, refs=2000, seed=number)
        run.program(pattern, t, cgroup=machine.cgroup(f"/{pattern}"), think=1000)
    return machine, run


@pytest.mark.parametrize("cpus", [None, 1, 2])
def test_in_pieces_as_at_once(cpus: int | None) -> None:
    """Without a quantum nobody runs ahead, and so a look in between changes nothing at all."""
    told = []
    for piece in (None, 1_000_003, 777_777):
        machine, run = contended(cpus, 0)
        for moment in range(1, 200):
            if piece is not None:
                run.until(moment * piece)
        run.until()
        check(machine, run)
        told.append((counted(machine), [seen(p) for p in run.programs]))
    assert told[0] == told[1] == told[2]


@pytest.mark.parametrize("quantum", [20_000, 1_000_000])
def test_alone_in_pieces_as_at_once(quantum: int) -> None:
    told = []
    for piece in (None, 1_000_003):
        machine = machine_of()
        machine.add_swap(AREA)
        run = machine.together(quantum=quantum)
        group = machine.memory_group(200 * PAGE_SIZE)
        program = run.program("p", generate("zipf", pages=400, refs=9000), cgroup=group)
        for moment in range(1, 200):
            if piece is not None:
                run.until(moment * piece)
        run.until()
        check(machine, run)
        told.append((machine.core.counters(), seen(program)))
    assert told[0] == told[1]


class Interrupt:
    """Ctrl-C after so many seconds, for the length of a block."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __enter__(self) -> None:
        def press(number: int, frame: FrameType | None) -> None:
            raise KeyboardInterrupt

        self.before: Callable[[int, FrameType | None], object] | int | None
        self.before = signal.signal(signal.SIGALRM, press)
        signal.setitimer(signal.ITIMER_REAL, self.seconds)

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self.before)


def test_an_interrupt_ends_it_with_what_was_measured_and_it_can_go_on() -> None:
    def three() -> tuple[sf.Machine, Together]:
        machine = machine_of()
        machine.add_swap(AREA)
        run = machine.together()
        for k in range(3):
            group = machine.memory_group(20 * PAGE_SIZE, policy="fifo")
            run.program(f"p{k}", faulting(40, 10_000), cgroup=group)
        return machine, run

    machine, run = three()
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Interrupt(0.05):
        run.until()
    assert time.monotonic() - begin < 5
    machine.verify()
    assert 0 < run.now < 400_000 * 66_000
    assert all(p.alive and p.majors > 0 for p in run.programs)
    some = sum(p.majors for p in run.programs)
    assert machine.vmstat()["pgmajfault"] - some in range(4)
    run.until()
    check(machine, run)
    other, whole = three()
    whole.until()
    assert [seen(p) for p in run.programs] == [seen(p) for p in whole.programs]
    assert machine.core.counters() == other.core.counters()


# ---------------------------------------------------------------- kills


def crowded(cpus: int | None = None) -> tuple[sf.Machine, Together]:
    """Two under one parent whose memory.swap.max is too small for both."""
    machine = machine_of()
    machine.add_swap(AREA)
    machine.cgroup("/pod", max=200 * PAGE_SIZE, swap_max=100 * PAGE_SIZE)
    run = machine.together(cpus=cpus)
    big = generate("uniform", pages=230, refs=8000, seed=1)
    small = generate("uniform", pages=120, refs=8000, seed=2)
    run.program("big", big, cgroup=machine.cgroup("/pod/big"))
    run.program("small", small, cgroup=machine.cgroup("/pod/small"), start="30ms")
    return machine, run


@pytest.mark.parametrize("cpus", [None, 1, 2])
def test_one_is_killed_and_the_other_goes_on(cpus: int | None) -> None:
    machine, run = crowded(cpus)
    run.until()
    machine.verify()
    big, small = run.programs
    (record,) = machine.oom_records
    assert big.killed and not big.alive and not big.task.alive
    assert not small.killed and small.references == 8000
    assert (record.victim_name, record.level, record.cgroup) == ("big", "/pod", "/pod/big")
    assert record.victim_pid == big.task.pid and record.time_ns == big.end
    assert record.free_slots_allowed < 32 and record.rss > 0 and record.swap > 0
    assert big.references < 8000 and (big.end or 0) < (small.end or 0)
    assert machine.cgroup("/pod/big").current == 0
    assert sum(small.times.values()) == small.wall


def test_a_killed_program_pays_for_no_later_time() -> None:
    _, run = crowded()
    run.until()
    end = run.programs[0].end
    other, again = crowded()
    again.until(end)
    again.until()
    assert again.programs[0].end == end == other.oom_records[0].time_ns


def test_machine_wide() -> None:
    """No swap at all: the larger dies, whoever asks."""
    machine = machine_of(400)
    run = machine.together()
    small = run.program("small", generate("loop", pages=150, refs=3000))
    big = run.program("big", generate("loop", pages=350, refs=3000))
    run.until()
    machine.verify()
    (record,) = machine.oom_records
    assert big.killed and record.level == "machine" and record.free_slots == 0
    assert small.references == 3000 and machine.core.memory()["used"] == 0


@pytest.mark.parametrize("page_cluster", [0, 3])
def test_whoever_finds_no_page_says_so_when_it_is_known(page_cluster: int) -> None:
    """Reclaim for nothing takes long: meanwhile the others go on, and so does who is killed."""
    machine = machine_of(4096, page_cluster=page_cluster)
    machine.add_swap(AREA)
    login = machine.init.clone(sf.CLONE_NEWSWAP | sf.CLONE_NEWIPC | sf.SIGCHLD)
    add(machine.kernel, login.swap_ns, SimulatedDevice("/dev/small", 512), 0)
    run = machine.together()
    boxed = run.program("boxed", generate("uniform", pages=5000, refs=60_000), task=login)
    free = run.program("free", generate("zipf", pages=4000, refs=60_000), think=1000)
    run.until()
    check(machine, run)
    (record,) = machine.oom_records
    assert boxed.killed and boxed.end == record.time_ns and not free.killed
    assert boxed.times["reclaim"] > 0.5 * boxed.wall


def test_nobody_may_be_killed() -> None:
    machine = machine_of()
    group = machine.cgroup("/full", max=20 * PAGE_SIZE, swap_max=0)
    run = machine.together()
    program = run.program("p", generate("loop", pages=50, refs=50), cgroup=group)
    other = run.program("other", hits())
    program.task.oom_score_adj = -1000
    with pytest.raises(OSError, match="no task there may be killed"):
        run.until()
    machine.verify()
    assert program.alive and not other.killed
    program.task.oom_score_adj = 0
    run.until()
    assert program.killed and not other.alive
    machine.verify()


def test_a_task_that_exits_by_other_hands_ends_its_program() -> None:
    machine = sf.Machine("64MiB", contents=False, cache=0)
    machine.add_swap("16MiB")
    run = machine.together()
    trace = generate("uniform", pages=100, refs=10_000, seed=1)
    programs = [
        run.program(name, trace, think="1us", loops="forever", stop="50ms") for name in "abc"
    ]
    run.until("5ms")
    programs[0].task.exit()
    programs[1].mapping.munmap(0, 4096)
    run.until("20ms")
    machine.verify()
    assert [program.alive for program in programs] == [False, False, True]
    assert [program.end for program in programs[:2]] == [5_000_000, 5_000_000]
    assert not any(program.killed for program in programs)
    run.until()
    machine.verify()
    assert all(sum(program.times.values()) == program.wall for program in programs)
