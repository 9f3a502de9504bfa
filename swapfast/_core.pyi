"""Types of the compiled core: one machine's memory manager, where everything is a number."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

OK: int
OOM: int
OOM_GROUP: int
STALL: int
IO: int
BAD_SLOTS: dict[int, str]

ANON: int
SHM: int
OBJECT: int

UNSET: int
NOWHERE: int

PRESENT: int
ACCESSED: int
DIRTY: int
SWAPPED: int
ZERO: int
MEMBER: int
SHARED: int

PAGES_PER_BLOCK: int
SLOTS_PER_CLUSTER: int
TAG_LENGTH: int
MIXED_RULES: dict[str, int]

def policy_names() -> tuple[str, ...]: ...

class Core:
    def __new__(
        cls,
        memory: int,
        modern: bool,
        contents: bool,
        *,
        mixed_rule: str = "first-mm",
        shared_strict: bool = False,
        page_cluster: int = 3,
        swappiness: int = 60,
        watermarks: tuple[int, int, int] = (0, 0, 0),
        file_cache: int = 0,
        times: Mapping[str, int] | None = None,
        stat_period: int = 0,
        stat_phase: int = 0,
        tlb_period: int = 0,
        tlb_phase: int = 0,
        vma_readahead: bool = False,
        nested_plug: bool = False,
        cgroup_v2: bool = False,
    ) -> Self: ...
    def close(self, why: str) -> None: ...
    def abandon(self, why: str) -> None: ...
    def check(self) -> None: ...
    def counters(self) -> dict[str, int]: ...
    def faults(self) -> tuple[int, int]: ...
    @property
    def now(self) -> int: ...
    def clock(self) -> dict[str, int]: ...
    def set_now(self, now: int) -> None: ...
    def memory(self) -> dict[str, int]: ...
    def read_files(self, pages: int) -> None: ...
    def verify(self) -> None: ...

def touch(
    core: Core,
    number: int,
    refs: NDArray[np.uint32],
    *,
    start: int = 0,
    stop_on_major: bool = False,
    tag: bytes | None = None,
    first_number: int = 0,
    checked: bool = False,
) -> tuple[int, int]: ...
def copy_in(core: Core, number: int, offset: int, data: Any) -> tuple[int, int]: ...
def copy_out(core: Core, number: int, offset: int, data: Any) -> tuple[int, int]: ...
def unuse(core: Core, number: int, first: int = 1) -> tuple[int, int]: ...
def reclaim(core: Core, number: int, pages: int, *, asked: bool = True) -> int: ...
def settle(core: Core) -> None: ...
def push(
    core: Core, numbers: Sequence[int], area: int, fd: int = -1
) -> tuple[int, NDArray[np.uint32]]: ...
def pull(core: Core, area: int, slots: NDArray[np.uint32]) -> None: ...
