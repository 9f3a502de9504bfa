"""Types of the table of plugs that move pages."""

from collections.abc import Sequence

from swapfast._core import Core

WHEN: dict[str, int]
MOST_BATCH: int

def add(
    core: Core,
    when: str,
    source: Sequence[int],
    target: Sequence[int],
    *,
    batch: int,
    high: float,
    low: float,
    ns_page: int,
) -> int: ...
def remove(core: Core, number: int) -> None: ...
def info(core: Core, number: int) -> dict[str, int]: ...
