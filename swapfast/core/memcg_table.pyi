"""Types of the table of memory groups."""

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from swapfast._core import Core

U8 = NDArray[np.uint8]
U32 = NDArray[np.uint32]

class MemcgInfo(TypedDict):
    limit: int
    usage: int
    inactive: int
    active: int
    policy: str

def add(core: Core, policy: str, limit: int = 0) -> int: ...
def remove(core: Core, number: int) -> None: ...
def info(core: Core, number: int) -> MemcgInfo: ...
