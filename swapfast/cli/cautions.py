"""Warnings about what a trace of its kind is not good for.

- ``warn(trace, *uses)``: on stderr, a line for each use that is not valid.
- ``warn_below(trace, pages)``: a line if memories as small as this are not.
"""

from __future__ import annotations

from swapfast.cli.output import tell
from swapfast.traces import Trace
from swapfast.traces.kinds import Use, caution, least_memory
from swapfast.units import PAGE_SIZE, format_count, format_size

__all__ = ["warn", "warn_below"]

USES: dict[Use, str] = {"replay": "a replay", "curve": "a miss-ratio curve"}


def warn(trace: Trace, *uses: Use) -> None:
    """Say of each use why it is not valid, if it is not."""
    for use in uses or USES:
        why = caution(trace.kind, use)
        if why is not None:
            tell(f"swapfast: warning: {USES[use]} of {trace.origin} is not valid: {why}")


def warn_below(trace: Trace, pages: int) -> None:
    """Say so if a memory of so many pages is too small for the window of the trace."""
    least = least_memory(trace.window)
    if pages < least:
        tell(
            f"swapfast: warning: {trace.origin}: what memories below {format_count(least)} pages "
            f"({format_size(least * PAGE_SIZE)}) need is not in it: the last "
            f"{format_count(trace.window)} pages were always there, and not seen"
        )
