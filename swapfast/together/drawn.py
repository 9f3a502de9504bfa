"""What a seed draws of a program, one stream for each, so that another program changes none of it.

- ``jitter(seed, number, most)``: how much later it starts.
- ``first(seed, number, phase, length)``: where in its references it begins.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

__all__ = ["first", "jitter"]

_JITTER, _PHASE = 1, 2  # streams


def jitter(seed: int, number: int, most: int) -> int:
    """ns from 0 to less than ``most``, 0 where that is 0."""
    return int(np.random.default_rng([seed, _JITTER, number]).integers(most)) if most else 0


def first(seed: int, number: int, phase: float | Literal["random"], length: int) -> int:
    """The number of the first reference.

    Raises
    ------
    ValueError
        Neither "random" nor a share from 0 to less than 1.
    """
    if phase == "random":
        return int(np.random.default_rng([seed, _PHASE, number]).integers(length))
    if not isinstance(phase, int | float) or not 0 <= phase < 1:
        raise ValueError(f"phase is from 0 to less than 1, or 'random', not {phase!r}")
    return int(phase * length)
