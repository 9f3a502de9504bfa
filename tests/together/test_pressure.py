"""Pressure of cgroups against its definition, over what each task did from when to when."""

from __future__ import annotations

import re

import pytest

import swapfast as sf
from swapfast.together import Together
from swapfast.traces.generate import generate
from swapfast.units import PAGE_SIZE
from tests.reference.pressure import Event, pressure
from tests.support.side_by_side import AREA, FREE, check, faulting, machine_of

MS, S = 1_000_000, 10**9
PAGES, MEMORY = 50, 10
TOLD = re.compile(
    r"(?:(?:some|full) avg10=\d+\.\d\d avg60=\d+\.\d\d avg300=\d+\.\d\d total=\d+\n){2}"
)


def waiting(machine: sf.Machine, run: Together, path: str, *, think: int, rounds: int) -> sf.Cgroup:
    """A program that reads a page from swap at each reference, in a cgroup two levels down."""
    above = machine.cgroup(path)
    below = machine.cgroup(f"{path}/below", max=MEMORY * PAGE_SIZE)
    run.program(path, faulting(PAGES, rounds), cgroup=below, think=think, linger=True)
    return above


def disk(machine: sf.Machine, service: int, units: int = 64) -> None:
    keys = {"write": 0, "request": 0, "page": 0, "latency": 0, "duplex": True, "units": units}
    machine.add_swap(AREA, device=machine.device("d", "lab", read=service, **keys))


def waits(cpu: int, task: str, think: int, service: int, faults: int) -> tuple[list[Event], int]:
    """Computes, waits, computes: what such a program does, and when it is through."""
    events: list[Event] = [(0, cpu, task, "run")]
    at = PAGES * think
    for _ in range(faults):
        events.append((at + think, cpu, task, "iowait"))
        at += think + service
        events.append((at, cpu, task, "run"))
    events.append((at, cpu, task, "idle"))
    return events, at


@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_a_program_that_waits_for_its_disk(cpus: int) -> None:
    """Totals to the ns, averages and text as the kernel prints them, on both levels."""
    machine = machine_of(times=FREE, policy="fifo")
    disk(machine, 7 * MS)
    run = machine.together(cpus=cpus)
    group = waiting(machine, run, "/a", think=3 * MS, rounds=24)
    events, end = waits(0, "a", 3 * MS, 7 * MS, 24 * PAGES)
    for until in (3 * S, 9 * S, end):
        run.until(until)
        want = pressure([e for e in events if e[0] <= until], until, jiffy_ns=1)
        for cgroup in (group, machine.cgroup("/a/below")):
            found = run.pressure(cgroup)
            for resource in ("io", "memory", "cpu"):
                assert abs(found[resource].some - want.total_ns[f"{resource} some"]) <= 8
                assert abs(found[resource].full - want.total_ns[f"{resource} full"]) <= 8
            assert TOLD.fullmatch(str(found["io"]))
            assert str(found["io"]) == want.render("io")
            assert str(found["memory"]) == want.render("memory")
            assert str(found["cpu"]) == want.render("cpu")
    assert found["io"].some == pytest.approx(24 * PAGES * 7 * MS, abs=8)
    assert found["io"].some_averages[0] > 40
    check(machine, run)


def test_with_processors_of_their_own_it_is_the_same() -> None:
    told = []
    for cpus in (None, 1):
        machine = machine_of(times=FREE, policy="fifo")
        disk(machine, 7 * MS)
        run = machine.together(cpus=cpus)
        group = waiting(machine, run, "/a", think=3 * MS, rounds=24)
        run.until()
        told.append(run.pressure(group))
    for resource in ("io", "memory", "cpu"):
        a, b = (one[resource] for one in told)
        assert a.some == pytest.approx(b.some, abs=16), resource
        assert a.some_averages == pytest.approx(b.some_averages, abs=0.5)


def test_two_that_compute_on_one_processor() -> None:
    """One of them always waits, until the first is through; a cgroup of one has it in full."""
    machine = machine_of(times=FREE)
    machine.add_swap(AREA)
    run = machine.together(cpus=1, slice="3ms")
    t = generate("uniform", pages=10, refs=100_000, seed=1)
    groups = [machine.cgroup(f"/{name}") for name in "ab"]
    a, b = (run.program(g.path, t, cgroup=g, think=1000) for g in groups)
    run.until()
    check(machine, run)
    assert (
        a.times["cpu"] + b.times["user"] == run.now or b.times["cpu"] + a.times["user"] == run.now
    )
    for program, group in ((a, groups[0]), (b, groups[1])):
        found = run.pressure(group)["cpu"]
        assert found.some == found.full == program.times["cpu"] > 90 * MS
    both = run.pressure(machine.cgroup("/"))["cpu"]
    first = min(p.end or 0 for p in (a, b))
    assert both.some == pytest.approx(first, abs=2) and both.full == 0
    slices = [p.times["cpu"] for p in (a, b)]
    assert abs(slices[0] - slices[1]) <= 3 * MS + 2000, "fair to a slice"


