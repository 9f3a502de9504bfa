"""Types of the compiled page tables of real programs."""

from collections.abc import Callable
from typing import Self

from swapfast._core import Core
from swapfast.shell.memory._faults import Faults

WINDOW_SHIFT: int

class Mirror(Faults):
    def __new__(
        cls,
        core: Core,
        scratch: int,
        window: Callable[[int, int], int],
        shortage: Callable[[int, int], bool],
        look: Callable[[], None],
    ) -> Self: ...
    def counted(self, mm: int) -> tuple[int, int, int]: ...
    def counts(self) -> dict[str, int]: ...
    def window(self, mm: int, number: int, mapping: int) -> None: ...
