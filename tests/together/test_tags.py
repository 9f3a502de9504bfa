"""A device takes so many requests at a time: who waits for room, and what others do meanwhile."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import swapfast as sf
from swapfast.latency import UPPER
from swapfast.together import Device, Program, Together
from swapfast.traces import Trace, generate
from tests.support.side_by_side import FREE, WRITE, faulting
from tests.support.swapfiles import PAGE

SERVICE = 100_000  # ns


def lab(*, tags: int, **keys: Any) -> tuple[sf.Machine, Device]:
    machine = sf.Machine("64MiB", contents=False, cache=0, page_cluster=0, overcommit=1, **keys)
    device = machine.device(
        "d", read=SERVICE, write=SERVICE, units=1, tags=tags, request=0, page=0, latency=0
    )
    return machine, device


def crowd(
    programs: int,
    *,
    tags: int,
    cpus: int | None,
    pages: int = 120,
    refs: int = 1500,
    profile: str = "6.18",
    quantum: str = "20us",
) -> tuple[sf.Machine, Together, Device]:
    """Programs that write to one device, each under a limit of its own."""
    machine, device = lab(tags=tags, cgroup="v2", profile=profile)
    machine.add_swap("16MiB", device=device)
    run = machine.together(cpus=cpus, quantum=quantum)
    for number in range(programs):
        trace = generate("uniform", pages=pages, refs=refs, write_ratio=0.5, seed=number)
        group = machine.cgroup(f"/{number}", max=pages // 2 * PAGE)
        run.program(f"p{number}", trace, cgroup=group, think=1000, start=number * 7000)
    return machine, run, device


def adds_up(program: Program) -> bool:
    return sum(program.times.values()) == program.wall


def test_two_readers_take_turns_of_two() -> None:
    """As on Linux 6.18 (contention.csv): who was too late once is first the next time."""
    machine, device = lab(tags=1, times=FREE)
    machine.add_swap("16MiB", device=device)
    run = machine.together(cpus=1)
    trace = faulting(100, 30)
    for name in "ab":
        group = machine.memory_group(20 * PAGE, policy="fifo")
        run.program(name, trace, cgroup=group, think=1000)
    run.until()
    for program in run.programs:
        at = UPPER[np.flatnonzero(program.latency.counts)]
        count = program.latency.counts[program.latency.counts > 0]
        quick = count[at < 1.1 * SERVICE].sum()
        slow = count[(at > 2.9 * SERVICE) & (at < 3.1 * SERVICE)].sum()
        assert quick + slow > 0.95 * program.majors
        assert 0.45 < quick / program.majors < 0.55
        assert adds_up(program)


PROFILES = ["6.18", "6.18-mglru"]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("cpus", [None, 1, 2])
@pytest.mark.parametrize("tags", [1, 2])
def test_nobody_starves(cpus: int | None, tags: int, profile: str) -> None:
    machine, run, _device = crowd(5, tags=tags, cpus=cpus, profile=profile)
    run.until()
    machine.verify()
    walls = [program.wall for program in run.programs]
    assert max(walls) < 1.3 * min(walls)
    assert all(adds_up(program) for program in run.programs)


@pytest.mark.parametrize("profile", PROFILES)
def test_slots_of_two_that_reclaim_alternate(profile: str) -> None:
    """Each waits for a tag in the middle of its scan, so neither gets a run of slots."""
    requests = []
    for programs in (1, 2):
        _machine, run, device = crowd(
            programs, tags=1, cpus=1, pages=2000, refs=12_000, profile=profile
        )
        run.until()
        told = device.counters()
        requests.append(told["writes"] / told["pages_out"])
    assert requests[1] > 1.2 * requests[0]


@pytest.mark.parametrize("victim", range(4))
@pytest.mark.parametrize("at", ["5us", "1ms", "2ms"])
def test_a_wait_that_a_kill_ends_is_taken_back(victim: int, at: str) -> None:
    """For a tag, booked when it was known until when; and before a program has come."""
    profile = "6.18-mglru"
    _machine, run, _device = crowd(4, tags=3, cpus=2, refs=400, profile=profile)
    run.until(at)
    program = run.programs[victim]
    run._world.kill(program.number)
    program.task.exit()
    run.until()
    assert program.wall >= 0
    assert all(adds_up(program) for program in run.programs)


@settings(max_examples=25, deadline=None)
@given(
    programs=st.integers(1, 5),
    tags=st.integers(1, 3),
    cpus=st.sampled_from([None, 1, 2]),
    stops=st.lists(st.integers(1, 400), min_size=1, max_size=5, unique=True),
    profile=st.sampled_from(PROFILES),
    data=st.data(),
)
def test_others_go_on_while_a_pass_waits(
    programs: int,
    tags: int,
    cpus: int | None,
    stops: list[int],
    profile: str,
    data: st.DataObject,
) -> None:
    """Looked at wherever it stands; programs die, and their cgroups are removed."""
    machine, run, _device = crowd(programs, tags=tags, cpus=cpus, refs=400, profile=profile)
    for ms in sorted(stops):
        run.until(f"{ms}ms")
        machine.verify()
        alive = [program for program in run.programs if program.alive]
        if alive and data.draw(st.booleans()):
            victim = data.draw(st.sampled_from(alive))
            run._world.kill(victim.number)
            victim.task.exit()
            machine.verify()
            assert victim.cgroup is not None
            victim.cgroup.close()
            machine.verify()
    run.until()
    machine.verify()
    assert all(adds_up(program) for program in run.programs)


@settings(max_examples=15, deadline=None)
@given(
    tags=st.integers(1, 3),
    cpus=st.sampled_from([None, 1]),
    stops=st.lists(st.integers(1, 300), max_size=4, unique=True),
    profile=st.sampled_from(PROFILES),
)
def test_where_it_was_interrupted_does_not_matter(
    tags: int, cpus: int | None, stops: list[int], profile: str
) -> None:
    """But for the quantum: how far hits run ahead ends where a run stops."""
    seen = []
    for times in ([], sorted(stops)):
        machine, run, device = crowd(
            3, tags=tags, cpus=cpus, refs=400, profile=profile, quantum="0ns"
        )
        for ms in times:
            run.until(f"{ms}ms")
        run.until()
        seen.append(
            [(p.majors, p.wall, p.times) for p in run.programs]
            + [device.counters(), machine.vmstat()]
        )
    assert seen[0] == seen[1]


def test_a_run_that_was_given_up_leaves_nothing_behind() -> None:
    machine, run, _device = crowd(3, tags=1, cpus=1)
    run.until("40ms")
    again = machine.together(cpus=1)
    machine.verify()
    with pytest.raises(ValueError, match="another run of this machine has begun"):
        run.until()
    late = again.program("late", generate("uniform", pages=100, refs=500, seed=1))
    again.until()
    assert late.references == 500
    machine.verify()


@pytest.mark.parametrize("enabled", [0, 7])
def test_the_lru_is_switched_while_a_pass_waits(enabled: int) -> None:
    profile = PROFILES[enabled == 0]
    machine, run, _device = crowd(3, tags=1, cpus=1, profile=profile)
    for ms in range(20, 200, 7):
        run.until(f"{ms}ms")
        machine.lru_gen.enabled = enabled if ms % 2 else 7 - enabled
        machine.verify()
    run.until()
    machine.verify()
    assert all(adds_up(program) for program in run.programs)


def test_swapoff_while_a_pass_waits() -> None:
    machine, run, _device = crowd(3, tags=1, cpus=1)
    run.until("40ms")
    machine.add_swap("16MiB")
    machine.init.swapoff(machine.areas[0].path)
    machine.verify()
    assert list(machine.areas) == [1]
    run.until()
    machine.verify()
    assert all(adds_up(program) for program in run.programs)


@pytest.mark.parametrize("rotational", [False, True])
def test_disks_that_turn_alternate_page_by_page(rotational: bool) -> None:
    """swap_alloc_slow: only a disk that does not turn has a current cluster of a processor."""
    machine = sf.Machine("64MiB", contents=False, cache=0)
    areas = [
        machine.add_swap(
            "16MiB", priority=5, device=machine.device(name, "lab", rotational=rotational)
        )
        for name in "ab"
    ]
    task = machine.init.fork()
    machine.memory_group(100 * PAGE, policy="fifo").add(task)
    trace = Trace(np.arange(160, dtype=np.uint32) | WRITE, 160)
    machine.run(task.mmap(160 * PAGE), trace.refs)
    used = sorted(area.used // PAGE for area in areas)
    assert used == ([30, 30] if rotational else [0, 60])
