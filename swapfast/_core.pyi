"""Types of the compiled core: one machine's memory manager, where everything is a number."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

OK: int
OOM: int
OOM_GROUP: int
STALL: int

ANON: int
SHM: int
OBJECT: int

UNSET: int
NOWHERE: int

PRESENT: int
WRITABLE: int
ACCESSED: int
DIRTY: int
SWAPPED: int
ZERO: int
MEMBER: int
SHARED: int

PAGES_PER_BLOCK: int
SLOTS_PER_CLUSTER: int
STAMP_LENGTH: int
STAMP_TAG_LENGTH: int
MIXED_RULES: dict[str, int]

class AreaInfo(TypedDict):
    base: int
    slots: int
    pages: int
    inuse: int
    prio: int
    owner: int
    writeok: bool
    pswpin: int
    pswpout: int

class GroupInfo(TypedDict):
    limit: int
    usage: int
    inactive: int
    active: int
    policy: str

def policy_names() -> tuple[str, ...]: ...

class Core:
    def __init__(
        self,
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
    ) -> None: ...
    def reserve_pages(self, n: int) -> None: ...
    def reserve_slots(self, n: int) -> None: ...
    def set_times(self, times: Mapping[str, int]) -> None: ...
    def counters(self) -> dict[str, int]: ...
    def clock(self) -> dict[str, int]: ...
    def set_now(self, now: int) -> None: ...
    def memory(self) -> dict[str, int]: ...
    def mm_forget(self, mm: int) -> None: ...
    def read_files(self, pages: int) -> None: ...
    def verify(self) -> None: ...
    def mapping_add(
        self,
        kind: int,
        base: int,
        pages: int,
        mm: int,
        owner: int,
        group: int,
        object: int = 0,
        first: int = 0,
    ) -> int: ...
    def mapping_zap(self, number: int, first: int, count: int) -> None: ...
    def mapping_remove(self, number: int) -> None: ...
    def mapping_fork(self, parent: int, child: int) -> None: ...
    def mapping_set_owner(self, number: int, owner: int) -> None: ...
    def mapping_owner(self, number: int) -> int: ...
    def mapping_count(self, number: int) -> tuple[int, int, int]: ...
    def mapping_state(
        self, number: int, first: int, count: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32]]: ...
    def mapping_swapped(self, number: int) -> NDArray[np.uint32]: ...
    def touch(
        self,
        number: int,
        refs: NDArray[np.uint32],
        *,
        start: int = 0,
        stop_on_major: bool = False,
        tag: bytes | None = None,
        first_number: int = 0,
        checked: bool = False,
    ) -> tuple[int, int]: ...
    def copy_in(self, number: int, offset: int, data: Any) -> tuple[int, int]: ...
    def copy_out(self, number: int, offset: int, data: Any) -> tuple[int, int]: ...
    def group_add(self, policy: str, limit: int = 0) -> int: ...
    def group_remove(self, number: int) -> None: ...
    def group_info(self, number: int) -> GroupInfo: ...
    def owner_add(self) -> int: ...
    def owner_remove(self, number: int) -> None: ...
    def owner_set_areas(self, number: int, areas: Sequence[int]) -> None: ...
    def area_add(
        self,
        base: int,
        slots: int,
        prio: int,
        owner: int,
        *,
        bad: ArrayLike | None = None,
        file: Any = None,
        clustered: bool = False,
    ) -> int: ...
    def area_info(self, number: int) -> AreaInfo: ...
    def area_set_prio(self, number: int, prio: int) -> None: ...
    def area_set_writeok(self, number: int, writeok: bool) -> None: ...
    def area_unuse(self, number: int, first: int = 1) -> tuple[int, int]: ...
    def area_release_file(self, number: int) -> None: ...
    def area_remove(self, number: int) -> None: ...
