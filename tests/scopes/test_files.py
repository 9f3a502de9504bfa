"""The files that say where a cgroup's pages go: texts, errors, and what is inherited.

Rules: the patches of 2014 (memory.swapfile), 2025 (memory.swap.priority) and 2026 (swap tiers v10).
"""

from __future__ import annotations

import errno
from errno import EBUSY, EINVAL, ENOENT, EPERM
from typing import Any

import pytest

import swapfast as sf
from swapfast.kernel.options import SWAP_CLUSTER, SWAP_SCOPE
from tests.support.swapfiles import swapfile

TIERED = ("tiers", "tiers-amount")
FILES = {
    "shared": set(),
    "private": {"memory.swapfile"},
    "priority": {"memory.swap.priority"},
    "tiers": {"memory.swap.tiers.current", "memory.swap.tiers.max"},
    "tiers-amount": {"memory.swap.tiers.current", "memory.swap.tiers.max"},
}


def boot(kind: str, memory: str = "64MiB", **options: Any) -> sf.Machine:
    """A machine with areas of 8 MiB, types 0 and 1, at priorities 10 and 0."""
    machine = sf.Machine(memory, contents=False, overcommit=1, swap_scope=kind, **options)
    if kind in TIERED:
        machine.swap_tiers.write("+slow:-1 +fast:10")
    machine.add_swap("8MiB", priority=10, private=kind == "private")
    machine.add_swap("8MiB", priority=0)
    return machine


def holder(cgroup: sf.Cgroup, machine: sf.Machine, size: str = "4MiB") -> sf.Mapping:
    """Memory that is charged to a cgroup, written to."""
    task = machine.init.fork()
    cgroup.add(task)
    heap = task.mmap(size)
    heap.touch(write=True)
    return heap


def used(machine: sf.Machine) -> list[int]:
    """Slots in use, by type."""
    return [machine.areas[type_].info["inuse"] for type_ in sorted(machine.areas)]


# ---------------------------------------------------------------- the option


@pytest.mark.parametrize("kind", SWAP_SCOPE)
def test_a_kernel_has_the_files_of_its_patch(kind: str) -> None:
    cgroup = boot(kind).cgroup("/a")
    every = set().union(*FILES.values())
    assert every & set(cgroup) == FILES[kind]
    for name in every - FILES[kind]:
        with pytest.raises(OSError, match="no file") as caught:
            cgroup[name]
        assert caught.value.errno == ENOENT


@pytest.mark.parametrize("kind", SWAP_SCOPE)
def test_a_file_that_is_read_says_what_was_written(kind: str) -> None:
    """Writing what one reads changes nothing; the root has no such file."""
    machine = boot(kind)
    cgroup = machine.cgroup("/a")
    for name in FILES[kind] - {"memory.swap.tiers.current"}:
        text = cgroup[name]
        cgroup[name] = text
        assert cgroup[name] == text
        with pytest.raises(OSError, match="root has no") as caught:
            machine.cgroup("/")[name]
        assert caught.value.errno == ENOENT


@pytest.mark.parametrize("option", ["swap_scope", "swap_cluster", "allowed_aware"])
def test_an_older_kernel_has_none_of_it(option: str) -> None:
    value: Any = {"swap_scope": "tiers", "swap_cluster": "per-cpu"}.get(option, True)
    with pytest.raises(ValueError, match=rf"{option}=.* is a rule of 6.18"):
        sf.Machine("64MiB", "2.6.25", **{option: value})
    with pytest.raises(ValueError, match=rf"{option} is one of"):
        sf.Machine("64MiB", **{option: "sideways"})
    assert sf.Machine("64MiB", "2.6.25").options.swap_scope == SWAP_SCOPE[0]
    assert sf.Machine("64MiB", "2.6.25").options.swap_cluster == SWAP_CLUSTER[0]


# ---------------------------------------------------------------- what is refused

