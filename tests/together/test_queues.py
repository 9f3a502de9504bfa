"""Programs that wait for one device: what queueing theory says of closed networks."""

from __future__ import annotations

from typing import Any

import pytest

import swapfast as sf
from swapfast.together import Device, Together
from swapfast.units import PAGE_SIZE
from tests.reference.queueing import (
    mean_value_analysis,
    repairman,
    throughput_bounds,
)
from tests.support.side_by_side import AREA, FREE, check, faulting, machine_of

PAGES, MEMORY = 100, 20
SERVICE = 50_000  # ns


def network(
    programs: int, think: int, faults: int, **keys: Any
) -> tuple[sf.Machine, Together, Device]:
    """Programs that fault at every reference, on one device whose writes take no time."""
    machine = machine_of(times=FREE)
    keys = {"request": 0, "page": 0, "latency": 0, "write": 0, "duplex": True, **keys}
    device = machine.device("d", "lab", seed=1, **keys)
    machine.add_swap(AREA, device=device)
    run = machine.together()
    trace = faulting(PAGES, faults // PAGES)
    for number in range(programs):
        group = machine.memory_group(MEMORY * PAGE_SIZE, policy="fifo")
        run.program(f"p{number}", trace, cgroup=group, think=think, linger=True)
    run.until()
    assert {p.majors for p in run.programs} == {faults}
    return machine, run, device


def throughput(run: Together, think: int) -> float:
    """Faults a ns, without the time to fill memory."""
    return sum(p.majors / (p.wall - PAGES * think) for p in run.programs)


def little(machine: sf.Machine, run: Together, device: Device) -> None:
    """Depth times time is throughput times response, to the ns."""
    check(machine, run)
    told = device.counters()
    waited = [p.times["read"] + p.times["workingset"] for p in run.programs]
    assert sum(waited) == told["read_in_system_ns"]
    assert device.latency("read").sum == told["read_in_system_ns"]
    assert device.latency("read", waiting=True).sum == told["read_waited_ns"]
    assert told["reads"] == told["pages_in"] == sum(p.majors for p in run.programs)
    for program, ns in zip(run.programs, waited, strict=True):
        assert program.latency.sum == ns, "a fault takes what its device takes"


@pytest.mark.parametrize("programs", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("think", [SERVICE // 4, 4 * SERVICE])
def test_exponential_service_is_mean_value_analysis(programs: int, think: int) -> None:
    faults = 32_000 // programs // PAGES * PAGES
    service = {"dist": "exponential", "mean": SERVICE}
    machine, run, device = network(programs, think, faults, read=service, units=1)
    want = mean_value_analysis(programs, think, SERVICE)
    assert throughput(run, think) == pytest.approx(want.throughput, rel=0.02)
    assert device.latency("read").mean == pytest.approx(want.response, rel=0.03)
    little(machine, run, device)


@pytest.mark.parametrize("units", [2, 4])
@pytest.mark.parametrize("programs", [4, 12])
def test_several_units(programs: int, units: int) -> None:
    faults = 32_000 // programs // PAGES * PAGES
    service = {"dist": "exponential", "mean": SERVICE}
    machine, run, device = network(programs, SERVICE, faults, read=service, units=units)
    want = repairman(programs, SERVICE, SERVICE, units)
    assert throughput(run, SERVICE) == pytest.approx(want.throughput, rel=0.02)
    little(machine, run, device)


@pytest.mark.parametrize("units", [1, 3])
@pytest.mark.parametrize("programs", [1, 3, 5, 20])
def test_constant_service_by_hand(programs: int, units: int) -> None:
    """In step after the first round: whoever waits does so each time for the same."""
    think, faults = 2 * SERVICE, 1000
    machine, run, device = network(programs, think, faults, read=SERVICE, units=units)
    least, most = throughput_bounds(programs, think, SERVICE, units)
    assert throughput(run, think) == pytest.approx(most, rel=0.05)
    assert least <= throughput(run, think) * 1.01
    longest = device.latency("read").max
    assert longest <= -(-programs // units) * SERVICE
    if programs == 1:
        assert run.programs[0].wall == (PAGES + faults) * think + faults * SERVICE
        assert longest == SERVICE and device.counters()["read_waited_ns"] == 0
    assert device.counters()["busy_ns"] <= run.now
    little(machine, run, device)


def test_the_serial_part_bounds_throughput() -> None:
    """Sixteen units, and a pipe of 10 us for each request and 5 us for each page."""
    machine, run, device = network(
        16, 1000, 1000, read=20_000, units=16, request=10_000, page=5_000, latency=7_000
    )
    assert throughput(run, 1000) == pytest.approx(1 / 15_000, rel=0.02)
    assert device.latency("read").quantile(0) >= 20_000 + 15_000 + 7_000 - 1500
    little(machine, run, device)


def test_tags_hold_up_whoever_submits() -> None:
    """Two in flight at most: the others wait to submit, and their time says so."""
    machine, run, device = network(6, 1000, 500, read=SERVICE, units=6, tags=2)
    check(machine, run)
    assert throughput(run, 1000) == pytest.approx(2 / SERVICE, rel=0.02)
    assert all(p.times["tags"] > 0 for p in run.programs)
    read = sum(p.times["read"] for p in run.programs)
    assert read == device.counters()["read_in_system_ns"] == 3000 * SERVICE


def test_bytes_written_are_pages_out() -> None:
    machine = machine_of(300)
    device = machine.device("d", "nvme")
    machine.add_swap(AREA, device=device)
    run = machine.together(cpus=2)
    for number in range(3):
        run.program(f"p{number}", faulting(200, 5))
    run.until()
    told, vm = device.counters(), machine.vmstat()
    assert told["pages_out"] == vm["pswpout"] > 0
    assert told["bytes_written"] == told["pages_out"] * PAGE_SIZE
    assert told["pages_in"] == vm["pswpin"] > 0
    assert told["write_merged"] == told["pages_out"] - told["writes"] > 0
    check(machine, run)
