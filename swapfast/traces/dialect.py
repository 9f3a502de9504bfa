"""What kind of text a trace is, and how its table is written.

- ``header(name, data)`` -> ``Dialect``: columns and separator of a CSV.
- ``is_table(name, head)``: whether text is a CSV; a lackey log otherwise.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from swapfast.traces.trace import printable

__all__ = ["Dialect", "header", "is_table"]

HEADER_MOST = 4096  # bytes of a line
PREAMBLE_MOST = 1 << 20  # bytes before the header: comments
LOOKED_AT = 1 << 16  # bytes that tell a table from a log
SHOWN_MOST = 200  # characters of a header in an error
BOM = b"\xef\xbb\xbf"
SEPARATORS = (",", "\t", ";", "|", " ")
PLACES, KINDS = {"page", "address"}, {"write", "op"}
SUFFIXES = re.compile(r"\.(csv|tsv)(\.(gz|xz|zst|bz2|lzma))?$", re.IGNORECASE)
LACKEY = re.compile(rb"(==|--|\*\*|SB [0-9a-fA-F]|(I  ?| [LSMI] )[0-9a-fA-F]+,)")
OP, HEXADECIMAL = re.compile(r"[rwlsmi]"), re.compile(r"0x[0-9a-f]+")
NUMBER = re.compile(r"-?[0-9][0-9.]*|0x[0-9a-f]+")
NEEDS = "a CSV begins with the names of its columns, 'page,write' or 'op,address,size'"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a table is written.

    Attributes
    ----------
    columns : list of str
    separator : str
        One character.
    lines : int
        Before the first line of data.
    rest : bytes
        What was read beyond these lines.
    """

    columns: list[str]
    separator: str
    lines: int
    rest: bytes


def header(name: str, data: Iterator[bytes]) -> Dialect:
    """Find the names of the columns.

    They are in the first line that is neither empty nor a comment, or in the comment before it.

    Raises
    ------
    ValueError
        There are none, or the wrong ones: file, line and what was found.
    """
    comment = b""
    number = 0
    for number, line, read, at in _lines(name, data):
        if line.startswith(b"#"):
            comment = line[:HEADER_MOST]
            continue
        text = line.decode("latin-1").strip()
        if text:
            if "\r" in text:
                raise ValueError(
                    f"{name}:{number}: lines end with a carriage return alone; convert them: "
                    "tr '\\r' '\\n'"
                )
            return _found(name, number, text, line, read[at:], comment)
    raise ValueError(f"{name}:{number + 1}: no header line; {NEEDS}")


def _found(name: str, number: int, text: str, line: bytes, rest: bytes, comment: bytes) -> Dialect:
    columns, separator = _columns(text)
    if not PLACES & set(columns):
        data = line + b"\n" + rest
        named = _columns(comment.decode("latin-1").lstrip("#"))[0]
        if PLACES & set(named) and len(named) == len(columns):
            # What NumPy writes: the names are in a comment.
            columns, rest, number = named, data, number - 1
        elif _is_pair(columns):
            columns = ["op" if OP.fullmatch(word) else "address" for word in columns]
            rest, number = data, number - 1
        else:
            raise _refused(name, number, columns)
    where = f"{name}:{max(number, 1)}"
    for one, other in (("page", "address"), ("write", "op")):
        if columns.count(one) + columns.count(other) != 1:
            raise ValueError(
                f"{where}: the header needs {one!r} or {other!r}, and only one "
                f"(found: {_shown(columns)})"
            )
    if columns.count("size") > 1:
        raise ValueError(f"{where}: the header has 'size' twice")
    return Dialect(columns, separator, number, rest)


def _refused(name: str, number: int, columns: list[str]) -> ValueError:
    if any(NUMBER.fullmatch(word) or not word for word in columns):
        return ValueError(
            f"{name}:{number}: no header line: data comes first ({_shown(columns)}); {NEEDS}"
        )
    return ValueError(
        f"{name}:{number}: a CSV header needs 'page' or 'address', and only one (found: "
        f"{_shown(columns)}); {NEEDS}; columns are separated by commas, tabs, semicolons, '|' or "
        "blanks"
    )


def _lines(name: str, data: Iterator[bytes]) -> Iterator[tuple[int, bytes, bytes, int]]:
    """Number and bytes of each line; what was read, and where in it the next line begins.

    The last line may lack a newline.
    """
    head, number, before = b"", 0, 0
    for chunk in data:
        head += chunk
        if number == 0:
            head = head.removeprefix(BOM)
        at, found = 0, 0
        while found >= 0:
            found = head.find(b"\n", at)
            end = len(head) if found < 0 else found
            if end - at > HEADER_MOST and not head.startswith(b"#", at):
                raise ValueError(
                    f"{name}:{number + 1}: no header line, but one of more than {HEADER_MOST} "
                    f"bytes; {NEEDS}"
                )
            if found >= 0:
                number += 1
                yield number, head[at:end], head, end + 1
                at = end + 1
        head, before = head[at:], before + at
        if before + len(head) > PREAMBLE_MOST:
            raise ValueError(
                f"{name}:{number + 1}: no header line in the first {PREAMBLE_MOST} bytes; {NEEDS}"
            )
    if head:
        yield number + 1, head, b"", 0


def _columns(text: str) -> tuple[list[str], str]:
    """The names in a line, and what separates them."""
    best, separator = [_name(text)], ","
    for one in SEPARATORS:
        words = [_name(word) for word in (text.split() if one == " " else text.split(one))]
        if PLACES & set(words):
            return words, one
        if len(words) > len(best):
            best, separator = words, one
    return best, separator


def _name(word: str) -> str:
    return word.strip().strip("\"'").strip().lower()


def _shown(columns: list[str]) -> str:
    return printable(", ".join(columns))[:SHOWN_MOST]


def is_table(name: str, head: bytes) -> bool:
    """Whether text is a CSV: what its first lines say, and then its name."""
    commented = False
    for line in head[:LOOKED_AT].removeprefix(BOM).split(b"\n"):
        if LACKEY.match(line):
            return False
        text = line[:HEADER_MOST].decode("latin-1").strip()
        if line.startswith(b"#"):
            commented = True
        elif text:
            columns, _ = _columns(text)
            if PLACES & set(columns) or _is_pair(columns):
                return True
            break
    return commented or SUFFIXES.search(os.path.basename(name)) is not None


def _is_pair(columns: list[str]) -> bool:
    """An operation and an address, which need no names."""
    if len(columns) != 2:
        return False
    one, other = sorted(columns, key=lambda word: HEXADECIMAL.fullmatch(word) is not None)
    return OP.fullmatch(one) is not None and HEXADECIMAL.fullmatch(other) is not None