REFUSED = [
    ("private", "memory.swapfile", "/dev/simulated1", EINVAL, "SWAP_FLAG_PRIVATE"),
    ("private", "memory.swapfile", "/nowhere", EINVAL, "SWAP_FLAG_PRIVATE"),
    ("private", "memory.swapfile", "", EINVAL, "SWAP_FLAG_PRIVATE"),
    ("priority", "memory.swap.priority", "7:1", EINVAL, "number of an area"),
    ("priority", "memory.swap.priority", "0:5,7:1", EINVAL, "number of an area"),
    ("priority", "memory.swap.priority", "0", EINVAL, "id:priority"),
    ("priority", "memory.swap.priority", "0:-1", EINVAL, "id:priority"),
    ("priority", "memory.swap.priority", "0:32768", EINVAL, "0 to 32767"),
    ("priority", "memory.swap.priority", "0:fast", EINVAL, "id:priority"),
    ("priority", "memory.swap.priority", "0:5 1:5", EINVAL, "id:priority"),
    *((kind, "memory.swap.tiers.max", "quick 0", EINVAL, "fast, slow") for kind in TIERED),
    *((kind, "memory.swap.tiers.max", "fast", EINVAL, "name of a tier") for kind in TIERED),
    *((kind, "memory.swap.tiers.max", "", EINVAL, "name of a tier") for kind in TIERED),
    *((kind, "memory.swap.tiers.max", "fast off", EINVAL, "max") for kind in TIERED),
    *((kind, "memory.swap.tiers.max", "fast 0 quick 0", EINVAL, "slow") for kind in TIERED),
    *((kind, "memory.swap.tiers.max", "fast -1", EINVAL, "max") for kind in TIERED),
    ("tiers", "memory.swap.tiers.max", "fast 4096", EINVAL, "max"),
    ("tiers", "memory.swap.tiers.max", "fast auto", EINVAL, "max"),
    ("tiers-amount", "memory.swap.tiers.max", "fast 32Q", EINVAL, "32Q"),
    *((kind, "memory.swap.tiers.current", "0", EINVAL, "only be read") for kind in TIERED),
]


@pytest.mark.parametrize(("kind", "name", "text", "code", "why"), REFUSED)
def test_what_a_file_does_not_take(kind: str, name: str, text: str, code: int, why: str) -> None:
    """And it says what it said before."""
    machine = boot(kind)
    cgroup = machine.cgroup("/a")
    before = cgroup[name]
    with pytest.raises(OSError, match=why) as caught:
        cgroup[name] = text
    assert errno.errorcode[caught.value.errno or 0] == errno.errorcode[code]
    assert cgroup[name] == before
    machine.verify()


TIERS_REFUSED = [
    ("+quick", EINVAL),
    ("quick:3", EINVAL),
    ("", EINVAL),
    ("+a.b:3", EINVAL),
    ("+a:", EINVAL),
    ("+a:-2", EINVAL),
    ("+a:32768", EINVAL),
    ("-quick", EINVAL),
    ("+a:5,-quick", EINVAL),
    ("+fast:20", EBUSY),
    ("+a:10", EBUSY),
    ("-fast", EBUSY),  # an area is on in it
    ("-fast +fast:10", EBUSY),
    ("-slow", EINVAL),  # nothing would begin at -1
    ("+a:0", EBUSY),  # the area at 0 would leave its tier
    (" ".join(f"+t{i}:{100 + i}" for i in range(30)), EINVAL),
]


@pytest.mark.parametrize(("text", "code"), TIERS_REFUSED)
def test_what_the_tiers_do_not_take(text: str, code: int) -> None:
    """All or nothing."""
    machine = boot("tiers")
    before = machine.swap_tiers.read()
    with pytest.raises(OSError) as caught:
        machine.swap_tiers.write(text)
    assert errno.errorcode[caught.value.errno or 0] == errno.errorcode[code], caught.value
    assert machine.swap_tiers.read() == before
    machine.verify()


