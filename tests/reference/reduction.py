"""The slow truth beside swapfast.record.reduced, and what it must not change."""

from __future__ import annotations

from collections import OrderedDict

WRITE = 1 << 31


def merged(refs: list[int]) -> list[int]:
    """Consecutive references to one page are one."""
    out: list[int] = []
    for ref in refs:
        if out and (out[-1] ^ ref) & ~WRITE == 0:
            out[-1] |= ref
        else:
            out.append(ref)
    return out


def told(refs: list[int]) -> int:
    """How many there are without those that say nothing new."""
    last, count = -1, 0
    for ref in refs:
        if (last ^ ref) & ~WRITE or (ref & WRITE and not last & WRITE):
            last, count = ref, count + 1
    return count


def reduced(refs: list[int], pages: int) -> list[int]:
    """Kaplan, Smaragdakis and Wilson's safely allowed drop, with the whole trace at hand."""
    out = list(refs)
    kept = [True] * len(out)
    recent: OrderedDict[int, int] = OrderedDict()  # page -> time; the ``pages`` used last
    first: dict[int, int] = {}  # page -> time of its last reference that stays
    middle: dict[int, int] = {}  # page -> time of the one after, which may still go
    for time, page in enumerate([ref & ~WRITE for ref in out]):
        if page not in first:
            first[page] = time
        else:
            if page in middle:
                full = len(recent) == pages
                if full and recent[next(iter(recent))] > first[page]:
                    first[page] = middle[page]
                else:
                    kept[middle[page]] = False
                    out[time] |= out[middle[page]] & WRITE
            middle[page] = time
        recent[page] = time
        recent.move_to_end(page)
        if len(recent) > pages:
            recent.popitem(last=False)
    return [ref for ref, stays in zip(out, kept, strict=True) if stays]


def lru(refs: list[int], memory: int) -> list[tuple[str, int]]:
    """Every page in and every dirty page out of an LRU memory, in order."""
    held: OrderedDict[int, bool] = OrderedDict()
    events = []
    for ref in refs:
        page, write = ref & ~WRITE, ref & WRITE != 0
        if page not in held:
            events.append(("in", page))
        held[page] = held.get(page, False) or write
        held.move_to_end(page)
        if len(held) > memory:
            victim, dirty = held.popitem(last=False)
            if dirty:
                events.append(("out", victim))
    # What is left dirty is written when the program ends.
    return events + [("out", page) for page, dirty in held.items() if dirty]
