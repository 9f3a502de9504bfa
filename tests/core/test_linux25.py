"""Reclaim of 2.6.25, worked out by hand: machines so small that every counter can be computed.

Each test has its arithmetic in its docstring. p is the scan priority, 12 down to 0; D pages
deactivated (pgdeactivate), R looked at on the active list (pgrefill), S on the inactive list
(pgscan), W written (pswpout), F freed (pgsteal). A dirty page is written by one scan and freed by
the next, when its write is done: below p = 10 reclaim waits for the device between two scans.
"""

from __future__ import annotations

import pytest

import swapfast as sf
from swapfast.core import mapping_table
from swapfast.kernel.choices import TIMES
from swapfast.kernel.state import Mapping

PAGE = 4096
NO_TIME = dict.fromkeys(TIMES, 0)


def boot(memory: str, **options: object) -> sf.Machine:
    """A machine without page cache whose time stands still."""
    settings = {"page_cluster": 0, "times": NO_TIME, **options}
    return sf.Machine(memory, "2.6.25", contents=False, cache=0, overcommit=1, **settings)  # type: ignore[arg-type]


def limited(pages: int, **options: object) -> tuple[sf.Machine, sf.Task]:
    """A task in a memory group of so many pages, and swap for all of them."""
    machine = boot("64MiB", **options)
    machine.add_swap("16MiB")
    task = machine.init.fork()
    machine.memory_group(pages * PAGE).add(task)
    return machine, task


def touch(mapping: Mapping, first: int, end: int) -> None:
    mapping.touch(range(first, end), write=True)


def counts(machine: sf.Machine) -> dict[str, int]:
    n = machine.core.counters()
    return {
        "reclaims": n["reclaims"],
        "D": n["pgdeactivate"],
        "R": n["pgrefill"],
        "S": n["pgscan_direct"] + n["pgscan_kswapd"],
        "W": n["pswpout"],
        "F": n["pgsteal_direct"] + n["pgsteal_kswapd"],
    }


def lists(machine: sf.Machine) -> tuple[int, int]:
    """Active and inactive pages."""
    memory = machine.core.memory()
    return memory["active"], memory["inactive"]


def test_group_limit_64_pages_and_one_more() -> None:
    """A group scans list >> p pages of each list, without carry.

    64 pages, all active and young. The 65th needs room.

    First reclaim: 100 % mapped, so 50 + distress + 60 >= 100, mapped pages may leave at any p.
      p  6   5   4   3   2   1     64 >> p = 1, 2, 4, 8, 16, 32: pages 0..62 are found young, lose
                                   their bit and go round: R = 63
      p  0   64 pages: 63 is young; 0..62 are old: D = 63, R = 127
    Nothing was freed; page 63 is the only active one.

    Second reclaim, 63 inactive pages; freed at each p is what the p before had written:
      p      5   4   3   2   1   0
      S      1   3   7  15  27  45   (63, 63, 62, 60, 55 and 45 pages >> p), 98 together
      F      0   1   2   5  10  17   35
      W      1   2   5  10  17  28   63
    and at p = 0 page 63 is deactivated: D = 64, R = 128. 35 >= 32 is enough.
    """
    machine, task = limited(64)
    heap = task.mmap(65 * PAGE)
    touch(heap, 0, 64)
    assert lists(machine) == (64, 0)
    assert counts(machine) == dict.fromkeys(("reclaims", "D", "R", "S", "W", "F"), 0)
    touch(heap, 64, 65)
    assert counts(machine) == {"reclaims": 2, "D": 64, "R": 128, "S": 98, "W": 63, "F": 35}
    assert lists(machine) == (1, 64 - 35)
    assert heap.count() == (64 - 63 + 1, 63, 0)  # 28 more are written, unmapped and in the cache
    assert machine.core.counters()["pgfault"] == 65