def test_without_the_patch_there_are_no_tiers() -> None:
    tiers = boot("priority").swap_tiers
    for call in (tiers.read, tiers.counters, lambda: tiers.write("+a:-1")):
        with pytest.raises(OSError, match="swap_scope") as caught:
            call()
        assert caught.value.errno == ENOENT


def test_memory_swapfile_needs_a_capability() -> None:
    machine = boot("private")
    cgroup = machine.cgroup("/a")
    machine.init.setuid(1000)
    with pytest.raises(OSError, match="CAP_SYS_ADMIN") as caught:
        cgroup["memory.swapfile"] = "none"
    assert caught.value.errno == EPERM


def test_the_private_flag_is_of_one_patch(tmp_path: Any) -> None:
    path = swapfile(tmp_path / "s")
    for kind in ("shared", "tiers"):
        machine = sf.Machine("64MiB", swap_scope=kind)
        with pytest.raises(OSError, match="private") as caught:
            machine.init.swapon(path, sf.SWAP_FLAG_PRIVATE)
        assert caught.value.errno == EINVAL
    machine = sf.Machine("64MiB", swap_scope="private")
    child = machine.init.clone(sf.CLONE_NEWSWAP | sf.CLONE_NEWIPC)
    with pytest.raises(OSError, match="child") as caught:
        child.swapon(path, sf.SWAP_FLAG_PRIVATE)
    assert caught.value.errno == EINVAL
    machine.init.swapon(path, sf.SWAP_FLAG_PRIVATE)
    cgroup = machine.cgroup("/a")
    cgroup["memory.swapfile"] = str(path)
    assert cgroup["memory.swapfile"] == f"{machine.areas[0].path}\n"
    machine.close()


# ---------------------------------------------------------------- tiers as a table


def test_the_table_of_tiers() -> None:
    machine = sf.Machine("64MiB", contents=False, swap_scope="tiers")
    tiers = machine.swap_tiers
    assert tiers.read().split() == ["Name", "Idx", "PrioStart", "PrioEnd"]
    tiers.write("+slow:-1,+fast:10 +Mid_2:5")
    rows = [line.split() for line in tiers.read().splitlines()[1:]]
    assert rows == [
        ["fast", "1", "10", "32767"],
        ["Mid_2", "2", "5", "9"],
        ["slow", "0", "-1", "4"],
    ]
    tiers.write("-Mid_2 -fast +fast:100")
    assert [line.split()[0] for line in tiers.read().splitlines()[1:]] == ["fast", "slow"]
    tiers.write("-fast -slow")
    assert tiers.read().split() == ["Name", "Idx", "PrioStart", "PrioEnd"]


def test_a_tier_that_is_made_again_is_allowed_again_and_counts_anew() -> None:
    machine = sf.Machine("64MiB", contents=False, overcommit=1, swap_scope="tiers")
    machine.swap_tiers.write("+slow:-1 +fast:10")
    cgroup = machine.cgroup("/a/b")
    cgroup["memory.swap.tiers.max"] = "fast 0"
    machine.swap_tiers.write("-fast +quick:10")
    assert cgroup["memory.swap.tiers.max"] == "quick max\nslow max\n"
    machine.swap_tiers.write("-quick +fast:10")
    assert cgroup["memory.swap.tiers.max"] == "fast max\nslow max\n"
    machine.add_swap("8MiB", priority=10)
    holder(cgroup, machine)
    cgroup.reclaim("1MiB")
    assert machine.swap_tiers.counters()["fast"]["swapouts"] >= 256
    assert machine.swap_tiers.counters()["fast"]["refused_mask"] == 0
    machine.verify()


def test_areas_that_were_on_before_get_their_tiers() -> None:
    """With what is in them; cgroups and tiers count the same."""
    machine = sf.Machine("64MiB", contents=False, overcommit=1, swap_scope="tiers")
    machine.add_swap("8MiB", priority=10)
    cgroup = machine.cgroup("/a/b")
    holder(cgroup, machine)
    cgroup.reclaim("1MiB")
    machine.swap_tiers.write("+slow:-1 +fast:10")
    now = machine.swap_tiers.counters()["fast"]["used"]
    assert now == cgroup.swap_current > 0
    for path in ("/", "/a", "/a/b"):
        assert machine.cgroup(path)["memory.swap.tiers.current"] == f"fast {now}\nslow 0\n"
    machine.verify()


