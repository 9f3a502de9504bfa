"""Numbers of metrics with their units.

- ``figure(value, unit)``: "1.84 ms"; ``spread(summary, unit)``: "1.84 ± 0.21 ms".
- ``times(ratio)``: "x 0.33 *". ``scale(value, unit)``: what to divide by, and the unit shown.

Units are those of `swapfast.scenario.metric_unit`: "us", "ms", "s", "pages", "1/s", "share",
"count", "B", "x". Pages are shown as bytes.
"""

from __future__ import annotations

import math

from swapfast.compare.statistics import Ratio, Summary
from swapfast.units import PAGE_SIZE

__all__ = ["figure", "scale", "spread", "times"]

_STEPS: dict[str, tuple[tuple[float, str], ...]] = {
    "us": ((1e6, "s"), (1e3, "ms"), (1.0, "us"), (1e-3, "ns")),
    "ms": ((1e3, "s"), (1.0, "ms"), (1e-3, "us")),
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")),
    "B": ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B")),
    "1/s": ((1e9, "G/s"), (1e6, "M/s"), (1e3, "k/s"), (1.0, "/s")),
    "share": ((0.01, "%"),),
}
_STEPS["pages"] = tuple((size / PAGE_SIZE, name) for size, name in _STEPS["B"])


def scale(value: float, unit: str) -> tuple[float, str]:
    """What a value is divided by, and the unit that is left."""
    steps = _STEPS.get(unit, ((1.0, {"count": ""}.get(unit, unit)),))
    for size, name in steps:
        if abs(value) >= size:
            return size, name
    return steps[-1] if value else next((s for s in steps if s[0] == 1), steps[-1])


def figure(value: float, unit: str) -> str:
    """A value for people: three digits, or all of a count."""
    size, name = scale(value, unit)
    return _with(_digits(value / size), name)


def spread(told: Summary, unit: str) -> str:
    """Mean and standard deviation in one unit."""
    if told.stdev is None:
        return figure(told.mean, unit)
    size, name = scale(told.mean or told.stdev, unit)
    mean, stdev = told.mean / size, told.stdev / size
    places = _places(stdev)
    return _with(f"{_grouped(mean, places)} ± {_grouped(stdev, places)}", name)


def times(ratio: Ratio) -> str:
    """A ratio; a star where its 95 % interval excludes 1, "=" where nothing was drawn."""
    text = f"x {_digits(ratio.value)}"
    if ratio.low is None:
        return text
    return f"{text} *" if ratio.sure else text


def _with(number: str, name: str) -> str:
    return f"{number} {name}" if name else number


def _digits(value: float) -> str:
    if not math.isfinite(value):
        return "-"
    if value == int(value) and abs(value) < 1e15:
        return _grouped(value, 0)
    rounded = abs(float(f"{value:.3g}"))  # 99.97 is 100, and not 100.0
    return _grouped(value, max(0, 2 - math.floor(math.log10(rounded))))


def _places(stdev: float) -> int:
    """Digits behind the point: two of the standard deviation count."""
    return min(6, max(0, 1 - math.floor(math.log10(stdev))))


def _grouped(value: float, places: int) -> str:
    return f"{value:,.{places}f}".replace(",", "\u202f")
