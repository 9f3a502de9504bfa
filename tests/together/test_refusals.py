"""What cannot be: one sentence each, and nothing is left half done."""

from __future__ import annotations

import errno
from typing import Any

import numpy as np
import pytest

import swapfast as sf
from swapfast.traces import Trace
from swapfast.traces.generate import generate
from swapfast.units import PAGE_SIZE
from tests.support.side_by_side import AREA, machine_of

TRACE = Trace(np.arange(10, dtype=np.uint32), 10)


def state(machine: sf.Machine) -> tuple[object, ...]:
    """What a refusal leaves as it was."""
    machine.verify()
    return (
        sorted(machine.tasks),
        [len(task.mm.mappings) for task in machine.tasks.values()],
        machine.core.memory(),
        machine.core.counters(),
        machine.now,
        sorted(machine.areas),
    )


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"think": 0}, r"think is 1 ns to 4\.2 s a reference, not 0"),
        ({"think": "0ns"}, "think is 1 ns"),
        ({"think": 1 << 32}, r"think is 1 ns to 4\.2 s a reference, not 4294967296"),
        ({"think": "soon"}, "soon"),
        ({"think": -5}, "-5"),
        ({"loops": 0}, "loops is a number from 1 on, or 'forever', not 0"),
        ({"loops": -1}, "loops is a number"),
        ({"loops": "always"}, "loops is a number from 1 on, or 'forever', not 'always'"),
        ({"loops": 1.5}, "loops is a number"),
        ({"phase": 1}, "phase is from 0 to less than 1, or 'random', not 1"),
        ({"phase": -0.1}, "phase is from 0"),
        ({"phase": "early"}, "phase is from 0"),
        ({"phase": float("nan")}, "phase is from 0"),
        ({"start": "-1s"}, "-1s"),
        ({"stop": "never"}, "never"),
    ],
    ids=str,
)
def test_a_program_that_cannot_be(keys: dict[str, Any], why: str) -> None:
    machine = machine_of()
    group = machine.memory_group(10 * PAGE_SIZE)
    run = machine.together()
    before = state(machine)
    with pytest.raises(ValueError, match=why) as caught:
        run.program("p", TRACE, cgroup=group, **keys)
    assert "\n" not in str(caught.value)
    assert state(machine) == before and run.programs == []
    run.until()
    group.close()


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"cpus": 0}, "cpus is 1 to 4096, not 0"),
        ({"cpus": -1}, "cpus is 1 to 4096"),
        ({"cpus": 5000}, "cpus is 1 to 4096"),
        ({"quantum": "much"}, "much"),
        ({"quantum": -1}, "-1"),
        ({"slice": "-1ms"}, "-1ms"),
        ({"sample": "often"}, "often"),
        ({"jitter": "-1us"}, "-1us"),
    ],
    ids=str,
)
def test_a_run_that_cannot_be(keys: dict[str, Any], why: str) -> None:
    machine = machine_of()
    before = state(machine)
    with pytest.raises(ValueError, match=why):
        machine.together(**keys)
    assert state(machine) == before


@pytest.mark.parametrize(
    ("preset", "keys", "why"),
    [
        ("lab", {"units": 0}, "units"),
        ("lab", {"units": 2.5}, "units"),
        ("tape", {}, "tape"),
        ("nvme", {"unit": 3}, "unit"),
        ("nvme", {"read": "-1us"}, "read"),
        ("zram", {"units": 4}, "units"),
        ("nvme", {"load": "1us"}, "load"),
        ("nvme", {"tags": 0}, "tags"),
    ],
    ids=str,
)
def test_a_device_that_cannot_be(preset: str, keys: dict[str, Any], why: str) -> None:
    machine = machine_of()
    before = state(machine)
    with pytest.raises(ValueError, match=why) as caught:
        machine.device("d", preset, **keys)
    assert "\n" not in str(caught.value)
    assert state(machine) == before
    assert machine.device("d").number == 1, "the number is still free"


def test_an_area_lies_on_one_device_of_its_own_machine() -> None:
    machine, other = machine_of(), machine_of()
    device = machine.device("d")
    area = machine.add_swap(AREA, device=device)
    with pytest.raises(ValueError, match="lies on device 1 already"):
        machine.device("e").carry(area)
    with pytest.raises(ValueError, match="belongs to another machine"):
        other.device("f").carry(area)
    assert device.areas == [area]
    machine.verify()


def test_a_program_that_never_ends_needs_a_time() -> None:
    machine = machine_of()
    run = machine.together()
    endless = run.program("p", TRACE, loops="forever")
    before = state(machine)
    with pytest.raises(ValueError, match="loops forever has no end: give a time, or a stop"):
        run.until()
    assert state(machine) == before
    run.until("1ms")
    assert endless.alive and endless.references > 0


@pytest.mark.parametrize("when", ["-1s", "later", -1])
def test_a_time_that_cannot_be(when: str | int) -> None:
    machine = machine_of()
    run = machine.together()
    run.program("p", TRACE)
    before = state(machine)
    with pytest.raises(ValueError):
        run.until(when)
    assert state(machine) == before
    run.until()


@pytest.mark.slow  # a page table of 2^31
def test_more_pages_than_a_machine_can_have() -> None:
    machine = machine_of()
    run = machine.together()
    most = Trace(np.zeros(1, np.uint32), (1 << 31) - 1)
    run.program("half of all", most)
    before = state(machine)
    with pytest.raises(OSError) as caught:
        run.program("p", most)
    assert caught.value.errno == errno.ENOMEM
    assert state(machine) == before
    run.until()


def test_no_more_than_may_be_promised() -> None:
    machine = machine_of(1000, overcommit=2)
    run = machine.together()
    before = state(machine)
    with pytest.raises(OSError) as caught:
        run.program("p", Trace(np.zeros(1, np.uint32), 5000))
    assert caught.value.errno == errno.ENOMEM and state(machine) == before


def test_machines_that_see_every_reference_play_one_program_at_a_time() -> None:
    machine = machine_of(tlb="natural")
    run = machine.together()
    before = state(machine)
    with pytest.raises(ValueError, match="boot with tlb='off'"):
        run.program("p", TRACE)
    assert state(machine) == before
    machine = machine_of(policy="lru")
    run = machine.together()
    before = state(machine)
    with pytest.raises(ValueError, match="a policy that sees every reference"):
        run.program("p", TRACE)
    assert state(machine) == before


def test_after_the_machine_is_off() -> None:
    machine = machine_of()
    run = machine.together()
    program = run.program("p", generate("zipf", pages=10, refs=100))
    machine.close()
    for call in (run.until, lambda: run.program("q", TRACE)):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno == errno.EBADF
    assert program.references == 0


def test_who_is_not_watched_has_no_latencies() -> None:
    machine = machine_of()
    run = machine.together()
    program = run.program("p", TRACE, watch=False)
    run.until()
    with pytest.raises(ValueError, match="is not watched"):
        print(program.latency)
    assert run.latency(major=False).count == program.minors == 10
