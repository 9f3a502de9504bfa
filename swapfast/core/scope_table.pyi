"""Types of the table of scopes."""

import numpy as np
from numpy.typing import NDArray

from swapfast._core import Core

U8 = NDArray[np.uint8]
U32 = NDArray[np.uint32]

def add(core: Core) -> int: ...
def remove(core: Core, number: int) -> None: ...
def use_area(core: Core, number: int, area: int, last: bool) -> None: ...
def leave_area(core: Core, number: int, area: int) -> None: ...
