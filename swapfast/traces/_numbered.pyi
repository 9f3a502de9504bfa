"""Types of what all compiled readers share."""

import numpy as np
from numpy.typing import NDArray

COMMON: dict[int, str]

class Numbered:
    @property
    def pages(self) -> int: ...
    def take(self) -> NDArray[np.uint32]: ...
    def addresses(self) -> NDArray[np.uint64]: ...