def test_swap_tendency_with_swappiness_0() -> None:
    """Mapped pages leave when 50 (half of 100 % mapped) + distress + 0 >= 100; the imbalance of the
    lists adds 64 * 1 // 100 = 0.

    distress = 100 >> p is 50 at p = 1: before that active pages are turned over unseen.

    First reclaim: p = 6..2 turn 1 + 2 + 4 + 8 + 16 = 31 pages, their bits stay. p = 1: pages 31..62
    lose theirs. p = 0: 63 and 0..30 are young, and lose theirs; 31..62 are old: D = 32,
    R = 31 + 32 + 64 = 127. Freed: nothing, so prev_priority is 0 and the next distress 100.

    Second reclaim, 32 active (all old now) and 32 inactive pages:
      p            5   4   3   2   1   0
      active      32  31  30  27  21  11
      D = R        1   1   3   6  10  11        32
      inactive    32  33  33  35  38  43
      S            1   2   4   8  19  43        77
      F            0   1   1   3   5  14        24
      W            1   1   3   5  14  18 + 11   53
    """
    machine, task = limited(64, swappiness=0)
    heap = task.mmap(65 * PAGE)
    touch(heap, 0, 65)
    assert counts(machine) == {"reclaims": 2, "D": 64, "R": 159, "S": 77, "W": 53, "F": 24}
    assert lists(machine) == (1, 64 - 24)


@pytest.mark.parametrize(
    ("swappiness", "first_p", "refilled"),
    [(60, 6, 128), (31, 6, 128), (30, 6, 128), (29, 5, 129), (28, 4, 131), (27, 4, 131)],
)
def test_swap_tendency_at_the_edge(swappiness: int, first_p: int, refilled: int) -> None:
    """64 pages as above; mapped ones may leave from ``first_p`` on, where

      50 (half of 100 % mapped) + 100 >> p + swappiness + 64 // (0 + 1) * (swappiness + 1) // 100

    reaches 100: 50 + 1 + 30 + 19 does at p = 6, 50 + 1 + 29 + 19 does not; 50 + 3 + 29 + 19 does at
    p = 5, 50 + 3 + 28 + 18 does not; 50 + 6 + 27 + 17 does at p = 4.
    The k = 0, 1 or 1 + 2 = 3 pages turned over before that keep their young bit: in the first
    reclaim 63 - k are deactivated, and the others join page 63 on the active list. The second one
    finds 1 + k active pages, old: 127 + 1 + k looked at, 64 deactivated.
    """

    def tendency(p: int) -> int:
        return 50 + (100 >> p) + swappiness + 64 * (swappiness + 1) // 100

    assert tendency(first_p) >= 100
    assert first_p == 6 or tendency(first_p + 1) < 100
    machine, task = limited(64, swappiness=swappiness)
    heap = task.mmap(65 * PAGE)
    touch(heap, 0, 65)
    found = counts(machine)
    assert found["R"] == refilled
    assert found["D"] == 64
    assert found["reclaims"] == 2


def global_pressure(**options: object) -> tuple[sf.Machine, Mapping]:
    """256 pages of RAM: min 32, low 40, high 48. 217 pages are touched; the last wakes kswapd.

    Globally (list >> p) + 1 pages of each list are added to a carry, and 32 or more are due.

    First reclaim, 216 active pages, all young; 84 % mapped, 42 + 60 >= 100:
      p         12..8   7   6   5   4   3   2   1    0
      active        5   7  11  18  32  28  83 109  209   the carry; due at 4, 2, 1 and 0
      p = 4, 2: pages 0..31 and 32..114 lose their bit, R = 115
      p = 1: 115..215 lose theirs, 0..7 are old: D = 8, R = 224
      p = 0: the list's 208 pages are old: D = 216, R = 432
      inactive: 12 after p = 1, and (8 >> 0) + 1 = 9 more: 21, not due
    Second reclaim, 216 inactive pages:
      p         12..8   7   6   5   4   3
      inactive     26  28  32   7  21  49               due at 6 and 3
      p = 6: S = 32, W = 32; p = 3: S = 81, F = 32 and 17 more written, W = 49. 32 is enough:
    free = 40 + 32 = 72 >= 48, and the page that asked takes one.
    """
    machine = boot("1MiB", **options)
    assert machine.options.watermarks == (32, 40, 48)
    machine.add_swap("4MiB")
    heap = machine.init.fork().mmap(300 * PAGE)
    touch(heap, 0, 216)
    assert machine.core.counters()["pageoutrun"] == 0
    touch(heap, 216, 217)
    return machine, heap


