"""What a file of a cgroup is, and the texts that several of them take.

- ``File``: how one is read and written.
- ``refuse``: EINVAL. ``pages_of``, ``amount``: "max" or bytes, as text and as pages.

Sources: include/linux/cgroup-defs.h (struct cftype), mm/page_counter.c (page_counter_memparse),
lib/cmdline.c (memparse) of 6.18.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from swapfast.errors import system_error
from swapfast.kernel.groups import GroupRow
from swapfast.kernel.state import Kernel
from swapfast.units import PAGE_SIZE

__all__ = ["File", "amount", "memparse", "pages_of", "refuse", "whole"]

PAGE_COUNTER_MAX = ((1 << 63) - 1) // PAGE_SIZE  # pages; this many and more are "max"
_UNITS = "KMGTPE"


@dataclass(frozen=True)
class File:
    """One file.

    Attributes
    ----------
    read : callable, optional
        Its text.
    write : callable, optional
        Takes a text whose white space around it is gone.
    on_root : bool
        Whether the root has it (CFTYPE_NOT_ON_ROOT).
    """

    read: Callable[[Kernel, GroupRow], str] | None = None
    write: Callable[[Kernel, GroupRow, str], None] | None = None
    on_root: bool = False


def refuse(text: str, takes: str) -> NoReturn:
    """EINVAL: a text is not what a file takes."""
    raise system_error(errno.EINVAL, f"{text!r:.60} is not {takes}")


def memparse(text: str) -> tuple[int, str]:
    """memparse(): bytes, and the rest of the text."""
    match = re.match(r"0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*|", text)
    assert match is not None, "it may be empty"
    value, rest = whole(match[0]), text[match.end() :]
    if rest and rest[0].upper() in _UNITS:
        value <<= 10 * (_UNITS.index(rest[0].upper()) + 1)
        rest = rest[1:]
    return value & ((1 << 64) - 1), rest


def whole(digits: str) -> int:
    """Base 0 of simple_strtoull: 0x is hexadecimal, 0 is octal; nothing is 0."""
    base = 16 if digits[:2] in ("0x", "0X") else 8 if digits[:1] == "0" else 10
    return int(digits or "0", base)


def pages_of(text: str) -> int | None:
    """page_counter_memparse(): pages, or None for "max".

    Raises
    ------
    OSError
        EINVAL: neither an amount nor "max".
    """
    if text == "max":
        return None
    value, rest = memparse(text)
    if rest:
        refuse(text, 'an amount such as "64M", 67108864 or "max"')
    pages = value // PAGE_SIZE
    return pages if pages < PAGE_COUNTER_MAX else None


def amount(pages: int | None) -> str:
    """The line of a file: bytes, or "max" for None."""
    return "max\n" if pages is None else f"{pages * PAGE_SIZE}\n"
