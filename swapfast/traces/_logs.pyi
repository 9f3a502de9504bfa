"""Types of the compiled parsers of recorders' logs."""

from swapfast.traces._lines import Lines

OTHER_PROCESS: str
NO_ADDRESS: tuple[str, str]

class EventParser(Lines):
    sampled: bool
    def __init__(
        self,
        ftrace: bool = False,
        collapse: bool = False,
        pid: int | None = None,
        together: bool = False,
    ) -> None: ...
    @property
    def pids(self) -> list[int]: ...

class PinParser(Lines):
    def __init__(self, collapse: bool = False) -> None: ...

class ViewParser(Lines):
    def __init__(self, instructions: bool = False, collapse: bool = False) -> None: ...
