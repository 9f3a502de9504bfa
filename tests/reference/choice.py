"""The slow truth about which area serves a cgroup, and which of its slots.

- ``Area``: clusters of 512 slots, as `Clusters` has them, with a priority and a tier.
- ``Choice``: cgroups, what they say, whose the current cluster is, and one list of all areas from
  the one that waited longest for its turn on.

Source: mm/swapfile.c of 6.18 (folio_alloc_swap, swap_alloc_fast, swap_alloc_slow), and the patches
of 2014, 2025 and 2026.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.reference.slots import CLUSTER_618, Clusters


class Area(Clusters):
    """One area; ``take_from`` goes on at a position of somebody else's."""

    def __init__(
        self,
        type_: int,
        end: int,
        bad: tuple[int, ...],
        priority: int,
        *,
        rotational: bool = False,
        private: bool = False,
        tier: str = "",
    ) -> None:
        super().__init__(end, bad)
        self.type, self.priority, self.rotational = type_, priority, rotational
        self.private, self.tier = private, tier

    def take_from(self, position: int | None) -> int:
        mine, self.position = self.position, position
        slot = self.take()
        self.after, self.position = self.position, mine
        return slot

    def goes_on(self, position: int | None) -> bool:
        """Whether its cluster has a free slot from a position on."""
        return position is not None and any(
            slot >= position for slot in self.room(position // CLUSTER_618)
        )


@dataclass
class Group:
    """A cgroup: what it says, and slots that it has itself."""

    name: str
    parent: Group | None = None
    says: dict[str, int | str] = field(default_factory=dict)
    held: list[tuple[Area, int]] = field(default_factory=list)

    def upward(self) -> list[Group]:
        return [self, *(self.parent.upward() if self.parent else [])]


class Choice:
    """``take(group)`` gives (area, slot), or None; ``give`` takes it back."""

    def __init__(self, kind: str, cluster: str, areas: list[Area], groups: list[Group]) -> None:
        self.kind, self.cluster = kind, cluster
        self.areas, self.groups = areas, groups
        self.waiting = list(areas)  # from the longest on
        self.current: dict[object, tuple[Area, int | None]] = {}
        self.passed: Counter[tuple[str, str]] = Counter()

    # which areas

    def ranks(self, group: Group) -> dict[int, int]:
        """Types of the areas that a group may use, and a rank each."""
        public = {a.type: a.priority for a in self.areas if not a.private}
        said = [one.says for one in group.upward() if one.says]
        if self.kind == "private" and said:
            return {} if "none" in said[0] else {int(said[0]["area"]): 0}
        if self.kind == "priority" and said:
            own = {
                int(type_): 100_000 + int(value)
                for type_, value in said[0].items()
                if value != "disabled"
            }
            rest = {t: rank for t, rank in public.items() if str(t) not in said[0]}
            return rest | own
        if self.kind.startswith("tiers"):
            refused = {tier for words in said for tier, value in words.items() if value == 0}
            return {a.type: a.priority for a in self.areas if a.tier not in refused}
        return public

    def is_over(self, group: Group, area: Area) -> bool:
        """Whether the group, or one above it, has its amount in the tier of an area."""
        for one in group.upward():
            amount = one.says.get(area.tier) if self.kind == "tiers-amount" else None
            if amount:
                below = [g for g in self.groups if one in g.upward()]
                used = sum(a.tier == area.tier for g in below for a, _ in g.held)
                if used >= int(amount):
                    return True
        return False

    def owner(self, group: Group) -> object:
        """Who has a current cluster in common with it: equal tables, and no amounts of its own."""
        ranks = self.ranks(group)
        levels = sorted(set(ranks.values()))
        table = tuple(sorted((t, levels.index(rank)) for t, rank in ranks.items()))
        amount = next((g.name for g in group.upward() if any(v for v in g.says.values())), None)
        return table, amount if self.kind == "tiers-amount" else None

    def says(self, group: Group, words: dict[str, int | str]) -> None:
        """A group says something else. Whose table is new goes on in the cluster it was in."""
        before = [self.owner(one) for one in self.groups]
        group.says = words
        after = [self.owner(one) for one in self.groups]
        known = {self.host(), *before}
        for old, new in zip(before, after, strict=True):
            if new not in known:
                known.add(new)
                if self.current.get(old, (None, None))[0] in self.usable(new):
                    self.current[new] = self.current[old]
        if self.cluster == "per-owner":
            live = {self.host(), *after}
            self.current = {who: at for who, at in self.current.items() if who in live}

    def host(self) -> object:
        """Whose the cluster is of groups that say nothing."""
        return self.owner(Group(""))

    def usable(self, owner: object) -> list[Area]:
        """Areas in a table."""
        types = [type_ for type_, _ in owner[0]]  # type: ignore[index]
        return [area for area in self.areas if area.type in types]

    # which slot

    def take(self, group: Group) -> tuple[Area, int] | None:
        found = self._choose(group)
        if self.kind.startswith("tiers"):
            self._count_passed(group, found)
        if found is not None:
            group.held.append(found)
        return found

    def _count_passed(self, group: Group, found: tuple[Area, int] | None) -> None:
        """Why the tiers in front of the one that served did not."""
        allowed = self.ranks(group)
        for tier in ("fast", "slow"):
            mine = [a for a in self.areas if a.tier == tier]
            if found is not None:
                mine = [a for a in mine if a.priority > found[0].priority]
            if any(a.free and a.type not in allowed for a in mine):
                self.passed[tier, "refused_mask"] += 1
            mine = [a for a in mine if a.type in allowed]
            if any(self.is_over(group, a) for a in mine):
                self.passed[tier, "refused_amount"] += 1
            elif any(not a.free for a in mine):
                self.passed[tier, "full"] += 1

    def _choose(self, group: Group) -> tuple[Area, int] | None:
        if self.cluster == "per-owner":
            return self._by_owner(group)
        ranks = self.ranks(group)
        levels = sorted(set(ranks.values()), reverse=True)
        if self.cluster == "per-cpu":
            return self._by_cpu(group, ranks, "cpu")
        if self.cluster == "per-cpu-tier":
            tiers = list(dict.fromkeys(self.tier_at(ranks, level) for level in levels))
            for tier in tiers:
                mine = {t: r for t, r in ranks.items() if self.by_type(t).tier == tier}
                found = self._by_cpu(group, mine, tier)
                if found is not None:
                    return found
            return None
        for level in levels:
            found = self._by_area(group, [t for t, rank in ranks.items() if rank == level])
            if found is not None:
                return found
        return None

    def by_type(self, type_: int) -> Area:
        return next(a for a in self.areas if a.type == type_)

    def tier_at(self, ranks: dict[int, int], level: int) -> str:
        return next(self.by_type(t).tier for t, rank in ranks.items() if rank == level)

    def in_turn(self, group: Group, types: list[int]) -> list[Area]:
        """Those with room, the longest waiting first."""
        return [
            a for a in self.waiting if a.type in types and a.free and not self.is_over(group, a)
        ]

    def goes_behind(self, area: Area) -> None:
        self.waiting.remove(area)
        self.waiting.append(area)

    def _by_cpu(self, group: Group, ranks: dict[int, int], key: str) -> tuple[Area, int] | None:
        if key in self.current:
            area, position = self.current[key]
            if area.type in ranks and not self.is_over(group, area) and area.goes_on(position):
                slot = area.take_from(position)
                self.current[key] = area, area.after
                return area, slot
            if area.type in ranks and position is not None and not self.is_over(group, area):
                # Free slots before the place, and none behind it: the place is given up.
                stays = not area.room(position // CLUSTER_618)
                self.current[key] = area, position if stays else None
        for level in sorted(set(ranks.values()), reverse=True):
            for area in self.in_turn(group, [t for t, rank in ranks.items() if rank == level]):
                self.goes_behind(area)
                if area.rotational:
                    return area, area.take()
                slot = area.take_from(None)
                self.current[key] = area, area.after
                return area, slot
        return None

    def _by_area(self, group: Group, types: list[int]) -> tuple[Area, int] | None:
        while ready := self.in_turn(group, types):
            area = ready[0]
            if area.rotational:
                slot = area.take()
                self.goes_behind(area)
                return area, slot
            position = self.current.get(area.type, (area, None))[1]
            if position is not None and not area.goes_on(position):
                self.current[area.type] = area, None
                self.goes_behind(area)
                continue
            slot = area.take_from(position)
            self.current[area.type] = area, area.after
            if area.after is None:
                self.goes_behind(area)
            return area, slot
        return None

    def _by_owner(self, group: Group) -> tuple[Area, int] | None:
        ranks, owner = self.ranks(group), self.owner(group)
        current = self.current[owner][0] if owner in self.current else None
        order = [a for a in self.areas if a.type in ranks and not self.is_over(group, a)]
        if current in order and not current.rotational and current.goes_on(current.position):
            return current, current.take()
        for level in sorted(set(ranks.values()), reverse=True):
            in_order = sorted(self.areas, key=lambda area: -area.priority)
            equals = [a for a in in_order if ranks.get(a.type) == level]
            if current in equals:
                at = equals.index(current) + 1
                equals = equals[at:] + equals[:at]
            for area in equals:
                if area in order and area.free:
                    self.current[owner] = area, None
                    return area, area.take()
        return None

    def give(self, group: Group, area: Area, slot: int) -> None:
        was_full = not area.free
        area.give(slot)
        group.held.remove((area, slot))
        if was_full:
            self.goes_behind(area)
