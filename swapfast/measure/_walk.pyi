"""Types of the compiled player."""

import numpy as np
from numpy.typing import NDArray

def walk(
    refs: NDArray[np.uint32],
    area: int,
    scratch: int,
    scratch_bytes: int,
    stat: int,
    every: int,
) -> None: ...
