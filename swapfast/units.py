"""Sizes and numbers as people write and read them.

- ``parse_size(text)``: bytes of "64MiB", "512M", "4096", "1.5GiB", "10kB".
- ``parse_duration(text)``: nanoseconds of "80us", "1.5 ms", 3500.
- ``parse_share("50%", of)``: a share of some pages, or a size.
- ``without_unit(text)``: what is wrong with a memory of "50", which is less than a page.
- ``format_size(size)``: "64 MiB", rounded and worded as mkswap(8) prints it.
- ``format_count(n)``, ``format_ns(ns)``: numbers for tables.
"""

from __future__ import annotations

import re

__all__ = [
    "PAGE_SIZE",
    "format_count",
    "format_ns",
    "format_size",
    "parse_duration",
    "parse_share",
    "parse_size",
    "without_unit",
]

PAGE_SIZE = 4096

# Not compiled here: that would be a good part of what `import swapfast` takes.
_SHARE = r"\s*([0-9]+(?:\.[0-9]+)?)\s*%\s*\Z"
_UNITS = "KMGTPE"
_SIZE = r"(?i)\s*(\d+(?:\.\d+)?)\s*(?:([KMGTPE])(iB|B)?|B)?\s*"
_DURATION = r"\s*(\d+(?:\.\d+)?)\s*(ns|us|µs|μs|ms|s|min|h)\s*"
_DURATIONS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "min": 60 * 10**9, "h": 3600 * 10**9}


def parse_size(size: int | str) -> int:
    """Bytes of a size.

    Parameters
    ----------
    size : int or str
        Bytes, or a number with a unit: K or KiB = 1024, KB = 1000, and so on up to E. Case does
        not matter.

    Raises
    ------
    ValueError
        Not a size, negative, or not a whole number of bytes.
    """
    if isinstance(size, int):
        if size < 0:
            raise ValueError(f"size: {size} is negative")
        return size
    match = re.fullmatch(_SIZE, size) if isinstance(size, str) else None  # a list, from TOML
    if match is None:
        raise ValueError(f'size: {size!r} is not a size such as "64MiB", "512M" or "4096"')
    from fractions import Fraction  # here, for a quick import of the package

    number, unit, suffix = match.groups()
    power = _UNITS.index(unit.upper()) + 1 if unit else 0
    base = 1000 if (suffix or "").upper() == "B" else 1024
    result = Fraction(number) * base**power
    if result.denominator != 1:
        raise ValueError(f"size: {size!r} is not a whole number of bytes")
    return int(result)


def parse_duration(duration: int | str) -> int:
    """Nanoseconds of a duration.

    Parameters
    ----------
    duration : int or str
        Nanoseconds, or a number with a unit: ns, us, ms, s, min or h.

    Raises
    ------
    ValueError
        Not a duration, negative, or not a whole number of nanoseconds.
    """
    if isinstance(duration, int) and not isinstance(duration, bool):
        if duration < 0:
            raise ValueError(f"duration: {duration} is negative")
        return duration
    match = re.fullmatch(_DURATION, duration) if isinstance(duration, str) else None
    if match is None:
        raise ValueError(
            f'duration: {duration!r} is not a duration such as "80us", "1.5ms" or, in ns, 3500'
        )
    from fractions import Fraction

    number, unit = match.groups()
    result = Fraction(number) * _DURATIONS[unit.replace("µ", "u").replace("μ", "u")]
    if result.denominator != 1:
        raise ValueError(f"duration: {duration!r} is not a whole number of nanoseconds")
    return int(result)


def format_size(size: int) -> str:
    """`size` bytes as mkswap(8) prints them: one decimal at most, "64 MiB", "63.9 MiB", "512 B".

    The tenth is rounded from thousandths that were cut off, which is util-linux's arithmetic
    (lib/strutils.c, size_to_human_string).
    """
    power = min(max(size.bit_length() - 1, 0) // 10, len(_UNITS))
    whole, rest = divmod(size, 1 << 10 * power)
    tenths = (rest * 1000 // (1 << 10 * power) + 50) // 100
    if tenths == 10:
        whole, tenths = whole + 1, 0
    unit = f"{_UNITS[power - 1]}iB" if power else "B"
    return f"{whole}.{tenths} {unit}" if tenths else f"{whole} {unit}"


def without_unit(text: str | int, *, share: bool = True) -> str | None:
    """A sentence about a size that is surely meant in another unit; None: it may be meant so.

    Parameters
    ----------
    text : str or int
        As it was written. A number from 1 to a page without a unit is what nobody wants.
    share : bool
        A percentage would be understood, too.
    """
    word = text.strip() if isinstance(text, str) else ""
    if re.fullmatch(r"[0-9]{1,4}", word) is None or not 0 < int(word) < PAGE_SIZE:
        return None
    number = int(word)
    could = f"{number}% or {number}MiB" if share and number <= 100 else f"{number}MiB"
    return f"{word} is {number} bytes, less than a page; did you mean {could}?"


def parse_share(text: str | int, of_pages: int) -> int:
    """Pages of "50%" of ``of_pages`` (rounded down), or of a size like "64MiB".

    Raises
    ------
    ValueError
        Neither, or less than a page.
    """
    match = re.match(_SHARE, text) if isinstance(text, str) else None
    if match is not None:
        from fractions import Fraction

        pages = int(Fraction(match[1]) * of_pages / 100)
    else:
        hint = without_unit(text)
        if hint is not None:
            raise ValueError(hint)
        pages = parse_size(text) // PAGE_SIZE
    if pages < 1:
        raise ValueError(f"{text!r} is less than one page of {PAGE_SIZE} bytes")
    return pages


def format_count(n: float) -> str:
    """Thousands apart by thin blanks: 1 234 567."""
    return f"{n:,.0f}".replace(",", "\u202f")


def format_ns(ns: float) -> str:
    """Nanoseconds with a fitting unit: "66 us", "1.2 s"."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if abs(ns) >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.0f} ns"
