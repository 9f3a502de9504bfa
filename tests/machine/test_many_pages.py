"""Page indexes above 2**31: the arrays of pages grow to their end, and not to 0."""

from __future__ import annotations

import numpy as np

import swapfast as sf
from tests.support.swapfiles import PAGE


def test_a_mapping_behind_two_billion_pages() -> None:
    with sf.Machine(65536 * PAGE, contents=False, cache=0, overcommit=1) as machine:
        task = machine.init.fork()
        task.mmap(((1 << 31) - 1) * PAGE)
        small = task.mmap(10 * PAGE)
        machine.run(small, np.arange(10, dtype=np.uint32) | np.uint32(1 << 31))
        assert small.count() == (10, 0, 0)
