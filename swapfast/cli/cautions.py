"""Warnings about what a trace of its kind is not good for.

- ``warn(trace, *uses)``: on stderr, a line for each use that is not valid.
"""

from __future__ import annotations

from swapfast.cli.output import tell
from swapfast.traces import Trace
from swapfast.traces.kinds import Use, caution

__all__ = ["warn"]

USES: dict[Use, str] = {"replay": "a replay", "curve": "a miss-ratio curve"}


def warn(trace: Trace, *uses: Use) -> None:
    """Say of each use why it is not valid, if it is not."""
    for use in uses or USES:
        why = caution(trace.kind, use)
        if why is not None:
            tell(f"swapfast: warning: {USES[use]} of {trace.origin} is not valid: {why}")
