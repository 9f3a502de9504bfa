"""A scenario of programs side by side: one run of it, with one scope and one seed.

- ``play(scenario, scope, seed)``: run it; returns an ``Outcome``.
- ``Outcome``: what came out.
"""

from __future__ import annotations

from swapfast.scenario.side.outcome import Outcome
from swapfast.scenario.side.play import play

__all__ = ["Outcome", "play"]
