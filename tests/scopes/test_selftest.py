"""The selftest of swap tiers v10, as their author wrote it for the kernel.

Two areas of 128 MiB at priorities 10 and 0, tiers slow:-1 and fast:10.
"""

from __future__ import annotations

import errno

import pytest

import swapfast as sf

MIB = 1 << 20


@pytest.fixture(params=["6.18", "6.18-mglru"])
def machine(request: pytest.FixtureRequest) -> sf.Machine:
    machine = sf.Machine("512MiB", request.param, contents=False, overcommit=1, swap_scope="tiers")
    machine.swap_tiers.write("+slow:-1 +fast:10")
    machine.add_swap("128MiB", priority=10)
    machine.add_swap("128MiB", priority=0)
    return machine


def page_out(machine: sf.Machine, cgroup: sf.Cgroup) -> dict[str, int]:
    """64 MiB of a task in a cgroup leave memory; what the tiers have then."""
    task = machine.init.fork()
    cgroup.add(task)
    task.mmap("64MiB").touch(write=True)
    cgroup["memory.reclaim"] = "60M"
    return {name: row["used"] for name, row in machine.swap_tiers.counters().items()}


def test_a_tier_that_is_0_is_not_used(machine: sf.Machine) -> None:
    cgroup = machine.cgroup("/test")
    cgroup["memory.swap.tiers.max"] = "fast 0"
    used = page_out(machine, cgroup)
    assert used["fast"] == 0 and used["slow"] >= 60 * MIB
    assert cgroup["memory.swap.tiers.current"] == f"fast 0\nslow {used['slow']}\n"


def test_by_default_the_fast_tier_is_used(machine: sf.Machine) -> None:
    used = page_out(machine, machine.cgroup("/test"))
    assert used["fast"] >= 60 * MIB and used["slow"] == 0


def test_the_parents_0_beats_the_childs_max(machine: sf.Machine) -> None:
    machine.cgroup("/parent")["memory.swap.tiers.max"] = "fast 0"
    child = machine.cgroup("/parent/child")
    child["memory.swap.tiers.max"] = "fast max"
    used = page_out(machine, child)
    assert used["fast"] == 0 and used["slow"] > 0


def test_a_child_may_narrow(machine: sf.Machine) -> None:
    machine.cgroup("/parent")["memory.swap.tiers.max"] = "fast max"
    child = machine.cgroup("/parent/child")
    child["memory.swap.tiers.max"] = "fast 0"
    used = page_out(machine, child)
    assert used["fast"] == 0 and used["slow"] > 0
    used = page_out(machine, machine.cgroup("/parent/other"))
    assert used["fast"] > 0


def test_a_tier_made_again_is_max(machine: sf.Machine) -> None:
    cgroup = machine.cgroup("/test")
    cgroup["memory.swap.tiers.max"] = "fast 0"
    machine.init.swapoff("/dev/simulated0")
    machine.swap_tiers.write("-fast")
    machine.swap_tiers.write("+fast:10")
    assert cgroup["memory.swap.tiers.max"] == "fast max\nslow max\n"
    machine.add_swap("128MiB", priority=10)
    used = page_out(machine, cgroup)
    assert used["fast"] > 0


@pytest.mark.parametrize("text", ["none 0", "fast off", "fast", "fast 1"])
def test_bad_names_and_values_are_refused(machine: sf.Machine, text: str) -> None:
    cgroup = machine.cgroup("/test")
    with pytest.raises(OSError) as caught:
        cgroup["memory.swap.tiers.max"] = text
    assert caught.value.errno == errno.EINVAL
    assert cgroup["memory.swap.tiers.max"] == "fast max\nslow max\n"