def test_kswapd_carries_what_is_not_due() -> None:
    machine, heap = global_pressure()
    assert counts(machine) == {"reclaims": 2, "D": 216, "R": 432, "S": 81, "W": 49, "F": 32}
    assert lists(machine) == (1, 216 - 32)
    n = machine.core.counters()
    assert (n["pageoutrun"], n["allocstall"], n["pgscan_direct"]) == (1, 0, 0)
    assert machine.vmstat()["nr_free_pages"] == 71
    assert heap.count() == (217 - 49, 49, 0)
    assert machine.areas[0].info["inuse"] == 49


def test_swapped_in_pages_enter_the_active_list() -> None:
    """Page 0 is in slot 1; 71 pages are free, so nothing is reclaimed for it."""
    machine, heap = global_pressure()
    heap.touch([0])
    n = machine.core.counters()
    assert (n["pswpin"], n["pgmajfault"], n["pgactivate"]) == (1, 1, 0)
    assert lists(machine) == (2, 184)
    assert machine.areas[0].info["inuse"] == 49  # it keeps its slot


def test_read_ahead_is_an_aligned_block_and_enters_the_active_list() -> None:
    """Pages 0..48 are in slots 1..49, in order. Page 0: slots 0..7, of which 0 is the header, so
    7 pages. Page 7 is in slot 8: 8..15. Those in between are found in the cache: minor faults.
    Then 16..23 and 24..31, which brings the free pages down to 40, the low mark.
    Pages 32..48 were written and are in memory still, in slots 33..49: nothing is read."""
    machine, heap = global_pressure(page_cluster=3)
    heap.touch([0])
    assert machine.core.counters()["pswpin"] == 7
    assert lists(machine) == (1 + 7, 184)
    heap.touch(range(1, 7))
    assert machine.core.counters()["pgmajfault"] == 1
    heap.touch([7])
    n = machine.core.counters()
    assert (n["pswpin"], n["pgmajfault"]) == (15, 2)
    assert lists(machine) == (1 + 15, 184)
    heap.touch(range(8, 31))
    n = machine.core.counters()
    assert (n["pswpin"], n["pgmajfault"]) == (31, 4)
    heap.touch(range(32, 49))
    n = machine.core.counters()
    assert (n["pswpin"], n["pgmajfault"], n["pageoutrun"]) == (31, 4, 1)
    assert n["pgfault"] == 217 + 31 + 17
    assert machine.vmstat()["nr_free_pages"] == 40


def test_a_referenced_page_at_the_inactive_tail_is_activated_at_first_sight() -> None:
    """Of the 184 inactive pages the 17 that were written are at the tail, then 49, 50, ...

    Eight of these are touched again. 31 new pages use the free ones up to the low mark, and the
    next one wakes kswapd; its first due scan takes 32 pages: 17 are freed and 15 looked at, among
    them the eight.
    """
    machine, heap = global_pressure()
    before = counts(machine)
    heap.touch(range(49, 57))
    touch(heap, 217, 248)
    assert counts(machine) == before
    assert machine.vmstat()["nr_free_pages"] == 40
    touch(heap, 248, 249)
    n = machine.core.counters()
    assert n["pgactivate"] == 8
    assert heap.count()[0] > 0
    state = mapping_table.state(machine.core, heap.number, 49, 8)[0]
    assert (state & 1).all()  # in memory, mapped
    assert counts(machine)["F"] - before["F"] >= 8


