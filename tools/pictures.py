"""Pictures that swapfast makes of itself.

- ``of_the_site()``: path in the site -> bytes: made anew whenever the site is built.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from swapfast.mrc import miss_ratio_curve
from swapfast.plots import plot_curves
from swapfast.traces import bundled_trace

__all__ = ["of_the_site"]


def of_the_site() -> dict[str, bytes]:
    """Miss-ratio curves of the trace that comes with swapfast."""
    trace = bundled_trace()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "curves.svg"
        plot_curves([miss_ratio_curve(trace, policy) for policy in ("lru", "sieve", "opt")], path)
        return {"curves.svg": path.read_bytes()}
