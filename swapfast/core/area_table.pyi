"""Types of the table of swap areas."""

from collections.abc import Iterable
from typing import Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swapfast._core import Core

U8 = NDArray[np.uint8]
U32 = NDArray[np.uint32]

class AreaInfo(TypedDict):
    base: int
    slots: int
    pages: int
    inuse: int
    prio: int
    scope: int
    writeok: bool
    failed: bool
    pswpin: int
    pswpout: int

def add(
    core: Core,
    base: int,
    slots: int,
    prio: int,
    scope: int,
    *,
    bad: ArrayLike | None = None,
    file: Any = None,
    clustered: bool = False,
    sums: bool = False,
) -> int: ...
def info(core: Core, number: int) -> AreaInfo: ...
def owners(core: Core, number: int) -> U32: ...
def renumber(core: Core, numbers: Iterable[int], prios: Iterable[int]) -> None: ...
def slot_counts(core: Core) -> dict[str, int]: ...
def set_writeok(core: Core, number: int, writeok: bool) -> None: ...
def release_file(core: Core, number: int) -> None: ...
def remove(core: Core, number: int) -> None: ...
def wipe_freed(core: Core, number: int, fd: int) -> None: ...
def wipe(core: Core, number: int, fd: int, everything: bool) -> int: ...
def wipe_failures(core: Core) -> list[tuple[int, int]]: ...
def bad_slot(core: Core) -> tuple[int, int, int]: ...
def lost(core: Core, number: int) -> None: ...
