"""Two processes that want one swapfile, many times: ``python -m tests.faults.races PATH ROUNDS``.

Both live long and begin each round together: a word of shared memory says which one it is. Who has
the file keeps it until the other has tried. Prints as JSON how often how many of them had it.
"""

from __future__ import annotations

import errno
import json
import mmap
import os
import random
import struct
import sys
from collections import Counter

from swapfast.swapfile import RULES_6_18, SwapBacking

WORD = struct.Struct("<q")


class Shared:
    """Words that parent and children see: round begun, then a result and a done of each child."""

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, 4096)

    def __getitem__(self, at: int) -> int:
        return int(WORD.unpack_from(self.memory, 8 * at)[0])

    def __setitem__(self, at: int, value: int) -> None:
        WORD.pack_into(self.memory, 8 * at, value)

    def wait(self, at: int, value: int) -> None:
        while self[at] < value:
            os.sched_yield()


def contend(path: str, rounds: int, shared: Shared, me: int, seed: int) -> None:
    rng = random.Random(seed)
    for number in range(1, rounds + 1):
        shared.wait(0, number)
        for _ in range(rng.randrange(200)):
            pass
        backing, result = None, 0
        try:
            backing = SwapBacking.open(path, RULES_6_18)
        except OSError as error:
            result = error.errno or -1
        shared[1 + me] = result
        shared[3 + me] = number
        shared.wait(4 - me, number)
        if backing is not None:
            backing.close()
        shared[5 + me] = number


def main(path: str, rounds: int) -> None:
    shared = Shared()
    children = []
    for me in (0, 1):
        child = os.fork()
        if child == 0:
            contend(path, rounds, shared, me, me)
            os._exit(0)
        children.append(child)
    owners: Counter[int] = Counter()
    winners: Counter[int] = Counter()
    for number in range(1, rounds + 1):
        shared[0] = number
        for me in (0, 1):
            shared.wait(5 + me, number)
        results = [shared[1], shared[2]]
        owners[results.count(0)] += 1
        winners[results.index(0) if 0 in results else -1] += 1
        assert all(r in (0, errno.EBUSY) for r in results), results
    assert all(os.waitpid(child, 0)[1] == 0 for child in children)
    print(json.dumps({"rounds": rounds, "owners": owners, "winners": winners}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
