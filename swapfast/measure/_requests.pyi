"""Types of the compiled requests."""

import numpy as np
from numpy.typing import NDArray

def requests(
    fd: int,
    offsets: NDArray[np.int64],
    buffer: int,
    size: int,
    write: bool,
    took: NDArray[np.uint64],
) -> None: ...
