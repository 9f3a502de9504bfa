"""Types of what all compiled parsers of text share."""

from swapfast.traces._numbered import Numbered

LINE_CAUSES: dict[int, str]

class BrokenLine(ValueError):
    line: int
    cause: str
    text: str
    def __init__(self, line: int, cause: str, text: str) -> None: ...

class Lines(Numbered):
    @property
    def line(self) -> int: ...
    def finish(self) -> None: ...
