"""Swap tiers: ranges of priorities with a name (swap tiers v10, 13 July 2026).

- ``Tier``: one of them. ``Tiers``: all of a kernel, as ``/sys/kernel/mm/swap/tiers`` has them.
- ``tier_of(rows, priority)``: the one that an area is in.

A tier begins at a priority and ends below the next one; the lowest begins at -1, and the highest
ends at 32767. So an area, whatever its priority, is in one tier, or there are none.

Source: Youngjun Park, "mm: swap: introduce swap tiers", v10.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from swapfast import flags as f
from swapfast.errors import system_error

__all__ = ["MOST_TIERS", "Tier", "Tiers", "tier_of"]

#: As the kernel may be built (CONFIG_NR_SWAP_TIERS, 4 by default).
MOST_TIERS = 31
LOWEST = -1  # DEF_SWAP_PRIO
HIGHEST = f.SWAP_FLAG_PRIO_MASK


@dataclass(frozen=True)
class Tier:
    """One tier.

    Attributes
    ----------
    name : str
    index : int
        Its number in the core, 0 to 30.
    start : int
        Its least priority.
    """

    name: str
    index: int
    start: int


def tier_of(rows: Sequence[Tier], priority: int) -> Tier | None:
    """The tier of an area; default priorities below -1 are in the lowest. None: there are none."""
    for tier in rows:
        if priority >= tier.start:
            return tier
    return rows[-1] if rows else None


class Tiers:
    """The tiers of one kernel, the highest first.

    Attributes
    ----------
    rows : tuple of Tier
    gone : dict of int to dict
        By index: pages that were read from areas that are off by now, and written to them.
    """

    def __init__(self) -> None:
        self.rows: tuple[Tier, ...] = ()
        self.gone: dict[int, dict[str, int]] = {}

    def of(self, priority: int) -> Tier | None:
        """The tier of an area, as `tier_of`."""
        return tier_of(self.rows, priority)

    def ranges(self) -> Iterator[tuple[Tier, int]]:
        """Each tier and its highest priority."""
        end = HIGHEST
        for tier in self.rows:
            yield tier, end
            end = tier.start - 1

    def changed(self, text: str) -> tuple[Tier, ...]:
        """What the tiers would be after a write: ``"+fast:10 -slow"``, several at once or none.

        Raises
        ------
        OSError
            EINVAL: no such words, names or priorities, too many tiers, or none that begins at -1;
            EBUSY: a tier of that name is there, or one begins at that priority.
        """
        rows = {tier.name: tier for tier in self.rows}
        words = re.split(r"[\s,]+", text.strip())
        for word in words:
            match = re.fullmatch(r"(?:\+([A-Za-z0-9_]+):([+-]?[0-9]{1,9})|-([A-Za-z0-9_]+))", word)
            if match is None:
                raise system_error(errno.EINVAL, f'{word!r:.60} is not "+name:priority" or "-name"')
            if match[3]:
                if rows.pop(match[3], None) is None:
                    raise system_error(errno.EINVAL, f"there is no tier {match[3]}")
            else:
                rows[match[1]] = self._new(rows, match[1], int(match[2]))
        result = tuple(sorted(rows.values(), key=lambda tier: -tier.start))
        if result and result[-1].start != LOWEST:
            raise system_error(
                errno.EINVAL, f"the lowest tier begins at {LOWEST}, not at {result[-1].start}"
            )
        return result

    def _new(self, rows: dict[str, Tier], name: str, start: int) -> Tier:
        if not LOWEST <= start <= HIGHEST:
            raise system_error(
                errno.EINVAL, f"a tier begins at a priority of {LOWEST} to {HIGHEST}, not {start}"
            )
        if name in rows:
            raise system_error(errno.EBUSY, f"there is a tier {name} already; remove it first")
        other = next((tier.name for tier in rows.values() if tier.start == start), None)
        if other is not None:
            raise system_error(errno.EBUSY, f"tier {other} begins at {start} already")
        # A number that is free now, and was before: what it counts begins anew.
        taken = {tier.index for tier in (*rows.values(), *self.rows)}
        free = [i for i in range(MOST_TIERS) if i not in taken]
        if not free:
            raise system_error(errno.EINVAL, f"there are {MOST_TIERS} tiers at most")
        return Tier(name, free[0], start)

    def render(self) -> str:
        """The file: a line a tier, the highest first."""
        lines = [f"{'Name':<16}{'Idx':<6}{'PrioStart':<12}{'PrioEnd'}\n"]
        for tier, end in self.ranges():
            lines.append(f"{tier.name:<16}{tier.index:<6}{tier.start:<12}{end}\n")
        return "".join(lines)
