"""Programs that share nothing do not know of each other; order and quantum are no facts."""

from __future__ import annotations

import statistics
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import swapfast as sf
from swapfast.kernel.areas import add
from swapfast.kernel.device import SimulatedDevice
from swapfast.together import Device, Program, Together
from swapfast.traces import Trace
from swapfast.traces.generate import generate
from swapfast.units import PAGE_SIZE
from tests.support.side_by_side import AREA, check, machine_of, seen

NEW_LOGIN = sf.CLONE_NEWSWAP | sf.CLONE_NEWIPC | sf.SIGCHLD
PATTERNS = ("zipf", "uniform", "loop", "hotspot", "drift")
POLICY = "fifo"  # rotates nothing: written pages wait for that in one buffer for the machine
QUANTA = (0, 1, 20_000, 1_000_000)


@cache
def trace(pattern: str, pages: int = 300, refs: int = 3000, seed: int = 3) -> Trace:
    return generate(pattern, pages=pages, refs=refs, seed=seed)


# ---------------------------------------------------------------- nothing shared


def apart(chosen: list[int], quantum: int | str) -> list[Any]:
    """Programs in cgroups on areas and devices of their own; what each of them counted."""
    machine = machine_of(max_swapfiles=8)
    run = machine.together(quantum=quantum)
    devices: list[Device] = []
    for number in range(len(PATTERNS)):
        login = machine.init.clone(NEW_LOGIN)
        name = f"d{number}"
        device = machine.device(name, ("lab", "nvme", "sata-ssd", "hdd", "emmc")[number], seed=9)
        device.carry(add(machine.kernel, login.swap_ns, SimulatedDevice(f"/dev/{name}", 2000), 0))
        devices.append(device)
        group = machine.memory_group((100 + 40 * number) * PAGE_SIZE, policy=POLICY)
        if number in chosen:
            t = trace(PATTERNS[number])
            run.program(name, t, cgroup=group, task=login, think=500, start=number, linger=True)
    run.until()
    check(machine, run)
    return [(seen(p), devices[int(p.name[1:])].counters()) for p in run.programs]


@pytest.mark.parametrize("quantum", [0, "20us", "1ms"])
def test_disjoint_is_disjoint(quantum: int | str) -> None:
    everybody = list(range(len(PATTERNS)))
    assert apart(everybody, quantum) == [apart([number], quantum)[0] for number in everybody]


def test_on_one_device_that_never_waits() -> None:
    """An area for all, and a device whose requests do not meet: only slots are shared."""

    def side_by_side(chosen: list[int]) -> list[Any]:
        machine = machine_of()
        device = machine.device("d", read="80us", write="0ns", request=0, page=0, units=64)
        machine.add_swap(AREA, device=device)
        run = machine.together()
        for number in chosen:
            group = machine.memory_group(100 * PAGE_SIZE, policy=POLICY)
            run.program(f"p{number}", trace(PATTERNS[number]), cgroup=group)
        run.until()
        check(machine, run)
        return [seen(p) for p in run.programs]

    together = side_by_side([0, 1, 2, 3, 4])
    assert together == [side_by_side([number])[0] for number in range(5)]


# ---------------------------------------------------------------- one machine for all


def crowd(
    order: list[int],
    *,
    pages: int = 500,
    cluster: int = 0,
    more: str = "",
    tree: bool = True,
    **options: Any,
) -> tuple[sf.Machine, dict[str, Program], Together]:
    """Programs that press on the whole machine and, in pairs, on a limit above them."""
    machine = machine_of(pages, page_cluster=cluster)
    device = machine.device("d", "sata-ssd", seed=4, tags="unlimited")
    machine.add_swap(AREA, device=device)
    run = machine.together(**options)
    if more == "device":
        machine.device("unused", "nvme", seed=4)
    if more == "cgroup":
        machine.cgroup("/empty/below", max="1MiB")
    if more == "program":
        run.program("idle", trace("loop"), start="1000s")
    programs = {}
    for number in order:
        group = None
        if tree:
            machine.cgroup(f"/pair{number // 2}", max=180 * PAGE_SIZE)
            group = machine.cgroup(f"/pair{number // 2}/c{number}")
        programs[f"p{number}"] = run.program(
            f"p{number}", trace(PATTERNS[number % 5]), cgroup=group, think=700
        )
    return machine, programs, run