@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_processors_are_never_idle_while_somebody_is_ready(cpus: int) -> None:
    machine = machine_of(times=FREE)
    machine.add_swap(AREA)
    run = machine.together(cpus=cpus)
    t = generate("uniform", pages=10, refs=30_000, seed=1)
    programs = [run.program(f"p{k}", t, think=1000) for k in range(4)]
    run.until()
    check(machine, run)
    assert run.now == pytest.approx(4 * 30 * MS / cpus, rel=0.05)
    assert sum(p.times["user"] for p in programs) == 4 * 30 * MS
    assert (run.pressure()["cpu"].some == 0) == (cpus == 4)


def test_a_program_that_reclaims_stalls_on_memory() -> None:
    """First touches of more than fits: nothing is read, so all its reclaim is memory's."""
    machine = machine_of()
    disk(machine, 0)
    run = machine.together(cpus=1)
    group = machine.cgroup("/a", max=100 * PAGE_SIZE)
    t = generate("loop", pages=2000, refs=2000)
    program = run.program("a", t, cgroup=group)
    run.until()
    check(machine, run)
    found = run.pressure(group)
    reclaim = program.times["reclaim"]
    assert found["io"].some == found["cpu"].some == 0
    # A stall begins when it is known that there is no room: the entry to reclaim comes before.
    entries = machine.core.counters()["reclaims"] * machine.options.times["reclaim"]
    assert reclaim - entries <= found["memory"].some <= reclaim
    assert found["memory"].full == found["memory"].some > 0


def test_who_sleeps_for_memory_high_stalls() -> None:
    machine = machine_of(times=FREE)
    run = machine.together(cpus=2)
    group = machine.cgroup("/a", high=1000 * PAGE_SIZE)
    program = run.program("a", generate("loop", pages=1200, refs=1200), cgroup=group)
    run.until()
    check(machine, run)
    assert run.pressure(group)["memory"].some == pytest.approx(program.times["high"], abs=8)
    assert program.times["high"] > 0


def test_text_of_no_pressure() -> None:
    line = "avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
    for cpus in (None, 3):
        machine = machine_of()
        run = machine.together(cpus=cpus)
        for one in run.pressure().values():
            assert str(one) == f"some {line}full {line}"


@pytest.mark.parametrize("cpus", [None, 1])
def test_the_files_of_a_cgroup_are_those_of_the_run(cpus: int | None) -> None:
    machine = sf.Machine("64MiB", contents=False, page_cluster=0)
    machine.add_swap("64MiB", device=machine.device("d", read="50us", write="50us"))
    pod = machine.cgroup("/pod")
    run = machine.together(cpus=cpus)
    trace = generate("uniform", pages=1000, refs=9000, seed=1)
    run.program("p", trace, cgroup=machine.cgroup("/pod/p", max="2MiB"), think="1us")
    run.until("100ms")
    for resource in ("memory", "io", "cpu"):
        assert pod[f"{resource}.pressure"] == str(run.pressure(pod)[resource])
    assert "total=0" not in pod["memory.pressure"]


def test_pressure_never_runs_back_however_often_somebody_looks() -> None:
    machine = sf.Machine("16MiB", contents=False)
    machine.add_swap("32MiB", device=machine.device("d", "nvme"))
    cgroups = [machine.cgroup("/a", max="2MiB"), machine.cgroup("/b", max="1MiB"), None]
    run = machine.together(seed=1, jitter="1ms")
    for cgroup, pattern in zip(cgroups, ("uniform", "loop"), strict=False):
        trace = generate(pattern, pages=700, refs=4000, write_ratio=1.0)
        run.program(pattern, trace, cgroup=cgroup, loops="forever", stop="60ms")
    seen = [0] * 18
    for us in range(200, 60_000, 700):
        run.until(f"{us}us")
        totals = [
            total
            for cgroup in cgroups
            for one in run.pressure(cgroup).values()
            for total in (one.some, one.full)
        ]
        assert all(a <= b <= us * 1000 for a, b in zip(seen, totals, strict=True))
        seen = totals
