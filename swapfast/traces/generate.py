"""Seeded synthetic traces.

- ``generate(pattern, pages=, refs=, write_ratio=, seed=, fill=, ...)``: a ``Trace``.
- ``GENERATORS``: name -> function of (random generator, pages, refs, options); one line a pattern.

The same arguments give the same references: those of NumPy's PCG64 and its distributions, which
NumPy has kept as they are since 1.17 but for errors corrected.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from swapfast.traces.trace import MOST_PAGES, WRITE, Trace

__all__ = ["GENERATORS", "generate"]

CHUNK = 1 << 22
MOST_JUMPS = 1_000_000
Pages = NDArray[np.uint32]
Numbers = NDArray[np.int64]


def _parts(refs: int) -> Iterator[range]:
    """Runs of reference numbers: what is computed for one is small beside the trace."""
    for begin in range(0, refs, CHUNK):
        yield range(begin, min(begin + CHUNK, refs))


def _numbers(part: range) -> Numbers:
    return np.arange(part.start, part.stop, dtype=np.int64)


def uniform(rng: np.random.Generator, pages: int, refs: int) -> Pages:
    """Every page alike."""
    return rng.integers(0, pages, refs, dtype=np.uint32)


def zipf(rng: np.random.Generator, pages: int, refs: int, s: float = 1.0) -> Pages:
    """The page of rank k with probability proportional to 1 / k**s; ranks are shuffled.

    Drawn by the inverse of the cumulative distribution, exactly.
    """
    if not 0 <= s <= 8:
        raise ValueError(f"s is 0 to 8, not {s}")
    cumulative = np.arange(1, pages + 1, dtype=np.float64)
    np.power(cumulative, -s, out=cumulative)
    np.cumsum(cumulative, out=cumulative)
    cumulative /= cumulative[-1]
    page_of_rank = np.arange(pages, dtype=np.uint32)
    rng.shuffle(page_of_rank)
    out = np.empty(refs, dtype=np.uint32)
    for part in _parts(refs):
        ranks = np.searchsorted(cumulative, rng.random(len(part)), side="right")
        out[part.start : part.stop] = page_of_rank[np.minimum(ranks, pages - 1)]
    return out


def loop(rng: np.random.Generator, pages: int, refs: int) -> Pages:
    """All pages in order, round and round: what breaks LRU."""
    out = np.empty(refs, dtype=np.uint32)
    for part in _parts(refs):
        out[part.start : part.stop] = _numbers(part) % pages
    return out


def _gaussian(
    rng: np.random.Generator,
    centre: Callable[[Numbers], NDArray[np.float64]],
    pages: int,
    refs: int,
    width: float,
) -> Pages:
    if not 0 < width <= 1:
        raise ValueError(f"width is a share of the pages, above 0 and at most 1, not {width}")
    out = np.empty(refs, dtype=np.uint32)
    for part in _parts(refs):
        spot = np.rint(centre(_numbers(part)) + rng.normal(0.0, width * pages, len(part)))
        out[part.start : part.stop] = np.asarray(spot % pages, dtype=np.uint32) % np.uint32(pages)
    return out


def hotspot(
    rng: np.random.Generator, pages: int, refs: int, jumps: int = 6, width: float = 0.05
) -> Pages:
    """A gaussian spot that jumps: phases of a program."""
    if not (0 <= jumps <= MOST_JUMPS and jumps == int(jumps)):
        raise ValueError(f"jumps is a whole number, 0 to {MOST_JUMPS}, not {jumps}")
    centres = rng.integers(0, pages, int(jumps) + 1).astype(np.float64)
    return _gaussian(rng, lambda i: centres[i * len(centres) // refs], pages, refs, width)


def drift(rng: np.random.Generator, pages: int, refs: int, width: float = 0.05) -> Pages:
    """A gaussian spot that moves once around."""
    return _gaussian(rng, lambda i: i.astype(np.float64) * pages / refs, pages, refs, width)


def mixed(rng: np.random.Generator, pages: int, refs: int, s: float = 1.0) -> Pages:
    """Half zipf, and scans through everything in between: a cache-hostile program."""
    out = zipf(rng, pages, refs, s)
    for part in _parts(refs):
        numbers = _numbers(part)
        burst = (numbers // max(pages // 4, 1)) % 2 == 1
        out[part.start : part.stop][burst] = numbers[burst] % pages
    return out


GENERATORS: dict[str, Callable[..., Pages]] = {
    "uniform": uniform,
    "zipf": zipf,
    "loop": loop,
    "hotspot": hotspot,
    "drift": drift,
    "mixed": mixed,
}


def generate(
    pattern: str,
    *,
    pages: int,
    refs: int,
    write_ratio: float = 0.3,
    seed: int = 0,
    fill: bool = True,
    options: Mapping[str, float] | None = None,
) -> Trace:
    """Make a trace.

    Parameters
    ----------
    pattern : str
        One of ``GENERATORS``.
    pages, refs : int
        Size; ``refs`` is the length of the trace, the fill among them.
    write_ratio : float
        Share of references of the body that write, 0 to 1.
    seed : int
    fill : bool
        Begin by writing every page once, in order, as a program fills its memory; as many as
        there are references for.
    options : dict, optional
        Of the pattern: ``s`` (zipf, mixed), ``width`` (hotspot, drift), ``jumps`` (hotspot).

    Raises
    ------
    ValueError
        A parameter out of range, with its name.
    """
    if pattern not in GENERATORS:
        raise ValueError(f"no pattern {pattern!r}; there are {', '.join(sorted(GENERATORS))}")
    if not 1 <= pages <= MOST_PAGES:
        raise ValueError(f"pages is 1 to {MOST_PAGES}, not {pages}")
    if refs < 1:
        raise ValueError(f"refs is at least 1, not {refs}")
    if not 0 <= write_ratio <= 1:
        raise ValueError(f"write_ratio is 0 to 1, not {write_ratio}")
    options = options or {}
    if seed < 0:
        raise ValueError(f"seed is not negative, not {seed}")
    make = GENERATORS[pattern]
    known = list(inspect.signature(make).parameters)[3:]
    for name in options:
        if name not in known:
            takes = ", ".join(known) or "none"
            raise ValueError(f"{pattern} has no option {name!r}; it takes {takes}")
    rng = np.random.Generator(np.random.PCG64(seed))
    filled = min(pages, refs) if fill else 0
    body = make(rng, pages, refs - filled, **options)
    for run in _parts(len(body)):
        part = body[run.start : run.stop]
        part[rng.random(len(part)) < write_ratio] |= WRITE
    if filled:
        body = np.concatenate([np.arange(filled, dtype=np.uint32) | WRITE, body])
    text = ", ".join(f"{k}={v:g}" for k, v in sorted(options.items()))
    origin = f"{pattern}({text}) {pages} pages, seed {seed}"
    return Trace(body, pages, origin, private=True)