def test_a_tier_keeps_what_its_areas_counted_when_they_go_off() -> None:
    machine = boot("tiers")
    cgroup = machine.cgroup("/a")
    holder(cgroup, machine)
    cgroup.reclaim("1MiB")
    before = machine.swap_tiers.counters()["fast"]
    machine.init.swapoff("/dev/simulated0")
    after = machine.swap_tiers.counters()["fast"]
    assert after["swapouts"] == before["swapouts"] > 0
    assert after["size"] == after["used"] == 0
    machine.swap_tiers.write("-fast")  # nothing holds it any more
    machine.verify()


# ---------------------------------------------------------------- where pages go


def test_a_private_area_is_the_cgroups_alone_and_there_is_no_other_for_it() -> None:
    machine = boot("private")
    own, other = machine.cgroup("/own"), machine.cgroup("/other")
    own["memory.swapfile"] = "/dev/simulated0"
    heaps = holder(own, machine, "12MiB"), holder(other, machine)
    assert other.reclaim("1MiB") > 0
    assert used(machine)[0] == 0 and used(machine)[1] >= 256
    before = used(machine)[1]
    own.reclaim("12MiB")
    assert used(machine) == [2047, before], "it is full, and the public one has room"
    assert own.swap_events["fail"] > 0
    assert heaps[0].count()[1] == 2047
    machine.verify()


def test_a_cgroup_without_a_swapfile_does_not_swap() -> None:
    machine = boot("private")
    cgroup = machine.cgroup("/a")
    cgroup["memory.swapfile"] = "none"
    holder(cgroup, machine)
    assert cgroup.reclaim("1MiB") == 0
    assert used(machine) == [0, 0]


def test_swapfiles_are_inherited_and_swapoff_resets_them() -> None:
    machine = boot("private")
    above, below = machine.cgroup("/a"), machine.cgroup("/a/b")
    above["memory.swapfile"] = "/dev/simulated0"
    assert below["memory.swapfile"] == "default\n"
    holder(below, machine)
    below.reclaim("1MiB")
    assert used(machine)[0] >= 256 and used(machine)[1] == 0
    new = machine.cgroup("/a/c")
    holder(new, machine)
    new.reclaim("1MiB")
    assert used(machine)[1] == 0, "one that was made later as well"
    machine.init.swapoff("/dev/simulated0")
    assert above["memory.swapfile"] == "default\n"
    below.reclaim("1MiB")
    assert used(machine)[-1] >= 256
    machine.verify()


def test_half_full_is_asked_of_each_private_area() -> None:
    """A page that is read gives its slot up when the swap that it came from is more than half full.

    Here the private area is, and the public one is not, though it has most of the slots in use.
    """
    machine = sf.Machine(
        "64MiB", contents=False, overcommit=1, page_cluster=0, swap_scope="private", cache=0
    )
    machine.add_swap("1MiB", private=True)
    machine.add_swap("32MiB")
    own, other = machine.cgroup("/own"), machine.cgroup("/other")
    own["memory.swapfile"] = "/dev/simulated0"
    one, two = holder(own, machine, "1MiB"), holder(other, machine, "16MiB")
    own.reclaim("600KiB")
    other.reclaim("15MiB")
    before = used(machine)
    assert before[0] * 2 > 255 and 3000 < before[1] < 4000
    for heap in (one, two):
        heap.touch(slice(0, 8))  # the oldest are out
    after = used(machine)
    assert after[0] == before[0] - 8 and after[1] == before[1]


