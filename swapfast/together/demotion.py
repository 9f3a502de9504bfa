"""Pages that move between swap areas while machines run: demotion and promotion.

- ``Demotion(kernel, when, source, target, ...)``: made by `Machine.demote`; counts, and can be
  stopped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from swapfast.core import move_table
from swapfast.units import PAGE_SIZE, parse_size

if TYPE_CHECKING:
    from swapfast.kernel.state import Kernel, SwapArea

__all__ = ["WHEN", "Demotion", "When"]

When = Literal["on-full", "proactive", "on-refault"]
WHEN: tuple[When, ...] = ("on-full", "proactive", "on-refault")
SECOND = 1_000_000_000  # ns


class Demotion:
    """A plug that moves pages from some swap areas to others. No kernel has one.

    Each move is a read on the device of one area and a write on that of the other, in runs of slots
    that follow each other. The data, their checksum and whether they are zeroes go along; who is
    charged, and when the page is missed (its shadow), stay as they are; ``pswpin`` and ``pswpout``
    do not count it. Slots that a checkpoint names do not move, nor those of pages that may not go
    to the target, nor those of pages in memory: a page in memory keeps the slot that it has.

    Parameters
    ----------
    kernel : Kernel
    when : {"on-full", "proactive", "on-refault"}
        When a source area has no slot left: its oldest go, so that the next allocation finds one;
        whoever took the last slot waits for the devices. Or while programs run side by side: an
        actor begins when the used share of the source is above ``high``, and ends below ``low``.
        Or, the other way round, after a fault has read a page from a source area: its next slot is
        in the target, if need be that of the oldest page there, which takes its place.
    source, target : sequence of SwapArea
        Target areas in order: the first that has room is taken.
    batch : int
        Pages moved at once, 1 to 512.
    high, low : float
        Shares of the slots of all source areas; of "proactive".
    rate : int or str
        Bytes a second at most; of "proactive".

    Attributes
    ----------
    when : str
    source, target : tuple of SwapArea
    number : int
        Its number in the core.
    stopped : bool

    Raises
    ------
    ValueError
        A parameter that cannot be; an area that is not on in this machine, is source and target,
        or is the source of another one of this kind.
    """

    def __init__(
        self,
        kernel: Kernel,
        when: When,
        source: Sequence[SwapArea],
        target: Sequence[SwapArea],
        *,
        batch: int = 64,
        high: float = 0.9,
        low: float = 0.75,
        rate: int | str = "32MiB",
    ) -> None:
        kernel.check_usable()
        if when not in WHEN:
            raise ValueError(f"when is one of {', '.join(WHEN)}; not {when!r}")
        if not isinstance(batch, int) or not 1 <= batch <= move_table.MOST_BATCH:
            raise ValueError(f"batch is 1 to {move_table.MOST_BATCH} pages, not {batch!r}")
        if not 0 <= low < high <= 1:
            raise ValueError(f"low and high are shares, 0 <= low < high <= 1; not {low}, {high}")
        if (speed := parse_size(rate)) < PAGE_SIZE:
            raise ValueError(f"rate is a page of {PAGE_SIZE} bytes a second at least, not {rate!r}")
        self.kernel, self.when = kernel, when
        self.source = _areas_of(kernel, "source", source)
        self.target = _areas_of(kernel, "target", target)
        both = [area.path for area in self.source if area in self.target]
        if both:
            raise ValueError(f"{both[0]} is source and target: pages would go round")
        self.stopped = False
        self.number = move_table.add(
            kernel.core,
            when,
            [area.number for area in self.source],
            [area.number for area in self.target],
            batch=batch,
            high=high,
            low=low,
            ns_page=PAGE_SIZE * SECOND // speed,
        )

    def counters(self) -> dict[str, int]:
        """What it did.

        ``demoted``: pages that went from source to target, or had to leave for a promoted one;
        ``promoted``: pages whose next slot after they were read was in the target; ``pages_read``
        and ``pages_written``: of both, what the devices moved; ``failed``: pages that stayed where
        they were, since there was no room or their bytes are not to be had; ``ns``: what it took of
        somebody's time, waits for devices included.
        """
        return move_table.info(self.kernel.core, self.number)

    @property
    def demoted(self) -> int:
        """Pages that went to a slower area."""
        return self.counters()["demoted"]

    @property
    def promoted(self) -> int:
        """Pages that came to a quicker area."""
        return self.counters()["promoted"]

    def stop(self) -> None:
        """Move nothing any more; what was counted stays. Again is harmless."""
        move_table.remove(self.kernel.core, self.number)
        self.stopped = True

    def __repr__(self) -> str:
        told = self.counters()
        return (
            f"<Demotion {self.when}: {told['demoted']} pages demoted, {told['promoted']} promoted, "
            f"{told['failed']} failed>"
        )


def _areas_of(kernel: Kernel, name: str, areas: Iterable[SwapArea]) -> tuple[SwapArea, ...]:
    found = tuple(dict.fromkeys(areas))
    if not found:
        raise ValueError(f"{name} is one swap area at least")
    for area in found:
        if kernel.areas.get(area.type) is not area:
            raise ValueError(f"{name}: {area.path} is no swap area that is on in this machine")
    return found
