"""Which area serves a cgroup, and which slot: every kind and every rule against the slow twin."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from swapfast.kernel.options import SWAP_CLUSTER, SWAP_SCOPE
from tests.reference.choice import Area, Choice, Group
from tests.support.scoped_slots import PAGE, ScopedSlots

LEAVES = ("/a/x", "/a/y", "/b")
SPEAKERS = ("/a", *LEAVES)
TIERS = {"fast": 10, "slow": -1}


@st.composite
def area_specs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Two to four areas with clusters of a few slots, so that they are soon used up."""
    specs = []
    for _ in range(draw(st.integers(2, 4))):
        room = draw(st.lists(st.integers(1, 6), min_size=1, max_size=3))
        usable = {c * 512 + 1 + i for c, n in enumerate(room) for i in range(n)}
        end = 512 * len(room)
        specs.append(
            {
                "end": end,
                "bad": tuple(sorted(set(range(1, end)) - usable)),
                "priority": draw(st.sampled_from((0, 5, 5, 10, 12))),
                "rotational": draw(st.sampled_from((False, False, False, True))),
                "private": draw(st.booleans()),
            }
        )
    return specs


STEPS = st.lists(
    st.tuples(st.sampled_from("tttttgs"), st.integers(0, 1 << 16), st.integers(0, 1 << 16)),
    min_size=1,
    max_size=120,
)


class Both:
    """The machine and its slow twin."""

    def __init__(self, kind: str, cluster: str, specs: list[dict[str, Any]]) -> None:
        self.kind = kind
        self.slots = ScopedSlots(LEAVES, swap_scope=kind, swap_cluster=cluster)
        if kind.startswith("tiers"):
            self.slots.machine.swap_tiers.write("+slow:-1,+fast:10")
        areas = []
        for spec in specs:
            one = {**spec, "private": spec["private"] and kind == "private"}
            area = self.slots.add(**one)
            tier = "fast" if area.priority >= TIERS["fast"] else "slow"
            areas.append(
                Area(
                    area.type,
                    one["end"],
                    one["bad"],
                    one["priority"],
                    rotational=one["rotational"],
                    private=one["private"],
                    tier=tier if kind.startswith("tiers") else "",
                )
            )
        above = Group("/a")
        groups = [above, Group("/a/x", above), Group("/a/y", above), Group("/b")]
        self.groups = {group.name: group for group in groups}
        self.twin = Choice(kind, cluster, areas, groups)
        self.held: list[tuple[str, int, Area, int]] = []

    def take(self, leaf: str) -> None:
        before = dict(self.twin.passed)
        got, expected = self.slots.take(leaf), self.twin.take(self.groups[leaf])
        if expected is None:
            assert got is None
            self.tried_often(before)
        else:
            area, slot = expected
            assert got is not None and got[1:] == (area.type, slot)
            self.held.append((leaf, got[0], area, slot))

    def give(self, which: int) -> None:
        if self.held:
            leaf, page, area, slot = self.held.pop(which % len(self.held))
            self.slots.give(leaf, page)
            self.twin.give(self.groups[leaf], area, slot)

    def say(self, speaker: str, value: int) -> None:
        cgroup, group = self.slots.machine.cgroup(speaker), self.groups[speaker]
        says = dict(group.says)
        area = self.twin.areas[value % len(self.twin.areas)]
        if self.kind == "private":
            says = self._say_private(cgroup, area, value)
        elif self.kind == "priority":
            word: int | str = (7, 9, 9, "disabled")[value // 8 % 4]
            clear = value % 5 == 0
            cgroup["memory.swap.priority"] = "" if clear else f"{area.type}:{word}"
            says = {} if clear else says | {str(area.type): word}
        elif self.kind.startswith("tiers"):
            tier = ("fast", "slow")[value % 2]
            amounts = (0, None, 1, 3) if self.kind == "tiers-amount" else (0, None)
            amount = amounts[value // 2 % len(amounts)]
            cgroup["memory.swap.tiers.max"] = f"{tier} {'max' if amount is None else amount * PAGE}"
            says.pop(tier, None)
            size = sum(len(a.free) for a in self.twin.areas if a.tier == tier)
            size += sum(a.tier == tier for _, _, a, _ in self.held)
            if amount is not None and (amount == 0 or amount < size):
                says[tier] = amount
        self.twin.says(group, says)

    def passed(self) -> dict[tuple[str, str], int]:
        """What passed a tier over, as the machine counts it."""
        if not self.kind.startswith("tiers"):
            return {}
        return {
            (tier, why): row[why]
            for tier, row in self.slots.machine.swap_tiers.counters().items()
            for why in ("refused_mask", "refused_amount", "full")
        }

    def tried_often(self, before: dict[tuple[str, str], int]) -> None:
        """Reclaim that frees nothing tries again: the same reasons, so many times as it likes."""
        for key, count in self.passed().items():
            once = self.twin.passed[key] - before.get(key, 0)
            assert (count > before.get(key, 0)) == (once > 0), key
            self.twin.passed[key] = count

    def check(self) -> None:
        """Sums agree, and so do those of what passed a tier over."""
        self.slots.machine.verify()
        for key, count in self.passed().items():
            assert count == self.twin.passed[key], key

    def _say_private(self, cgroup: Any, area: Area, value: int) -> dict[str, int | str]:
        if value % 5 == 0:
            cgroup["memory.swapfile"] = "default"
            return {}
        if not area.private:
            cgroup["memory.swapfile"] = "none"
            return {"none": ""}
        cgroup["memory.swapfile"] = self.slots.machine.areas[area.type].path
        return {"area": area.type}


@given(
    kind=st.sampled_from(SWAP_SCOPE),
    cluster=st.sampled_from(SWAP_CLUSTER),
    specs=area_specs(),
    steps=STEPS,
)
def test_every_slot_is_the_slow_twins(
    kind: str, cluster: str, specs: list[dict[str, Any]], steps: list[tuple[str, int, int]]
) -> None:
    both = Both(kind, cluster, specs)
    for what, one, two in steps:
        if what == "t":
            both.take(LEAVES[one % len(LEAVES)])
        elif what == "g":
            both.give(one)
        else:
            both.say(SPEAKERS[one % len(SPEAKERS)], two)
    both.check()