def test_without_any_swap_anonymous_pages_stay_active() -> None:
    """total_swap_pages == 0: nothing is deactivated, so nothing is scanned, and memory is out."""
    machine = boot("1MiB")
    task = machine.init.fork()
    with pytest.raises(sf.TaskKilled):
        touch(task.mmap(300 * PAGE), 0, 300)
    found = counts(machine)
    assert found["R"] > 0
    assert (found["D"], found["S"], found["W"], found["F"]) == (0, 0, 0, 0)


def test_a_page_that_finds_no_slot_is_activated() -> None:
    """The area is the host's, the task is in a namespace without one: total_swap_pages is not 0,
    so its pages are deactivated and scanned, and each one that is scanned is activated again."""
    machine = boot("1MiB")
    machine.add_swap("4MiB")
    login = machine.init.clone(sf.NEWSWAP | sf.NEWIPC)
    with pytest.raises(sf.TaskKilled):
        touch(login.mmap(300 * PAGE), 0, 300)
    found, n = counts(machine), machine.core.counters()
    assert n["pgactivate"] == n["no_slot"] == found["S"] > 0
    assert (found["W"], found["F"]) == (0, 0)
    assert machine.areas[0].info["inuse"] == 0


# ---------------------------------------------------------------- swap token


@pytest.mark.parametrize("stalled", [True, False])
@pytest.mark.parametrize("reclaimer", ["other", "holder"])
def test_swap_token_protects_its_holder_while_it_waits(stalled: bool, reclaimer: str) -> None:
    """Two tasks of 128 pages in a group of 256. The first of 40 new pages of the second pushes the
    holder's oldest pages out, and leaves all others deactivated and old.

    Then the holder faults one of them in: it takes the token, and is in that fault for 1000 ns.
    Seen from a task whose time is earlier, its pages count as referenced: those that a scan meets
    are activated and stay. The holder's own reclaim does not spare them; nor does anybody's once
    the fault is over.
    """
    machine, holder = limited(256, times={**NO_TIME, "swap_in": 1000})
    other = holder.fork("other")
    theirs, new, own = holder.mmap(128 * PAGE), other.mmap(300 * PAGE), holder.mmap(300 * PAGE)
    touch(theirs, 0, 128)
    touch(new, 0, 129)
    out = theirs.count()[1]
    assert 0 < out < 128
    theirs.touch([0])
    assert machine.core.counters()["pgmajfault"] == 1
    assert machine.now == 1000
    if stalled:
        machine.core.set_now(0)
    resident, activated = theirs.count()[0], machine.core.counters()["pgactivate"]
    free = 256 - machine.core.memory()["used"]
    touch(new if reclaimer == "other" else own, 129, 129 + free + 40)
    kept = theirs.count()[0]
    if stalled and reclaimer == "other":
        assert kept == resident
        assert machine.core.counters()["pgactivate"] > activated
    else:
        assert kept < resident
        assert machine.core.counters()["pgactivate"] == activated
    machine.verify()


def test_swap_token_goes_with_its_mm() -> None:
    """After the holder's exit nobody's pages are spared, whatever mm gets its number."""
    machine, holder = limited(256, times={**NO_TIME, "swap_in": 1000})
    other = holder.fork("other")
    theirs, new = holder.mmap(128 * PAGE), other.mmap(300 * PAGE)
    touch(theirs, 0, 128)
    touch(new, 0, 129)
    theirs.touch([0])
    machine.core.set_now(0)
    heir = holder.fork("heir")
    copy = theirs.inherited_by(heir)
    holder.exit()
    resident = copy.count()[0]
    touch(new, 129, 129 + (256 - machine.core.memory()["used"]) + 40)
    assert copy.count()[0] < resident