def test_an_order_of_its_own() -> None:
    machine = boot("priority")
    third = machine.add_swap("8MiB", priority=5)
    cgroup = machine.cgroup("/a")
    cgroup["memory.swap.priority"] = "1:3,0:disabled"
    assert cgroup["memory.swap.priority"] == "1:3,0:disabled\n"
    holder(cgroup, machine, "32MiB")
    cgroup.reclaim("4MiB")
    assert used(machine)[0] == used(machine)[2] == 0 and used(machine)[1] >= 1024
    cgroup.reclaim("24MiB")
    assert used(machine) == [0, 2047, 2047], "the own order, then the rest by global priority"
    cgroup["memory.swap.priority"] = "0:none"
    cgroup.reclaim("1MiB")
    assert used(machine)[0] >= 256 and third.used == 2047 * 4096
    machine.verify()


def test_an_order_is_inherited_and_cleared_by_an_empty_write() -> None:
    machine = boot("priority")
    above, below = machine.cgroup("/a"), machine.cgroup("/a/b")
    above["memory.swap.priority"] = "1:9"
    holder(below, machine)
    below.reclaim("1MiB")
    assert used(machine)[0] == 0 and below["memory.swap.priority"] == "\n"
    below["memory.swap.priority"] = "0:1"
    below.reclaim("1MiB")
    assert used(machine)[0] >= 256
    before = used(machine)
    below["memory.swap.priority"] = ""
    below.reclaim("1MiB")
    assert used(machine)[0] == before[0] and used(machine)[1] > before[1]
    machine.init.swapoff("/dev/simulated1")
    assert above["memory.swap.priority"] == "\n", "another area may get its number"
    machine.verify()


def test_a_slot_stays_where_it_is_when_the_scope_changes_and_a_rewrite_moves() -> None:
    machine = boot("tiers", page_cluster=0, swappiness=200)
    cgroup = machine.cgroup("/a")
    heap = holder(cgroup, machine, "1MiB")
    cgroup.reclaim("1MiB")
    cgroup.reclaim("1MiB")
    assert used(machine) == [256, 0]
    cgroup["memory.swap.tiers.max"] = "fast 0"
    assert used(machine) == [256, 0]
    heap.touch(slice(0, 100))  # read, and their slots are kept
    heap.touch(slice(0, 50), write=True)
    cgroup.reclaim("1MiB")
    cgroup.reclaim("1MiB")
    assert used(machine) == [206, 50], "what is clean has its bytes where they were"
    machine.verify()


def test_a_child_swap_namespace_goes_before_its_cgroup(tmp_path: Any) -> None:
    with sf.Machine("4MiB", swap_scope="tiers", cache=0) as machine:
        machine.init.swapon(swapfile(tmp_path / "host", 1000))
        machine.swap_tiers.write("+all:-1")
        child = machine.init.clone(sf.CLONE_NEWSWAP | sf.CLONE_NEWIPC)
        child.swapon(swapfile(tmp_path / "own", 1000))
        cgroup = machine.cgroup("/a")
        cgroup["memory.swap.tiers.max"] = "all 0"
        cgroup.add(child)
        child.mmap("1MiB").touch(write=True)
        cgroup.reclaim("512KiB")
        assert used(machine)[0] == 0 and used(machine)[1] >= 128
        assert machine.swap_tiers.counters()["all"]["used"] == 0, "tiers are of the host's areas"
        machine.verify()


# ---------------------------------------------------------------- amounts


def test_amounts_of_tiers() -> None:
    """A cgroup goes on to the next tier at its amount, its child at what is left above."""
    machine = boot("tiers-amount")
    above, below = machine.cgroup("/a"), machine.cgroup("/a/b")
    above["memory.swap.tiers.max"] = "fast 2M"
    below["memory.swap.tiers.max"] = "fast 64M"
    assert above["memory.swap.tiers.max"] == "fast 2097152\nslow max\n"
    heap = holder(below, machine, "6MiB")
    below.reclaim("4MiB")
    assert used(machine)[0] == 512
    assert machine.swap_tiers.counters()["fast"]["refused_amount"] == used(machine)[1] > 0
    assert below["memory.swap.tiers.current"].startswith("fast 2097152\nslow ")
    heap.munmap()
    assert above["memory.swap.tiers.current"] == "fast 0\nslow 0\n"
    machine.verify()


