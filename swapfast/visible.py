"""Text of strangers, fit for a terminal.

- ``visible(text)``: what a terminal would obey, or hide, is written out: ``\\x1b``, ``\\u202e``.

Names of files, labels of swapfiles and texts in images are other people's. A control character in
one may clear the screen, change the window's title or reverse the direction of what follows.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["hidden", "visible"]

# Control characters, what formats text (direction, joiners, tags), halves of characters, ends of
# lines: categories of Unicode.
_OBEYED = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def hidden(character: str) -> bool:
    """Whether a terminal would obey or hide a character instead of showing it."""
    return not character.isprintable() and unicodedata.category(character) in _OBEYED


def visible(text: str, *, lines: bool = False) -> str:
    """The text with every hidden character written out.

    Parameters
    ----------
    text : str
        Bytes that were no UTF-8 are expected as Python decodes names (surrogateescape).
    lines : bool
        Keep ends of lines.

    Returns
    -------
    str
        Printable in every encoding that has its letters: ``\\xff`` stands for a byte that was no
        text or for a character below 256, ``\\uffff`` and ``\\U0010ffff`` for others.
    """
    if text.isprintable():
        return text
    return re.sub("[^\n]" if lines else "(?s:.)", lambda found: _written(found[0]), text)


def _written(character: str) -> str:
    if not hidden(character):
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a name that is no UTF-8
        code -= 0xDC00
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
