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
    parent: int | None
    depth: int
    max: int | None
    high: int | None
    low: int | None
    min: int | None
    peak: int
    swap_max: int | None
    swap_high: int | None
    swap_usage: int
    swap_peak: int
    mappings: int
    stat: dict[str, int]
    events: dict[str, int]

class Generations(TypedDict):
    max_seq: int
    min_seq: int
    file_seq: int
    pages: list[int]
    born: list[int]
    tiers: list[dict[str, int]]

ROOT: int
EVENT_NAMES: tuple[str, ...]
NO_GENERATIONS: Generations

def add(core: Core, policy: str, limit: int = 0, parent: int = 0) -> int: ...
def configure(core: Core, number: int, **pages: int | None) -> None: ...
def use_v2(core: Core, v2: bool = True, recursiveprot: bool = True) -> None: ...
def is_v2(core: Core) -> bool: ...
def note(core: Core, number: int, name: str) -> None: ...
def usage(core: Core, number: int) -> tuple[int, int]: ...
def children(core: Core, number: int) -> list[int]: ...
def failed(core: Core) -> int: ...
def lru_gen(core: Core) -> int: ...
def switch_lru(core: Core, mask: int) -> None: ...
def drain(core: Core) -> None: ...
def generations(core: Core, number: int) -> Generations | None: ...
def remove(core: Core, number: int) -> None: ...
def info(core: Core, number: int) -> MemcgInfo: ...
