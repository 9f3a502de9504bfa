"""Types of the compiled player of one program among others."""

import numpy as np
from numpy.typing import NDArray

def play(
    refs: NDArray[np.uint32],
    area: int,
    scratch: int,
    scratch_bytes: int,
    stat: int,
    every: int,
    think: int,
    slow: int,
    stop: int,
    counts: NDArray[np.uint64],
) -> tuple[int, int, int, int, int, int]: ...
