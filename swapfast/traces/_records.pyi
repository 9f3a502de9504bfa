"""Types of the compiled readers of binary records."""

from typing import final

from swapfast.traces._numbered import Numbered

class BrokenRecord(ValueError):
    record: int
    byte: int
    cause: str
    def __init__(self, record: int, byte: int, cause: str) -> None: ...

class Records(Numbered):
    @property
    def record(self) -> int: ...
    def finish(self) -> None: ...

@final
class Instructions(Records):
    def __init__(self, instructions: bool = False, collapse: bool = False) -> None: ...

class Objects(Records):
    def __init__(self, size: int, op: int = 0, collapse: bool = False) -> None: ...

class Requests(Records):
    def __init__(self, version: int, collapse: bool = False) -> None: ...

class Entries(Records):
    filtered: bool
    def __init__(self, instructions: bool = False, collapse: bool = False) -> None: ...
