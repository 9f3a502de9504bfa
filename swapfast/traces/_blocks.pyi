"""Types of the compiled parser of requests to disks."""

from collections.abc import Sequence

from swapfast.traces._lines import Lines

class BlockParser(Lines):
    def __init__(self, columns: Sequence[str], unit: int = 1, collapse: bool = False) -> None: ...
