"""Types of the table of devices."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swapfast._core import Core

KINDS: dict[str, int]
WAYS: tuple[str, ...]

def add(core: Core, config: Any, *, seed: int = 0) -> int: ...
def place(core: Core, area: int, number: int, slot: int = 0) -> None: ...
def info(core: Core, number: int) -> dict[str, Any]: ...
def histogram(
    core: Core, number: int, way: str, what: str = "total"
) -> tuple[NDArray[np.uint32], int, int]: ...
