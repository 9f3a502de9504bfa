"""Lists of values for keys of a scenario.

- ``axis("machine.memory=256MiB,512MiB")``: an ``Axis``: a key and its values.
- ``product(axes)``: every combination, the last axis the quickest.

A list is ``a,b,c``, or ``first:last:step`` of numbers, sizes or durations, the last included where
a step ends on it. Values with commas or colons of their own stand in quotes.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from swapfast.units import parse_duration, parse_size

__all__ = ["Axis", "axis", "product"]

MOST_VALUES = 10_000
_NUMBER = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*([A-Za-zµμ%]*)\s*\Z")
_PART = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([^,"'][^,]*?)?)\s*(?:,|\Z)""")


@dataclass(frozen=True)
class Axis:
    """A key and its values, as texts."""

    key: str
    values: tuple[str, ...]


def axis(text: str) -> Axis:
    """Parse ``KEY=LIST``.

    Raises
    ------
    ValueError
        No key, no value, a range that never ends, or more than 10,000 values.
    """
    key, sign, told = text.partition("=")
    key = key.strip()
    if not sign or not key:
        raise ValueError(f"--set {text:.60}: is not KEY=A,B,C, such as machine.memory=1GiB,2GiB")
    try:
        values = tuple(_values(told))
    except ValueError as error:
        raise ValueError(f"--set {text:.60}: {error}") from None
    if len(set(values)) < len(values):
        raise ValueError(f"--set {text:.60}: a value comes twice")
    return Axis(key, values)


def _values(told: str) -> Iterator[str]:
    at = 0
    while True:
        match = _PART.match(told, at)
        if match is None:
            raise ValueError("a quote is not closed, or something follows it")
        quoted = match[1] if match[1] is not None else match[2]
        if quoted is not None:
            yield quoted
        elif not match[3]:
            raise ValueError("a value is empty")
        else:
            yield from _range(match[3])
        at = match.end()
        if at == len(told) and not match[0].rstrip().endswith(","):
            return


def _range(text: str) -> Iterator[str]:
    """The values of first:last:step; anything else is one value."""
    parts = [_NUMBER.match(part) for part in text.split(":")]
    if len(parts) != 3 or None in parts:
        yield text
        return
    numbers, unit = _in_one_unit([(m[1], m[2]) for m in parts if m is not None])
    first, last, step = numbers
    if step == 0 or (last - first) * step < 0:
        raise ValueError(f"{text}: no step leads from {first}{unit} to {last}{unit}")
    count = int((last - first) / step) + 1
    if count > MOST_VALUES:
        raise ValueError(f"{text}: {count:,} values; {MOST_VALUES:,} are the most")
    for number in range(count):
        yield f"{_plain(first + number * step)}{unit}"


def _in_one_unit(told: Sequence[tuple[str, str]]) -> tuple[list[Decimal], str]:
    """Numbers in a unit that all share: the smallest that is used, or bytes, or ns."""
    units = {unit for _, unit in told}
    if len(units) == 1:
        return [Decimal(number) for number, _ in told], units.pop()
    texts = [number + unit for number, unit in told]
    try:
        whole, ones, rest = (
            [parse_size(t) for t in texts],
            {u: parse_size(f"1{u}") for u in units},
            "",
        )
    except ValueError:
        whole = [parse_duration(text) for text in texts]
        ones, rest = {u: parse_duration(f"1{u}") for u in units}, "ns"
    unit = min(ones, key=lambda u: ones[u])
    if any(value % ones[unit] for value in whole):
        return [Decimal(value) for value in whole], rest
    return [Decimal(value // ones[unit]) for value in whole], unit


def _plain(value: Decimal) -> str:
    """Without an exponent or zeros at the end."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def product(axes: Sequence[Axis]) -> list[dict[str, str]]:
    """Every combination of values.

    Raises
    ------
    ValueError
        A key has two lists.
    """
    keys = [one.key for one in axes]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise ValueError(f"--set {twice[0]:.60}: comes twice; give it one list")
    return [
        dict(zip(keys, values, strict=True))
        for values in itertools.product(*(one.values for one in axes))
    ]
