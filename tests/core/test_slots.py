"""Which slot comes next: the two kernels' orders, against slow twins and by hand.

Random sequences of taking and freeing, at several degrees of fullness, with bad slots; then the
runs that one can predict with a pencil; then several areas and their priorities.
"""

from __future__ import annotations

import random

import pytest

import swapfast as sf
from tests.reference.slots import Clusters, NextFit, SwapList
from tests.support.slot_machine import PAGE, SlotMachine

TWIN = {"2.6.25": NextFit, "6.18": Clusters}


@pytest.fixture(params=list(TWIN))
def profile(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def compare(
    profile: str, end: int, bad: tuple[int, ...], fullness: float, steps: int, seed: int
) -> None:
    """Take and free at random around a degree of fullness; every slot must be the twin's."""
    chance = random.Random(seed)
    slots, twin = SlotMachine(profile, steps + 2), TWIN[profile](end, bad)
    slots.add(end, bad=bad)
    held: list[tuple[int, int]] = []
    room = end - 1 - len(bad)
    for step in range(steps):
        want = fullness * room * (1 + 0.2 * ((step // 300) % 3 - 1))
        if len(held) < room and (not held or chance.random() < (0.8 if len(held) < want else 0.2)):
            page, _, slot = slots.take()
            assert slot == twin.take(), f"step {step}"
            held.append((page, slot))
        else:
            # Often neighbours, so that runs and whole clusters get free.
            at, count = chance.randrange(len(held)), chance.choice((1, 1, 1, 40))
            for page, slot in held[at : at + count]:
                slots.give(page)
                twin.give(slot)
            del held[at : at + count]
    slots.machine.verify()


@pytest.mark.parametrize("fullness", [0.2, 0.6, 0.95])
@pytest.mark.parametrize(
    ("end", "bad"),
    [
        (11, ()),
        (300, (1, 299)),
        (1024, ()),
        (1500, (7, *range(512, 1024), 1499)),
        (2600, (255, 256, 257)),
    ],
)
def test_order_of_slots_is_the_slow_twins(
    profile: str, end: int, bad: tuple[int, ...], fullness: float
) -> None:
    compare(profile, end, bad, fullness, steps=1500, seed=end)


def take_all(slots: SlotMachine, count: int) -> list[int]:
    return [slots.take()[2] for _ in range(count)]


def test_next_fit_by_hand() -> None:
    """1000 slots. The first 256 come from the first run of 256 free ones, and so on.

    After 600 takes slots 1..600 are out: 256 + 256 + 88, so 168 of the third run are left. Freed:
    1..300. The search goes on behind 600 for 168 slots, to 768; then the counter is out, and the
    first run of 256 free slots begins at 1.
    """
    slots = SlotMachine("2.6.25")
    slots.add(1001)
    taken = [slots.take() for _ in range(600)]
    assert [t[2] for t in taken] == list(range(1, 601))
    for page, _, _ in taken[:300]:
        slots.give(page)
    assert take_all(slots, 168) == list(range(601, 769))
    assert take_all(slots, 256) == list(range(1, 257))
    # 300 - 256 = 44 slots at the front and 232 at the end: 276 free, but no run of 256, so the
    # lowest; and from there next-fit, over the used ones in the middle.
    assert take_all(slots, 60) == list(range(257, 301)) + list(range(769, 785))


def test_next_fit_with_fewer_than_256_free_starts_at_the_lowest() -> None:
    slots = SlotMachine("2.6.25")
    slots.add(301)  # 300 slots; at the 257th take 44 are free
    taken = [slots.take() for _ in range(256)]
    for page, _, slot in taken:
        if slot in (3, 9):
            slots.give(page)
    assert take_all(slots, 4) == [3, 9, 257, 258]


def test_next_fit_wraps_to_the_lowest_free_slot() -> None:
    """100 slots: all of them are out before the counter is."""
    slots = SlotMachine("2.6.25")
    slots.add(101)
    taken = [slots.take() for _ in range(95)]
    for page, _, slot in taken:
        if slot in (20, 10):
            slots.give(page)
    assert take_all(slots, 7) == [96, 97, 98, 99, 100, 10, 20]


def test_clusters_by_hand() -> None:
    """Clusters 0 (with the header), 1, 2 of 512 slots, and 3 with 64.

    Those that lack a slot count as partly used and go first: 1..511, then 1536..1599, then the
    unused ones in order.
    """
    slots = SlotMachine("6.18")
    slots.add(1600)
    assert take_all(slots, 511) == list(range(1, 512))
    assert take_all(slots, 64) == list(range(1536, 1600))
    assert take_all(slots, 1024) == list(range(512, 1536))


def test_clusters_a_partly_used_one_goes_before_an_unused_one() -> None:
    slots = SlotMachine("6.18")
    slots.add(4 * 512)
    taken = [slots.take() for _ in range(511 + 512 + 100)]  # clusters 0, 1, and 100 of 2
    by_slot = {slot: page for page, _, slot in taken}
    for slot in (600, 5, 700, 1030):
        slots.give(by_slot[slot])
    # The current cluster is used up first, behind its position: not slot 1030. Then the partly
    # used ones: 2 went to the tail with each take, so 1 (full until 600 was freed) is before 0.
    assert take_all(slots, 412) == list(range(1124, 1536))
    assert take_all(slots, 4) == [600, 700, 5, 1030]
    assert take_all(slots, 1) == [1536]


def test_clusters_an_emptied_one_is_unused_again_at_the_tail() -> None:
    slots = SlotMachine("6.18")
    slots.add(5 * 512)
    taken = [slots.take() for _ in range(511 + 512 + 1)]
    for page, _, slot in taken:
        if 512 <= slot < 1024:
            slots.give(page)
    assert take_all(slots, 511) == list(range(1025, 1536))
    assert take_all(slots, 3 * 512) == [
        *range(1536, 2560),
        *range(512, 1024),
    ]


def test_bad_slots_are_never_given(profile: str) -> None:
    bad = (1, 2, 255, 256, 300, 511, 512, 699)
    slots = SlotMachine(profile)
    area = slots.add(700, bad=bad)
    assert area.info["pages"] == 699 - len(bad)
    assert sorted(take_all(slots, 699 - len(bad))) == sorted(set(range(1, 700)) - set(bad))
    with pytest.raises(sf.TaskKilled):
        slots.take()


def test_far_apart_free_slots_are_found(profile: str) -> None:
    """Free slots at the edges of words of 64, of 64 words, and of 64 of these; all else is bad."""
    edges = (1, 63, 64, 127, 4095, 4096, 4097, 262_143, 262_144, 266_240, 299_999)
    bad = tuple(sorted(set(range(1, 300_000)) - set(edges)))
    slots = SlotMachine(profile, 40)
    assert slots.add(300_000, bad=bad).info["pages"] == len(edges)
    taken = [slots.take() for _ in edges]
    assert tuple(t[2] for t in taken) == edges
    for page, _, slot in taken:
        if slot in (64, 262_144):
            slots.give(page)
    assert take_all(slots, 2) == [64, 262_144]


def test_a_run_of_256_free_slots_is_looked_for_across_words() -> None:
    """Runs of 255 do not count, wherever they begin; the first of 256 begins at 1031."""
    bad = (256, 512, 768, 775, 1030, 1287)  # 255 free slots between most of them
    slots = SlotMachine("2.6.25", 2000)
    slots.add(2000, bad=bad)
    assert take_all(slots, 256) == list(range(1031, 1287))
    # The next 256 are a run again, behind the bad slot 1287.
    assert take_all(slots, 256) == list(range(1288, 1544))


# ---------------------------------------------------------------- several areas


def areas_of(slots: SlotMachine, count: int) -> list[int]:
    return [slots.take()[1] for _ in range(count)]


def runs(numbers: list[int]) -> list[tuple[int, int]]:
    """[7, 7, 8] is [(7, 2), (8, 1)]."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][0] == number:
            found[-1] = (number, found[-1][1] + 1)
        else:
            found.append((number, 1))
    return found


def test_higher_priority_is_exhausted_first(profile: str) -> None:
    slots = SlotMachine(profile)
    slots.add(101)  # a default priority is below them all
    slots.add(51, 0)
    assert runs(areas_of(slots, 50 + 100)) == [(1, 50), (0, 100)]


def test_three_priorities_in_6_18() -> None:
    slots = SlotMachine("6.18")
    for end, priority in ((101, 1), (51, 9), (31, None), (21, 5)):
        slots.add(end, priority)
    assert runs(areas_of(slots, 50 + 20 + 100 + 30)) == [(1, 50), (3, 20), (0, 100), (2, 30)]


def test_three_priorities_in_2_6_25_alternate_below_a_full_one() -> None:
    """With the highest area full, get_swap_page has wrapped when it finds the second one, and
    leaves swap_list.next on the third: the next page goes there, and then from the head again."""
    slots = SlotMachine("2.6.25")
    for end, priority in ((101, 1), (51, 9), (21, 5)):
        slots.add(end, priority)
    found = areas_of(slots, 50 + 40 + 80)
    assert found[:50] == [1] * 50
    assert found[50:90] == [2, 0] * 20
    assert found[90:] == [0] * 80


def test_equal_priorities_alternate_page_by_page_in_2_6_25() -> None:
    """The one that came last is first; where one is full the others go on."""
    slots = SlotMachine("2.6.25")
    for end in (11, 101, 101):
        slots.add(end, 5)
    assert areas_of(slots, 9) == [2, 1, 0] * 3
    rest = areas_of(slots, 50)
    assert rest[:21] == [2, 1, 0] * 7
    assert rest[21:] == [2, 1] * 14 + [2]


def test_equal_priorities_alternate_cluster_by_cluster_in_6_18() -> None:
    """Each cluster is used up, 511 slots where the header is, before the next area's turn."""
    slots = SlotMachine("6.18")
    for _ in range(2):
        slots.add(2048, 5)
    assert runs(areas_of(slots, 3000)) == [
        (0, 511),
        (1, 511),
        (0, 512),
        (1, 512),
        (0, 512),
        (1, 442),
    ]


def test_a_cluster_is_used_up_also_when_its_rest_is_taken_in_6_18() -> None:
    """Area 0 has 400 free slots in each of its clusters 0 and 1, the rest of them stays taken.

    Its last cluster ended, so the other's turn comes first.
    """
    slots = SlotMachine("6.18")
    slots.add(2048, 5)
    taken = [slots.take() for _ in range(1023)]  # clusters 0 and 1
    slots.add(2048, 5)
    for page, _, slot in taken:
        if slot <= 400 or 512 <= slot < 912:
            slots.give(page)
    found = runs(areas_of(slots, 400 + 511 + 400 + 512))
    assert found == [(1, 511), (0, 400), (1, 512), (0, 400)]


def test_a_full_area_that_gets_room_again_is_next_in_2_6_25() -> None:
    """swap_entry_free: swap_list.next goes back to the higher priority."""
    slots = SlotMachine("2.6.25")
    slots.add(11, 9)
    slots.add(101, 1)
    taken = [slots.take() for _ in range(15)]
    assert [t[1] for t in taken] == [0] * 10 + [1] * 5
    slots.give(taken[3][0])
    assert areas_of(slots, 3) == [0, 1, 1]


def test_the_current_cluster_goes_on_although_a_higher_area_has_room_again_in_6_18() -> None:
    slots = SlotMachine("6.18")
    slots.add(11, 9)
    slots.add(2048, 1)
    taken = [slots.take() for _ in range(15)]
    assert [t[1] for t in taken] == [0] * 10 + [1] * 5
    slots.give(taken[3][0])
    assert runs(areas_of(slots, 506 + 2)) == [(1, 506), (0, 1), (1, 1)]


def test_an_area_added_with_a_higher_priority(profile: str) -> None:
    """2.6.25 starts over at the new head of its list; 6.18 stays in its cluster."""
    slots = SlotMachine(profile)
    slots.add(2048, 1)
    assert areas_of(slots, 5) == [0] * 5
    slots.add(101, 9)
    if profile == "2.6.25":
        assert runs(areas_of(slots, 101)) == [(1, 100), (0, 1)]
    else:
        assert runs(areas_of(slots, 511 - 5 + 101)) == [(0, 506), (1, 100), (0, 1)]


def test_several_areas_of_2_6_25_are_the_slow_twins() -> None:
    for seed in range(6):
        chance = random.Random(seed)
        slots, twin = SlotMachine("2.6.25", 4000), SwapList()
        areas: list[NextFit] = []

        def swapon(
            slots: SlotMachine = slots,
            twin: SwapList = twin,
            areas: list[NextFit] = areas,
            chance: random.Random = chance,
        ) -> None:
            priority, end = chance.choice((1, 5, 5, 9)), chance.choice((11, 60, 400))
            slots.add(end, priority)
            areas.append(NextFit(end))
            twin.swapon(areas[-1], priority)

        for _ in range(3):
            swapon()
        held: list[tuple[int, NextFit, int]] = []
        for step in range(1200):
            room = sum(a.pages - a.inuse for a in areas)
            if step in (300, 700):
                swapon()
            elif room and (not held or chance.random() < 0.55):
                page, number, slot = slots.take()
                expected = twin.take()
                assert expected is not None
                assert (number, slot) == (areas.index(expected[0]), expected[1]), (seed, step)
                held.append((page, areas[number], slot))
            else:
                page, area, slot = held.pop(chance.randrange(len(held)))
                slots.give(page)
                twin.give(area, slot)
        slots.machine.verify()


# ---------------------------------------------------------------- more than half full


def test_swap_is_full_when_less_than_half_of_it_is_free(profile: str) -> None:
    """free * 2 < total: with 100 slots, 50 free is not full and 49 is.

    A page that is read back, in memory and clean, gives its slot up only then.
    """
    for in_use, given_up in ((50, False), (51, True)):
        slots = SlotMachine(profile)
        slots.add(101)
        pages = [slots.take()[0] for _ in range(in_use - 1)]
        # Reading one back evicts the last, which takes a slot: now in_use slots are taken.
        slots.heap.touch([pages[0]])
        assert slots.machine.areas[0].used == (in_use - given_up) * PAGE
