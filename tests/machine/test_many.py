"""Many areas and namespaces: what is done late or by turns is right whenever somebody looks."""

from __future__ import annotations

import errno
import random
import sys
from pathlib import Path

import pytest

import swapfast as sf
from swapfast.kernel.areas import add, nobody_dies, turn_off
from swapfast.kernel.device import SimulatedDevice
from swapfast.swapfile import mkswap

PAGE = 4096
NEW = sf.CLONE_NEWSWAP | sf.CLONE_NEWIPC | sf.SIGCHLD


@pytest.mark.parametrize("profile", ["2.6.25", "6.18"])
def test_default_priorities_after_many_swapoffs(profile: str) -> None:
    """6.18: -2, -3, ... without a gap, in the order they came; 2.6.25 leaves gaps."""
    chance = random.Random(3)
    machine = sf.Machine("4MiB", profile, contents=False, max_swapfiles=1000)
    modern = profile == "6.18"
    expected: dict[int, int] = {}  # by identity of the area: its priority
    areas = []
    lowest = -2 if modern else -1
    for step in range(300):
        if not areas or chance.random() < 0.6:
            chosen = chance.choice((None, None, None, 7))
            area = machine.add_swap("64KiB", priority=chosen)
            areas.append(area)
            if chosen is None:
                expected[id(area)], lowest = lowest, lowest - 1
            else:
                expected[id(area)] = chosen
        else:
            area = areas.pop(chance.randrange(len(areas)))
            gone = expected.pop(id(area))
            turn_off(machine.kernel, area, nobody_dies)
            if modern and gone < 0:
                lowest += 1
                for key, value in expected.items():
                    expected[key] = value + (value < gone)
        if step % 7 == 0:
            assert [a.priority for a in areas] == [expected[id(a)] for a in areas]
            assert [a.info["prio"] for a in areas] == [a.priority for a in areas]
    assert machine.kernel.ranks.least == lowest
    shown = [line.split()[-1] for line in machine.proc_swaps().splitlines()[1:]]
    assert shown == [str(expected[id(machine.areas[t])]) for t in sorted(machine.areas)]


def test_the_lowest_free_number_is_given_again() -> None:
    machine = sf.Machine("4MiB", contents=False, max_swapfiles=100)
    areas = [machine.add_swap("64KiB") for _ in range(20)]
    for number in (13, 4, 8):
        turn_off(machine.kernel, areas[number], nobody_dies)
    again = [machine.add_swap("64KiB") for _ in range(4)]
    assert [a.type for a in again] == [4, 8, 13, 20]
    assert [a.path for a in again[:2]] == ["/dev/simulated4", "/dev/simulated8"]


def test_a_lost_file_is_noticed_at_once_by_its_own_and_soon_by_others(tmp_path: Path) -> None:
    machine = sf.Machine("4MiB", max_swapfiles=100)
    heaps = []
    for number in range(30):
        path = tmp_path / f"s{number}"
        mkswap(path, size=20 * PAGE)
        task = machine.init.clone(NEW)
        task.swapon(path)
        heaps.append(task.mmap(4 * PAGE))
        heaps[-1].write(0, b"x")
    own, other = machine.areas[29], machine.areas[11]
    for area in (own, other):
        with open(area.path, "r+b") as file:
            file.truncate(PAGE)
    heaps[29].write(0, b"y")
    with pytest.raises(OSError) as caught:
        machine.kernel.files.check(own)
    assert caught.value.errno == errno.EIO
    for _ in range(4):  # eight files each time
        heaps[0].write(0, b"z")
    with pytest.raises(OSError, match="was truncated"):
        machine.kernel.files.check(other)
    assert sum("was truncated" in line for line in machine.log) == 2
    machine.close()


def test_a_thousand_namespaces_with_an_area_each() -> None:
    machine = sf.Machine("256MiB", contents=False, cache=0, max_swapfiles=1000)
    tasks = []
    for number in range(1000):
        task = machine.init.clone(NEW)
        add(machine.kernel, task.swap_ns, SimulatedDevice(f"/dev/n{number}", 8), 0)
        task.mmap(4 * PAGE).touch(range(4), write=True)
        tasks.append(task)
    assert [a.priority for a in machine.areas.values()] == list(range(-2, -1002, -1))
    for task in tasks[::2]:
        task.exit()
    assert [a.priority for a in machine.areas.values()] == list(range(-2, -502, -1))
    assert len(machine.init.children) == 500
    for task in tasks[1::2]:
        task.exit()
    machine.verify()
    assert machine.areas == {} and machine.init.children == []
    assert machine.kernel.ranks.least == -2


def test_a_simulated_device_of_another_namespace_is_einval() -> None:
    """Its path is known to the machine, so it is not ENOENT."""
    machine = sf.Machine("1MiB", profile="6.18", contents=False)
    path = machine.add_swap("1MiB").path
    login = machine.init.clone(sf.CLONE_NEWSWAP | sf.CLONE_NEWIPC)
    with pytest.raises(OSError) as refused:
        login.swapoff(path)
    assert refused.value.errno == errno.EINVAL
    with pytest.raises(OSError) as refused:
        login.swapoff(path + "-no")
    assert refused.value.errno == errno.ENOENT


def test_a_batch_costs_the_same_calls_however_many_areas_are_on() -> None:
    """What is done after each batch must not look at every area."""

    def calls(areas: int) -> int:
        with sf.Machine("64MiB", contents=False, cache=0, max_swapfiles=areas) as machine:
            for number in range(areas):
                task = machine.init.clone(NEW)
                add(machine.kernel, task.swap_ns, SimulatedDevice(f"/dev/s{number}", 10), 0)
            heap = task.mmap(4 * PAGE)
            heap.touch(write=True)
            count = 0

            def note(frame: object, event: str, argument: object) -> None:
                nonlocal count
                count += 1

            sys.setprofile(note)
            heap.touch(write=True)
            sys.setprofile(None)
            return count

    assert calls(300) == calls(3)
