"""Types of the table of scopes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from swapfast._core import Core

U8 = NDArray[np.uint8]
U32 = NDArray[np.uint32]

def add(core: Core, namespace: bool = True) -> int: ...
def remove(core: Core, number: int) -> None: ...
def set_table(
    core: Core,
    number: int,
    areas: Sequence[int],
    ranks: Sequence[int],
    *,
    refused: int = 0,
    like: int = 0,
) -> None: ...
def table(core: Core, number: int) -> tuple[list[int], list[int], int]: ...
def give(core: Core, memcg: int, scope: int | None) -> None: ...
def given(core: Core, memcg: int) -> int | None: ...
def use_area(core: Core, number: int, area: int, last: bool) -> None: ...
def leave_area(core: Core, number: int, area: int) -> None: ...
