"""The replacement policies as their papers tell them: short, slow, with Python's own containers.

- ``TWINS``: name -> function of (pages in order, frames) that returns the misses.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

__all__ = ["TWINS"]

Pages = Sequence[int]


def lru(pages: Pages, frames: int) -> int:
    stack: OrderedDict[int, None] = OrderedDict()
    misses = 0
    for page in pages:
        if page in stack:
            stack.move_to_end(page)
            continue
        misses += 1
        if len(stack) == frames:
            stack.popitem(last=False)
        stack[page] = None
    return misses


def fifo(pages: Pages, frames: int) -> int:
    queue: deque[int] = deque()
    misses = 0
    for page in pages:
        if page in queue:
            continue
        misses += 1
        if len(queue) == frames:
            queue.popleft()
        queue.append(page)
    return misses


def clock(pages: Pages, frames: int) -> int:
    """As a FIFO that gives a second chance."""
    queue: deque[int] = deque()
    used: set[int] = set()
    misses = 0
    for page in pages:
        if page in queue:
            used.add(page)
            continue
        misses += 1
        if len(queue) == frames:
            while queue[0] in used:
                used.discard(queue[0])
                queue.rotate(-1)
            queue.popleft()
        queue.append(page)
    return misses


def sieve(pages: Pages, frames: int) -> int:
    queue: list[int] = []  # oldest first
    visited: set[int] = set()
    hand = 0
    misses = 0
    for page in pages:
        if page in queue:
            visited.add(page)
            continue
        misses += 1
        if len(queue) == frames:
            while queue[hand] in visited:
                visited.discard(queue[hand])
                hand = (hand + 1) % len(queue)
            del queue[hand]
            # Past the newest page the hand goes back to the oldest, before another one comes in.
            hand = 0 if hand == len(queue) else hand
        queue.append(page)
    return misses


def _s3fifo(pages: Pages, frames: int, paper: bool) -> int:
    small_size, ghosts = max(1, int(frames * 0.1)), max(1, int(frames * 0.9))
    small: deque[int] = deque()
    main: deque[int] = deque()
    ghost: OrderedDict[int, None] = OrderedDict()
    used: dict[int, int] = {}
    misses, full = 0, paper

    def evict() -> bool:
        if len(main) > frames - small_size or not small:
            page = main.popleft()
            if used[page]:
                used[page] -= 1
                main.append(page)
                return False
            del used[page]
            return True
        while used[small[0]] >= 2:
            used[small[0]] = 0
            main.append(small.popleft())
            if not small:
                return False
        page = small.popleft()
        del used[page]
        if len(ghost) == ghosts:
            ghost.popitem(last=False)
        ghost[page] = None
        return True

    for page in pages:
        if page in used:
            used[page] = min(3, used[page] + 1)
            continue
        misses += 1
        known = page in ghost
        ghost.pop(page, None)
        if len(small) + len(main) == frames:
            full = True
            while not evict():
                pass
        to_main = known or (not full and len(small) >= small_size)
        (main if to_main else small).append(page)
        used[page] = 0
    return misses


def s3fifo(pages: Pages, frames: int) -> int:
    return _s3fifo(pages, frames, paper=False)


def s3fifo_paper(pages: Pages, frames: int) -> int:
    return _s3fifo(pages, frames, paper=True)


def arc(pages: Pages, frames: int) -> int:
    """Figure 4 of the paper."""
    t1, t2, b1, b2 = (OrderedDict[int, None]() for _ in range(4))
    p = 0.0
    misses = 0

    def replace(page: int) -> None:
        if t1 and (len(t1) > p or (page in b2 and len(t1) == p)):
            b1[t1.popitem(last=False)[0]] = None
        else:
            b2[t2.popitem(last=False)[0]] = None

    for page in pages:
        if page in t1 or page in t2:
            t1.pop(page, None)
            t2.pop(page, None)
            t2[page] = None
            continue
        misses += 1
        if page in b1:
            p = min(float(frames), p + max(len(b2) / len(b1), 1.0))
            replace(page)
            del b1[page]
            t2[page] = None
        elif page in b2:
            p = max(0.0, p - max(len(b1) / len(b2), 1.0))
            replace(page)
            del b2[page]
            t2[page] = None
        else:
            if len(t1) + len(b1) == frames:
                if len(t1) < frames:
                    b1.popitem(last=False)
                    replace(page)
                else:
                    t1.popitem(last=False)
            elif len(t1) + len(t2) + len(b1) + len(b2) >= frames:
                if len(t1) + len(t2) + len(b1) + len(b2) == 2 * frames:
                    b2.popitem(last=False)
                replace(page)
            t1[page] = None
    return misses


def lirs(pages: Pages, frames: int) -> int:
    """With at most ``frames`` pages in the stack that are not in memory, the oldest dropped."""
    stack: OrderedDict[int, None] = OrderedDict()  # oldest first
    queue: OrderedDict[int, None] = OrderedDict()
    gone: OrderedDict[int, None] = OrderedDict()
    lir: set[int] = set()
    lir_most = frames - max(1, frames // 100)
    misses = 0

    def prune() -> None:
        while stack and next(iter(stack)) not in lir:
            gone.pop(stack.popitem(last=False)[0], None)

    def demote() -> None:
        page = stack.popitem(last=False)[0]
        lir.discard(page)
        queue[page] = None
        prune()

    def promote(page: int) -> None:
        lir.add(page)
        if len(lir) > lir_most:
            demote()

    for page in pages:
        if page in lir:
            stack.move_to_end(page)
            prune()
        elif page in queue:
            short = page in stack
            stack.pop(page, None)
            stack[page] = None
            if short and lir_most:
                del queue[page]
                promote(page)
            else:
                queue.move_to_end(page)
        else:
            misses += 1
            if len(lir) + len(queue) == frames:
                if not queue:
                    demote()
                victim = queue.popitem(last=False)[0]
                if victim in stack:
                    gone[victim] = None
                    if len(gone) > frames:
                        stack.pop(gone.popitem(last=False)[0])
            known = page in gone
            gone.pop(page, None)
            stack.pop(page, None)
            stack[page] = None
            if (known and lir_most) or len(lir) < lir_most:
                promote(page)
            else:
                queue[page] = None
    return misses


def opt(pages: Pages, frames: int) -> int:
    never = len(pages)
    following: list[int] = [never] * len(pages)
    last: dict[int, int] = {}
    for i in range(len(pages) - 1, -1, -1):
        following[i] = last.get(pages[i], never)
        last[pages[i]] = i
    memory: dict[int, int] = {}  # page -> next use
    misses = 0
    for i, page in enumerate(pages):
        if page not in memory:
            misses += 1
            if len(memory) == frames:
                del memory[max(memory, key=lambda p: memory[p])]
        memory[page] = following[i]
    return misses


TWINS: dict[str, Callable[[Pages, int], int]] = {
    "lru": lru,
    "fifo": fifo,
    "clock": clock,
    "sieve": sieve,
    "s3fifo": s3fifo,
    "s3fifo-paper": s3fifo_paper,
    "arc": arc,
    "lirs": lirs,
    "opt": opt,
}
