"""Types of the compiled parser of damo's text."""

import numpy as np
from numpy.typing import NDArray

from swapfast.traces._lines import Lines

class RegionParser(Lines):
    def __init__(self, collapse: bool = False) -> None: ...
    def regions(self) -> NDArray[np.uint64]: ...
    def expand(
        self, regions: NDArray[np.uint64], number: int, row: int, page: int
    ) -> tuple[int, int]: ...