def test_auto_is_the_share_that_memory_max_is_of_the_machine() -> None:
    machine = boot("tiers-amount", memory="64MiB")  # the fast tier has 2047 slots
    above, below = machine.cgroup("/a", max="32MiB"), machine.cgroup("/a/b")
    below["memory.swap.tiers.max"] = "fast auto"
    assert below["memory.swap.tiers.max"] == "fast auto\nslow max\n"
    holder(below, machine, "20MiB")
    below.reclaim("8MiB")
    assert used(machine)[0] == 2047 // 2
    above.max = 48 << 20  # the nearest above that has one; first its cluster is used up
    below.reclaim("5MiB")
    assert used(machine)[0] == 2047 * 3 // 4
    above.max = None
    below.reclaim("4MiB")
    assert used(machine) == [2047, 2047]
    machine.verify()


def test_what_becomes_of_pages_is_counted_by_tier() -> None:
    machine = boot("tiers")
    one, two = machine.cgroup("/one"), machine.cgroup("/two")
    one["memory.swap.tiers.max"] = "fast 0"
    holder(one, machine)
    one.reclaim("1MiB")
    counted = machine.swap_tiers.counters()
    assert counted["fast"]["refused_mask"] == counted["slow"]["swapouts"] == used(machine)[1]
    holder(two, machine, "12MiB")
    two.reclaim("10MiB")
    counted = machine.swap_tiers.counters()
    assert counted["fast"]["used"] == 2047 * 4096 == counted["fast"]["size"]
    assert counted["fast"]["full"] == counted["slow"]["swapouts"] - counted["fast"]["refused_mask"]
    assert counted["fast"]["refused_amount"] == counted["slow"]["refused_mask"] == 0
    machine.verify()


def test_a_page_that_a_fork_shares_is_counted_where_it_is_charged() -> None:
    """The parent goes, and its pages are charged to the child's cgroup: their slots follow."""
    machine = boot("tiers")
    one, two = machine.cgroup("/a/one"), machine.cgroup("/a/two")
    parent = machine.init.fork()
    one.add(parent)
    parent.mmap("2MiB").touch(write=True)
    two["cgroup.procs"] = parent.pid  # what it maps from now on
    child = parent.fork()
    one.reclaim("1MiB")
    machine.verify()
    out = one.swap_current
    assert out > 0 and one["memory.swap.tiers.current"] == f"fast {out}\nslow 0\n"
    parent.exit()
    machine.verify()
    assert one["memory.swap.tiers.current"] == "fast 0\nslow 0\n"
    assert two["memory.swap.tiers.current"] == f"fast {out}\nslow 0\n" and child.alive
    assert machine.cgroup("/a")["memory.swap.tiers.current"] == f"fast {out}\nslow 0\n"


# ---------------------------------------------------------------- the tree


@pytest.mark.parametrize("kind", SWAP_SCOPE[1:])
def test_cgroups_that_say_the_same_share_a_scope_and_leave_none_behind(kind: str) -> None:
    machine = boot(kind)
    words = {
        "private": ("memory.swapfile", "/dev/simulated0", "default"),
        "priority": ("memory.swap.priority", "1:20", ""),
        "tiers": ("memory.swap.tiers.max", "fast 0", "fast max"),
        "tiers-amount": ("memory.swap.tiers.max", "fast 0", "fast max"),
    }
    name, said, unsaid = words[kind]
    cgroups = [machine.cgroup(f"/a/{i}") for i in range(20)]
    for cgroup in cgroups:
        cgroup[name] = said
    scopes = machine.kernel.groups.scopes
    assert len(set(scopes.of.values())) == len(scopes.tables) == 1
    for cgroup in cgroups[:10]:
        cgroup[name] = unsaid
    for cgroup in cgroups[10:]:
        cgroup.close()
    assert not scopes.of and not scopes.tables
    machine.verify()
