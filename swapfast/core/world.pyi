"""Types of programs side by side."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from swapfast._core import Core

PROGRAM_COLUMNS: tuple[str, ...]
TIME_CLASSES: tuple[str, ...]
PSI_NAMES: tuple[str, ...]

ENDINGS: tuple[str, ...]

class World:
    def __new__(
        cls, core: Core, quantum: int, cpus: int, slice: int, by_area: bool = False
    ) -> Self: ...
    now: int
    events: int
    def barrier(self) -> int: ...
    def add(
        self,
        mapping: int,
        refs: NDArray[np.uint32],
        *,
        memcg: int,
        think: int,
        start: int,
        stop: int,
        loops: int,
        barrier: int = -1,
        first: int = 0,
        watch: bool = True,
    ) -> int: ...
    def again(
        self, number: int, refs: NDArray[np.uint32], *, think: int, start: int, loops: int
    ) -> None: ...
    def run(self, until: int = ...) -> tuple[str, int, int]: ...
    def is_endless(self, number: int) -> bool: ...
    def kill(self, number: int) -> None: ...
    def row(self, number: int) -> NDArray[np.uint64]: ...
    def programs(self) -> NDArray[np.uint64]: ...
    def histogram(
        self, number: int | None, major: bool = True
    ) -> tuple[NDArray[np.uint32], int, int]: ...
    def area_histogram(self, area: int) -> tuple[NDArray[np.uint32], int, int]: ...
    def pressure(self, memcg: int) -> tuple[list[int], list[int]]: ...
    def add_pressure(self, memcg: int, ns: NDArray[np.uint64]) -> None: ...
    def average_pressure(self, period: int) -> None: ...
