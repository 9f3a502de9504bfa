"""Types of the compiled parsers of lackey logs and tables."""

from collections.abc import Sequence

from swapfast.traces._lines import Lines

NO_FORM: tuple[str, ...]
OTHER_PROCESS: tuple[str, ...]

class LackeyParser(Lines):
    def __init__(
        self,
        instructions: bool = False,
        collapse: bool = False,
        pid: int | None = None,
        together: bool = False,
    ) -> None: ...
    @property
    def pids(self) -> list[int]: ...

class CsvParser(Lines):
    def __init__(
        self, columns: Sequence[str], collapse: bool = False, separator: str = ","
    ) -> None: ...
