"""Types of the compiled parsers of text traces."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NO_FORM: tuple[str, ...]
OTHER_PROCESS: tuple[str, ...]

class BrokenLine(ValueError):
    line: int
    cause: str
    text: str
    def __init__(self, line: int, cause: str, text: str) -> None: ...

class _Lines:
    @property
    def line(self) -> int: ...
    @property
    def pages(self) -> int: ...
    def feed(self, chunk: bytes | bytearray | memoryview) -> None: ...
    def finish(self) -> None: ...
    def take(self) -> NDArray[np.uint32]: ...
    def addresses(self) -> NDArray[np.uint64]: ...

class LackeyParser(_Lines):
    def __init__(
        self, instructions: bool = False, collapse: bool = False, pid: int | None = None
    ) -> None: ...
    @property
    def pids(self) -> list[int]: ...

class CsvParser(_Lines):
    def __init__(
        self, columns: Sequence[str], collapse: bool = False, separator: str = ","
    ) -> None: ...