@pytest.mark.parametrize("more", ["device", "cgroup", "program"])
@pytest.mark.parametrize("cpus", [None, 2])
def test_what_does_nothing_changes_nothing(more: str, cpus: int | None) -> None:
    told = []
    for added in ("", more):
        machine, programs, run = crowd([0, 1, 2, 3], more=added, cpus=cpus)
        if more == "cgroup":
            machine.cgroup("/")
        run.until("900s")
        assert not any(p.alive for p in programs.values())
        check(machine, run)
        machine_seen = machine.core.counters(), machine.core.memory(), machine.areas[0].info
        told.append(({name: seen(p) for name, p in programs.items()}, machine_seen))
    assert told[0] == told[1]


@pytest.mark.parametrize("cpus", [None, 1, 2])
def test_permuting_equal_programs_permutes_what_they_count(cpus: int | None) -> None:
    """Names are all that tells them apart; who is first by number stays first."""

    def equal(names: str) -> list[dict[str, object]]:
        machine = machine_of(700)
        machine.add_swap(AREA)
        run = machine.together(cpus=cpus)
        for name in names:
            run.program(name, trace("uniform"), cgroup=machine.cgroup(f"/{name}"))
        run.until()
        check(machine, run)
        return [seen(p) for p in run.programs]

    assert equal("abcd") == equal("dbca")


def test_the_same_twice() -> None:
    def once() -> object:
        machine, programs, run = crowd([3, 1, 4, 0], cpus=2, jitter="1ms", seed=5)
        run.until()
        return machine.core.counters(), [seen(p) for p in programs.values()]

    assert once() == once()


@pytest.mark.parametrize("cpus", [None, 1, 2])
@pytest.mark.parametrize("quantum", QUANTA)
def test_whatever_the_quantum_all_agrees(quantum: int, cpus: int | None) -> None:
    machine, programs, run = crowd([0, 1, 2, 3], quantum=quantum, cpus=cpus, jitter="1ms")
    for moment in range(1, 40):
        run.until(f"{moment}ms")
        machine.verify()
    run.until()
    check(machine, run)
    assert {p.references for p in programs.values()} == {3000}
    assert machine.vmstat()["pgmajfault"] == sum(p.majors for p in programs.values()) > 0


@settings(max_examples=25)
@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=6),
    st.sampled_from(QUANTA),
    st.sampled_from((None, 1, 2)),
    st.sampled_from((0, 3)),
    st.integers(150, 900),
    st.booleans(),
)
def test_any_crowd_agrees_after_every_piece(
    order: list[int], quantum: int, cpus: int | None, cluster: int, pages: int, tree: bool
) -> None:
    order = list(dict.fromkeys(order))
    machine, programs, run = crowd(
        order, pages=pages, cluster=cluster, tree=tree, quantum=quantum, cpus=cpus
    )
    for moment in (1, 3, 10, 30, 100):
        run.until(f"{moment}ms")
        machine.verify()
    run.until()
    check(machine, run)
    assert all(p.references == 3000 or p.killed for p in programs.values())


def mean_and_error(numbers: list[int]) -> tuple[float, float]:
    return statistics.fmean(numbers), statistics.stdev(numbers) / len(numbers) ** 0.5


@pytest.mark.slow
def test_the_quantum_is_no_fact() -> None:
    """Means over start jitters agree within three standard errors, for each program."""
    found: dict[int, list[list[int]]] = {}
    for quantum in (0, 20_000):
        found[quantum] = []
        for seed in range(20):
            machine = machine_of(1600)
            machine.add_swap(AREA)
            run = machine.together(quantum=quantum, seed=seed, jitter="1ms")
            run.program("often", trace("loop", 1000, 20_000), think=20)
            run.program("seldom", trace("zipf", 1000, 200_000), think=20)
            run.until()
            check(machine, run)
            found[quantum].append([p.majors for p in run.programs])
    for number in range(2):
        (a, da), (b, db) = (mean_and_error([row[number] for row in found[q]]) for q in found)
        assert abs(a - b) <= 3 * (da**2 + db**2) ** 0.5, (number, a, da, b, db)
