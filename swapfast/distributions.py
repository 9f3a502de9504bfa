"""How long a device takes over a request, as a distribution.

- ``Distribution``: a kind and its plain numbers; the same that mm/draw.pxd draws from.
- ``parse_distribution(key, value)``: of "80us", or of a table with a ``dist``.
- ``wrong``, ``nearest``: how a setting is refused.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from swapfast.inputs import open_input
from swapfast.units import parse_duration

__all__ = ["LONGEST", "Distribution", "duration", "nearest", "parse_distribution", "wrong"]

LONGEST = (1 << 42) - 1
"""Of any time, ns: the end of a histogram of the core, some 73 minutes."""

Z99 = 2.3263478740408408  # 99th percentile of the standard normal distribution
MOST_BYTES = 1 << 26  # of a file of latencies

_A_TIME = 'a time from 0 on such as "80us", "1.5ms" or, in whole ns, 3500'
_A_TABLE = '"80us", or a table such as { dist = "lognormal", median = "80us", p99 = "200us" }'


def wrong(key: str, value: object, allowed: str) -> ValueError:
    """What to raise for a setting."""
    return ValueError(f"{key}: {value!r} is not {allowed}")


def nearest(name: object, names: Iterable[str]) -> str:
    """``"there are x, y"``, and which of them may have been meant."""
    import difflib  # here, for a quick import

    names = list(names)
    close = difflib.get_close_matches(str(name), names, 1)
    meant = f"; did you mean {close[0]!r}?" if close else ""
    return f"there are {', '.join(names)}{meant}"


def duration(key: str, value: object, *, least: int = 0) -> int:
    """Nanoseconds of a time, from ``least`` to `LONGEST`.

    Raises
    ------
    ValueError
        Not a time, or out of range.
    """
    try:
        ns = parse_duration(value)  # type: ignore[arg-type]
    except ValueError as error:
        raise wrong(key, value, _A_TIME) from error
    if ns < least:
        raise wrong(key, value, "a time above 0")
    if ns > LONGEST:
        raise wrong(key, value, f"a time of at most {LONGEST} ns, some 73 minutes")
    return ns


@dataclass(frozen=True)
class Distribution:
    """Times of one kind of request. All numbers are nanoseconds but for ``sigma`` and ``upto``.

    Parameters
    ----------
    kind : {"constant", "lognormal", "exponential", "empirical", "position"}
    at : float
        The time, the median, the mean.
    sigma : float
        Lognormal: standard deviation of the logarithm.
    times, upto : tuple of float
        Empirical: the times, ascending, and their cumulative weights.
    a, b, turn : float
        By position: the arm takes ``a + b * sqrt(distance / size)``, the platter a turn at most.
    """

    kind: str
    at: float = 0.0
    sigma: float = 0.0
    times: tuple[float, ...] = ()
    upto: tuple[float, ...] = ()
    a: float = 0.0
    b: float = 0.0
    turn: float = 0.0

    @property
    def is_random(self) -> bool:
        """Whether two requests may take different times at the same place."""
        return self.kind != "constant"


def _constant(key: str, at: object) -> Distribution:
    return Distribution("constant", at=float(duration(f"{key}.at", at)))


def _lognormal(key: str, median: object, p99: object) -> Distribution:
    middle = duration(f"{key}.median", median, least=1)
    high = duration(f"{key}.p99", p99, least=1)
    if high < middle:
        raise wrong(f"{key}.p99", p99, f"at least the median, {median!r}")
    return Distribution("lognormal", at=float(middle), sigma=math.log(high / middle) / Z99)


def _exponential(key: str, mean: object) -> Distribution:
    return Distribution("exponential", at=float(duration(f"{key}.mean", mean, least=1)))


def _position(key: str, a: object, b: object, turn: object) -> Distribution:
    return Distribution(
        "position",
        a=float(duration(f"{key}.a", a)),
        b=float(duration(f"{key}.b", b)),
        turn=float(duration(f"{key}.turn", turn, least=1)),
    )


def _empirical(key: str, file: object) -> Distribution:
    weights: dict[float, float] = {}
    for at, (us, weight) in enumerate(_rows(f"{key}.file", file), start=2):
        where = f"{key}.file: {file!r}, line {at}"
        ns = _number(f"{where}, us", us, LONGEST / 1000) * 1000
        share = _number(f"{where}, weight", weight, 1e18)
        if share > 0:
            weights[ns] = weights.get(ns, 0.0) + share
    if not weights:
        raise wrong(f"{key}.file", file, "a file with a line whose weight is above 0")
    times = sorted(weights)
    upto = accumulate(weights[ns] for ns in times)
    return Distribution("empirical", times=tuple(times), upto=tuple(upto))


def _number(where: str, text: str, most: float) -> float:
    """A number of a file, 0 to ``most``."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= most:  # NaN is not
        raise wrong(where, text, f"a number from 0 to {most:g}")
    return number


def _rows(key: str, file: object) -> Iterable[tuple[str, str]]:
    """(us, weight) of the lines of a CSV file below its head, as text."""
    if not isinstance(file, str | os.PathLike):
        raise wrong(key, file, "a path")
    try:
        with open_input(file) as opened:
            data = opened.read(MOST_BYTES + 1)
        text = data.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise wrong(key, file, f"a file that can be read: {why}") from error
    if len(data) > MOST_BYTES:
        raise wrong(key, file, f"a file of at most {MOST_BYTES >> 20} MiB")
    lines = csv.reader(io.StringIO(text))
    try:
        head = [name.strip() for name in next(lines, [])]
        if sorted(head) != ["us", "weight"]:
            raise wrong(key, file, f"a CSV file with the columns us and weight, but {head}")
        for line in lines:
            if len(line) != 2:
                raise wrong(f"{key}: {file!r}, line {lines.line_num}", line, "two numbers")
            yield line[head.index("us")], line[head.index("weight")]
    except csv.Error as error:
        raise wrong(key, file, f"a CSV file: {error}") from None


KINDS: dict[str, tuple[Callable[..., Distribution], tuple[str, ...]]] = {
    "constant": (_constant, ("at",)),
    "lognormal": (_lognormal, ("median", "p99")),
    "exponential": (_exponential, ("mean",)),
    "empirical": (_empirical, ("file",)),
    "position": (_position, ("a", "b", "turn")),
}
"""Kind -> how it is read, and the keys of its table beside ``dist``."""


def parse_distribution(key: str, value: Any) -> Distribution:
    """A constant time, or a table.

    Parameters
    ----------
    key : str
        What it is set for; for the message.
    value : str, int or mapping
        "80us"; or ``{"dist": "lognormal", "median": "80us", "p99": "200us"}`` and the like.

    Raises
    ------
    ValueError
        No such kind, a key too many or too few, a time that cannot be.
    """
    if not isinstance(value, Mapping):
        return Distribution("constant", at=float(duration(key, value)))
    if "dist" not in value:
        raise wrong(key, dict(value), _A_TABLE)
    kind = value["dist"]
    if not isinstance(kind, str) or kind not in KINDS:
        raise wrong(f"{key}.dist", kind, f"a distribution; {nearest(kind, KINDS)}")
    parse, names = KINDS[kind]
    given = {name: one for name, one in value.items() if name != "dist"}
    for name, one in given.items():
        if name not in names:
            raise wrong(f"{key}.{name}", one, f"a key of {kind}; {nearest(name, names)}")
    for name in names:
        if name not in given:
            raise ValueError(f"{key}.{name}: missing; {kind} has {' and '.join(names)}")
    return parse(key, **given)
