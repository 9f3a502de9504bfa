"""Tests of speed that noise cannot fool, for any project: instructions are counted, not seconds.

- ``gate(folder, settings)``: benchmarks now against those of an older commit; a ``Report``.
- ``Settings``: what is counted, and what is too much; ``Settings.of(folder)`` reads pyproject.toml.

It is a room apart: it knows nothing of swap.
"""

from __future__ import annotations

from swapfast.testing.callgrind import Count
from swapfast.testing.gate import Finding, Report, gate
from swapfast.testing.settings import Settings

__all__ = ["Count", "Finding", "Report", "Settings", "gate"]
