"""Random numbers from where they stand, in plain Python (mm/random.pxd)."""

from __future__ import annotations

M64 = (1 << 64) - 1


def mixed(z: int) -> int:
    """Each bit reaches all 64."""
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & M64
    z = (z ^ z >> 27) * 0x94D049BB133111EB & M64
    return z ^ z >> 31


def splitmix(seed: int, stream: int, counter: int) -> int:
    """The number of a stream that has this counter."""
    gamma = 0x9E3779B97F4A7C15
    state = mixed(mixed(seed + gamma & M64) + (stream + 1) * gamma & M64)
    return mixed(state + (counter + 1) * gamma & M64)


def unit_open(r: int) -> float:
    """Strictly between 0 and 1."""
    return ((r >> 12) + 0.5) / (1 << 52)
